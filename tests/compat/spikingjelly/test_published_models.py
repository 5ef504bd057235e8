"""Idioms of published models: build, train a step, reset, anneal, save and load."""

import warnings

import pytest
import torch
from published_models import MODELS
from torch import nn

from spikeframe.compat.spikingjelly.activation_based import functional, neuron, surrogate
from spikeframe.compat.spikingjelly.clock_driven import functional as old_functional

pytestmark = pytest.mark.filterwarnings("ignore:backend 'cupy' cannot be had")

IMAGES = torch.rand(6, 2, 8, 8, generator=torch.Generator().manual_seed(0)) * 2
LABELS = torch.tensor([0, 1, 2, 3, 4, 0])


@pytest.fixture(params=MODELS)
def net(request):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return MODELS[request.param]()


def loss_of(net):
    scores = net(IMAGES)
    if scores.dim() == 3:
        return old_functional.temporal_efficient_training_cross_entropy(scores, LABELS)
    return nn.functional.cross_entropy(scores, LABELS)


def nodes(net):
    return [m for m in net.modules() if isinstance(m, neuron.BaseNode)]


def test_model_trains_a_step_and_resets(net):
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = loss_of(net)
        loss.backward()
        optimizer.step()
        functional.reset_net(net)
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    unchanged = [name for name, p in net.named_parameters() if torch.equal(p, before[name])]
    assert unchanged == []
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert all(isinstance(node.v, float) for node in nodes(net))


def test_model_gives_the_same_after_a_reset_alone(net):
    net.eval()
    with torch.no_grad():
        first = net(IMAGES)
        functional.reset_net(net)
        again = net(IMAGES)
    functional.reset_net(net)
    assert torch.equal(first, again)
    assert first.isfinite().all()
    assert first.std() > 0


def test_gradients_are_those_of_the_neurons_own_lines(net):
    net.double().eval()
    grads = []
    for backend in (None, "eager"):
        for node in nodes(net):
            node.backend = node.backend if backend is None else backend
        net.zero_grad()
        loss = nn.functional.cross_entropy(net(IMAGES.double()).flatten(0, -2)[:6], LABELS)
        loss.backward()
        functional.reset_net(net)
        grads.append([p.grad.clone() for p in net.parameters()])
    for fused, eager in zip(*grads, strict=True):
        torch.testing.assert_close(fused, eager)


def test_surrogates_are_assigned_and_annealed(net):
    for m in net.modules():
        if isinstance(m, neuron.BaseNode):
            m.surrogate_function = surrogate.ATan(alpha=1.0)
    grads = []
    for alpha in (1.0, 4.0):
        for m in nodes(net):
            m.surrogate_function.alpha = alpha
        net.eval()
        net.zero_grad()
        loss_of(net).backward()
        functional.reset_net(net)
        grads.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
    assert not torch.allclose(*grads)


def test_checkpoint_holds_parameters_and_statistics_alone(net, tmp_path, request):
    loss_of(net).backward()
    names = {name for name, _ in net.named_parameters()} | {n for n, _ in net.named_buffers()}
    assert set(net.state_dict()) == names
    torch.save(net.state_dict(), tmp_path / "net.pt")
    torch.manual_seed(1)
    other = MODELS[request.node.callspec.params["net"]]()
    other.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    functional.reset_net(net)
    with torch.no_grad():
        assert torch.equal(other.eval()(IMAGES), net.eval()(IMAGES))


def test_potentials_of_sequences_can_be_read():
    net = MODELS["Spikformer"]()
    net(IMAGES)
    lif = net.splitting[0].lif
    assert lif.v_seq.shape == (4, 6, 8, 8, 8)
    assert torch.equal(lif.v_seq[-1], lif.v)
    functional.reset_net(net)
    assert lif.v_seq is None
    lif.store_v_seq = False
    net(IMAGES)
    assert lif.v_seq is None
