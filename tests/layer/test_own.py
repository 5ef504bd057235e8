"""What holds of every layer that torch does not have."""

import copy
import pickle

import pytest
import torch
from own_layers import OWN_LAYERS
from torch import nn

from spikeframe import base, functional, layer

EXACT = {"rtol": 1e-10, "atol": 1e-10}


def cases(wanted=lambda case: True):
    """The layers of which a test holds."""
    return pytest.mark.parametrize("case", list(filter(wanted, OWN_LAYERS)), ids=str)


RESLOTTING = ("SpikeCountToBinary", "TemporalBinSum")
ANY_RANK = {"Delay", "LearnableDelay", "ElementWiseRecurrentContainer", "VotingLayer"}
ANY_RANK |= {*RESLOTTING, "LinearRecurrentContainer"}
each_layer = cases()
stateful = cases(lambda case: case.state)


def run(module, x_seq, seed=5):
    """The sequence through a fresh module, with gradients to input and parameters."""
    functional.reset_net(module)
    torch.manual_seed(seed)
    x_seq = x_seq.detach().clone().requires_grad_()
    y_seq = module(x_seq) if module.step_mode == "m" else torch.stack([module(x) for x in x_seq])
    weights = torch.linspace(-1, 1, y_seq.numel(), dtype=y_seq.dtype).view_as(y_seq)
    given = [x_seq, *module.parameters()]
    grads = torch.autograd.grad((y_seq * weights).sum(), given, allow_unused=True)
    return y_seq, [
        torch.zeros_like(x) if g is None else g for g, x in zip(grads, given, strict=True)
    ]


def test_every_layer_is_under_test():
    known = {case.name for case in OWN_LAYERS} | {"StatelessLayer", "MultiStep"}
    containers = {name for name in layer.__all__ if name.endswith("Container")}
    torchs = {name for name in layer.__all__ if hasattr(nn, name)}
    # In files of their own: test_online.py, test_synapse.py.
    known |= {"GradwithTrace", "OTTTSequential", "ReplaceforGrad", "SpikeTraceOp", "SynapseFilter"}
    assert set(layer.__all__) == known | containers | torchs


@cases(lambda case: len(case.modes) == 2)
def test_step_by_step_equals_layer_by_layer(case):
    x_seq = case.sequence()
    (by_step, step_grads), (by_layer, grads) = (run(case.build(m), x_seq) for m in ("s", "m"))
    assert by_step.abs().sum() > 0
    torch.testing.assert_close(by_layer, by_step, **EXACT)
    torch.testing.assert_close(grads, step_grads, **EXACT)


# Groups of steps end with the call.
@cases(lambda case: not case.steps and case.name != "TemporalBinSum")
def test_chunks_equal_the_whole_sequence(case):
    module, x_seq = case.build(), case.sequence()
    torch.manual_seed(5)
    expected = module(x_seq)
    functional.reset_net(module)
    torch.manual_seed(5)
    chunks = torch.cat([module(chunk) for chunk in x_seq.split((1, 2, 1))])
    torch.testing.assert_close(chunks, expected, **EXACT)


@cases(lambda case: case.name not in RESLOTTING)
def test_folded_layer_equals_the_sequence(case):
    module, x_seq = case.build(), case.sequence()
    expected, grads = run(module, x_seq)
    folded = layer.MultiStep(nn.Sequential(nn.Identity(), case.build(case.modes[0])))
    found, folded_grads = run(folded, x_seq)
    torch.testing.assert_close(found, expected, **EXACT)
    torch.testing.assert_close(folded_grads, grads, **EXACT)


@each_layer
def test_a_reset_repeats_and_states_are_restored(case):
    module, x_seq = case.build(), case.sequence(T=4 if case.steps else 2)
    first, saved = [], []
    for _ in range(2):
        torch.manual_seed(5)
        first.append(module(x_seq))
        saved.append(base.extract_memories(module))
        functional.reset_net(module)
    assert torch.equal(*first)
    results = []
    for twin in (module, case.build()):
        base.load_memories(twin, saved[0])
        torch.manual_seed(6)
        results.append(twin(x_seq))
    assert torch.equal(*results)


@each_layer
def test_copies_and_files_keep_the_state(case):
    module, x_seq = case.build(), case.sequence(T=2)
    if not case.steps:
        module(x_seq)
    twins = [copy.deepcopy(module)]
    if "Recurrent" not in case.name:
        twins.append(pickle.loads(pickle.dumps(module)))
    x_seq = case.sequence(T=4 if case.steps else 2, seed=2)
    torch.manual_seed(6)
    expected = module(x_seq)
    for twin in twins:
        torch.manual_seed(6)
        assert torch.equal(twin(x_seq), expected)


@each_layer
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_output_has_the_dtype_of_the_input(case, dtype):
    module = case.build(dtype=dtype)
    y_seq = module(case.sequence(dtype=dtype))
    assert y_seq.dtype == dtype
    assert y_seq.isfinite().all()


@each_layer
def test_autocast_runs(case):
    module = case.build(dtype=torch.float32).train()
    x_seq = case.sequence(dtype=torch.float32).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y_seq = module(x_seq)
    y_seq.float().square().sum().backward()
    assert x_seq.grad.isfinite().all()
    grads = [p.grad for p in module.parameters()]
    assert all(g is not None and g.isfinite().all() for g in grads)


@stateful
def test_another_batch_needs_a_reset(case):
    net = nn.Sequential(case.build())
    net(case.sequence(N=3))
    with pytest.raises(ValueError, match=rf"^{case.name} '0'.*functional\.reset_net\(net\)"):
        net(case.sequence(N=2))
    functional.reset_net(net)
    net(case.sequence(N=2))


@stateful
def test_states_have_the_batch_first_and_move(case):
    module = case.build()
    module(case.sequence(N=3))
    for name in case.state:
        assert getattr(module, name).shape[0] == 3
        assert getattr(module, name).dtype == torch.float64
    module.float()
    assert all(getattr(module, name).dtype == torch.float32 for name in case.state)


@cases(lambda case: case.name not in ANY_RANK)
def test_wrong_ranks_are_refused(case):
    with pytest.raises(ValueError, match=case.name):
        case.build()(torch.rand(2, 3, dtype=torch.float64))


@each_layer
def test_step_mode_is_shown_and_checked(case):
    module = case.build()
    if len(case.modes) == 2:
        assert "step_mode=m" in repr(module)
        functional.set_step_mode(module, "s")
        assert module.step_mode == "s"
        with pytest.raises(ValueError, match="step_mode must be 's' or 'm', got 'x'"):
            module.step_mode = "x"
    else:
        with pytest.raises(ValueError, match=f"{case.name} supports step_mode 'm' only, got 's'"):
            functional.set_step_mode(module, "s")
