"""The basics of SpikingJelly's users, written as they write them, with only the import changed."""

import contextlib
import io

import torch
from torch import nn

from spikeframe import functional, layer, neuron, surrogate


def printed(*values):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print(*values)
    return out.getvalue().strip()


def test_print_a_node_and_its_potential_before_and_after():
    net_s = neuron.IFNode(step_mode="s")
    assert printed(net_s).startswith(
        "IFNode(\n  v_threshold=1.0, v_reset=0.0, detach_reset=False, step_mode=s, backend="
    )
    assert printed(f"the initial v={net_s.v}") == "the initial v=0.0"
    x = torch.rand([4])
    y = net_s(x)
    assert printed(f"x={x}", f"v={net_s.v}") == printed(f"x={x}", f"v={x}")
    assert y.dtype == torch.float32
    net_s.reset()
    assert printed(f"after reset, v={net_s.v}") == "after reset, v=0.0"
    x = torch.rand([8])
    net_s(x)
    assert torch.equal(net_s.v, x)


def test_single_step_and_multi_step_of_one_neuron():
    T, N, C, H, W = 4, 1, 3, 8, 8
    net_s = neuron.IFNode(step_mode="s")
    x_seq = torch.rand([T, N, C, H, W])
    y_seq = []
    for t in range(T):
        x = x_seq[t]  # x.shape = [N, C, H, W]
        y = net_s(x)  # y.shape = [N, C, H, W]
        y_seq.append(y.unsqueeze(0))
    y_seq = torch.cat(y_seq)  # y_seq.shape = [T, N, C, H, W]
    net_s.reset()
    assert torch.equal(functional.multi_step_forward(x_seq, net_s), y_seq)
    net_m = neuron.IFNode(step_mode="m")
    assert torch.equal(net_m(x_seq), y_seq)
    net_m.step_mode = "s"
    net_m.reset()
    assert torch.equal(net_m(x_seq[0]), y_seq[0])


def test_step_by_step_and_layer_by_layer():
    torch.manual_seed(0)
    T, N, C, H, W = 4, 2, 3, 8, 8
    net = nn.Sequential(
        layer.Conv2d(C, 16, kernel_size=3, padding=1, bias=False),
        layer.BatchNorm2d(16),
        neuron.IFNode(surrogate_function=surrogate.ATan()),
        layer.MaxPool2d(2, 2),
        layer.Flatten(),
        layer.Linear(16 * H // 2 * W // 2, 10, bias=False),
        neuron.LIFNode(tau=4.0, v_threshold=0.05, surrogate_function=surrogate.Sigmoid(alpha=4.0)),
    ).double()
    net.eval()
    x_seq = torch.rand([T, N, C, H, W], dtype=torch.float64) * 4
    with torch.no_grad():
        y_step_by_step = functional.multi_step_forward(x_seq, net)
        functional.reset_net(net)
        functional.set_step_mode(net, step_mode="m")
        y_layer_by_layer = net(x_seq)
        functional.reset_net(net)
    assert y_layer_by_layer.sum() > 0
    assert torch.equal(y_step_by_step, y_layer_by_layer)
    assert net[2].step_mode == net[0].step_mode == "m"


def test_reset_in_the_training_loop():
    torch.manual_seed(0)
    T, N = 5, 32
    net = nn.Sequential(
        layer.Flatten(),
        layer.Linear(2 * 2, 8, bias=False),
        neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan()),
        layer.Linear(8, 2, bias=False),
        neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan()),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    images = torch.rand(N, 1, 2, 2)
    labels = (images.flatten(1).sum(1) > 2).long()
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        rate = torch.zeros(N, 2)
        for _ in range(T):
            rate = rate + net(images * 3)
        loss = nn.functional.mse_loss(rate / T, nn.functional.one_hot(labels, 2).float())
        loss.backward()
        optimizer.step()
        functional.reset_net(net)
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
