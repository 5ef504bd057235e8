import pytest
import torch
from torch.nn import functional as F

from spikeframe import functional, neuron
from spikeframe.cli.learner import RELU, SPIKING, learner
from spikeframe.cli.options import complete
from spikeframe.data import ImageSet


@pytest.fixture
def data():
    return ImageSet(torch.rand(6, 1, 8, 8), torch.arange(6) % 3, ("a", "b", "c"))


def build(role, data, **given):
    return learner(role, data, complete(given), batches=4)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("if", neuron.IFNode), ("lif", neuron.LIFNode), ("plif", neuron.ParametricLIFNode)],
)
def test_learner_has_the_neuron_asked_for(data, name, kind):
    made = build(SPIKING, data, neuron=name)
    nodes = [m for m in made.net.modules() if isinstance(m, neuron.BaseNode)]
    assert [type(node) for node in nodes] == [kind] * 4
    assert [node.v_threshold for node in nodes] == [1.0, 1.0, 1.0, float("inf")]
    assert made.title == f"{kind.__name__}, T=4"


@pytest.mark.parametrize("name", ["lif", "plif"])
def test_learner_has_the_time_constant_asked_for(data, name):
    net = build(SPIKING, data, neuron=name, tau=3.5).net
    nodes = [m for m in net.modules() if isinstance(m, neuron.BaseNode)]
    assert [torch.as_tensor(node.tau).item() for node in nodes] == pytest.approx([3.5] * 4)


def test_twin_has_the_same_weights_and_no_time(data):
    spiking, twin = build(SPIKING, data), build(RELU, data)
    assert (spiking.steps, twin.steps) == (4, 1)
    assert not any(isinstance(m, neuron.BaseNode) for m in twin.net.modules())
    for (name, left), (other, right) in zip(
        spiking.net.named_parameters(), twin.net.named_parameters(), strict=True
    ):
        assert name == other
        assert torch.equal(left, right)


def test_weights_are_drawn_from_the_seed(data):
    weights = [build(SPIKING, data, seed=seed).net.classifier.weight for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("role", [SPIKING, RELU])
@pytest.mark.parametrize("amp", [False, True])
def test_scores_are_float32_of_every_step(data, role, amp):
    made = build(role, data, amp=amp)
    made.net.eval()
    with torch.no_grad():
        scores = made.scores(data.images)
    assert scores.shape == (made.steps, 6, 3)
    assert scores.dtype == torch.float32


def test_amp_keeps_states_in_float32(data):
    made = build(SPIKING, data, amp=True)
    made.scores(data.images)
    nodes = [m for m in made.net.modules() if isinstance(m, neuron.BaseNode)]
    assert {node.v.dtype for node in nodes} == {torch.float32}
    functional.reset_net(made.net)


def test_loss_is_the_mean_cross_entropy_of_the_steps(data):
    scores = torch.randn(4, 6, 3, dtype=torch.float64)
    steps = [F.cross_entropy(step, data.labels, label_smoothing=0.1) for step in scores]
    loss = build(SPIKING, data).loss(scores, data.labels)
    torch.testing.assert_close(loss, torch.stack(steps).mean())


@pytest.mark.parametrize(
    ("opt", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_optimizer_holds_every_parameter_once(data, opt, kind):
    made = build(SPIKING, data, opt=opt, neuron="plif", lr=0.25)
    assert type(made.optimizer) is kind
    held = [p for group in made.optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in held} == {id(p) for p in made.net.parameters()}
    assert len(held) == len(list(made.net.parameters()))
    assert {group["lr"] for group in made.optimizer.param_groups} == {0.25}


@pytest.mark.parametrize("opt", ["adamw", "sgd"])
def test_only_weights_decay(data, opt):
    decaying, others = build(SPIKING, data, opt=opt, neuron="plif").optimizer.param_groups
    assert decaying["weight_decay"] > 0
    assert others["weight_decay"] == 0
    assert min(p.dim() for p in decaying["params"]) == 2
    assert max(p.dim() for p in others["params"]) == 1


def test_rate_falls_to_zero_over_all_batches(data):
    made = build(SPIKING, data, epochs=3, lr=0.5)
    for _ in range(12):
        assert made.scheduler.get_last_lr()[0] > 0
        made.optimizer.step()
        made.scheduler.step()
    assert made.scheduler.get_last_lr() == pytest.approx([0, 0])
