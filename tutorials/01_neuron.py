"""Tutorial 1: a spiking neuron, its state, and one of your own.

Run it: ``python tutorials/01_neuron.py``. It prints what it explains; nothing else is needed.
"""

import torch

from spikeframe import functional, neuron, surrogate

# A neuron integrates its input into a membrane potential v, fires a spike when v reaches the
# threshold, and is then reset. IFNode has no leak: v is the sum of what came in.
node = neuron.IFNode(v_threshold=1.0, v_reset=0.0)
print(node)

# v starts as a number and takes the input's shape at the first step.
print(f"before the first step: v = {node.v}")
for step in range(4):
    spike = node(torch.tensor([0.4, 0.7]))
    print(f"step {step}: spike = {spike.tolist()}, v = {[round(v, 2) for v in node.v.tolist()]}")

# The state stays until it is reset. Another shape without a reset is an error, which says so.
try:
    node(torch.zeros(5))
except ValueError as error:
    print(f"another shape: {error}")
node.reset()
node(torch.zeros(5))
print(f"after reset: v.shape = {list(node.v.shape)}")

# A leaky neuron forgets: v decays with the time constant tau (in steps) towards v_reset. In
# step mode 'm' it takes the whole sequence [T, N, *] at once and gives the same spikes.
x_seq = torch.rand(8, 3, generator=torch.Generator().manual_seed(0)) * 2
one_by_one = neuron.LIFNode(tau=2.0)
at_once = neuron.LIFNode(tau=2.0, step_mode="m", store_v_seq=True)
steps = torch.stack([one_by_one(x) for x in x_seq])
print(f"steps equal the sequence: {torch.equal(steps, at_once(x_seq))}")
print(f"the potential at every step is kept on request: {list(at_once.v_seq.shape)}")

# The derivative of a step is useless for training, so the backward uses that of a smooth
# neighbour, the surrogate. Any of them can be given, and you can write your own in four lines.


class Triangle(surrogate.Surrogate):
    """A triangle of height and half-width 1 around the threshold."""

    def derivative(self, u: torch.Tensor) -> torch.Tensor:
        return torch.relu(1.0 - u.abs())


for function in (surrogate.ATan(alpha=2.0), Triangle()):
    x_seq.requires_grad_().grad = None
    neuron.LIFNode(surrogate_function=function, step_mode="m")(x_seq).sum().backward()
    print(f"{type(function).__name__}: mean |gradient| = {x_seq.grad.abs().mean():.3f}")


# A neuron of your own is its charge equation. Here the leak depends on the potential.
class SlowNearThreshold(neuron.BaseNode):
    """Leaks less, the closer it is to its threshold."""

    def neuronal_charge(self, x: torch.Tensor) -> None:
        leak = 0.5 * (self.v_threshold - self.v)
        self.v = self.v - leak * self.v + x


mine = SlowNearThreshold(step_mode="m")
print(f"my neuron fires at a rate of {mine(x_seq).mean():.2f}")
functional.reset_net(mine)
