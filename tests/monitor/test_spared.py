"""Whatever a module keeps comes back."""

import torch
from torch import nn

from spikeframe.monitor.spared import rest, spared


class Foreign(nn.Module):
    """Has states in ways of its own."""

    def __init__(self):
        super().__init__()
        self.state = {"v": 1.0}
        self.seen = None
        self.generator = torch.Generator()
        self.register_buffer("total", torch.zeros(2))

    def reset(self):
        self.state["v"] = 0.0
        self.seen = None

    def forward(self, x):
        self.state["v"] = self.state["v"] + x
        self.state["w"] = self.seen = self.made = x
        self.total += x
        return x + torch.rand(2, generator=self.generator) + torch.rand(2)


def test_states_of_other_frameworks_come_back():
    module = Foreign()
    module(torch.ones(2))
    state, kept = module.state, dict(module.state)
    handle = module.register_forward_hook(lambda *_: None)
    total, drawn = module.total.clone(), (module.generator.get_state(), torch.get_rng_state())
    del module.made
    with spared(nn.Sequential(module)):
        rest(module)
        assert module.state["v"] == 0.0
        module(torch.ones(2))
    assert module.state is state
    assert state == kept
    assert module.seen is kept["w"]
    assert not hasattr(module, "made")
    assert torch.equal(module.total, total)
    assert torch.equal(module.generator.get_state(), drawn[0])
    assert torch.equal(torch.get_rng_state(), drawn[1])
    handle.remove()
    assert not module._forward_hooks
