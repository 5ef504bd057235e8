"""Scripts of the kind of snnTorch's tutorials 1 to 7, import changed, on small data of our own."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

import spikeframe.compat.snntorch as snn
from spikeframe.compat.snntorch import backprop, spikegen, surrogate, utils
from spikeframe.compat.snntorch import functional as SF
from spikeframe.compat.snntorch import spikeplot as splt

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

SIZE = 8


class Digits(Dataset):
    """Ten patterns with noise, with ``data`` and ``targets`` as torchvision's MNIST has them."""

    def __init__(self, count=200, seed=0):
        generator = torch.Generator().manual_seed(0)
        patterns = (torch.rand(10, 1, SIZE, SIZE, generator=generator) < 0.35).float()
        generator = torch.Generator().manual_seed(seed)
        self.targets = torch.randint(10, (count,), generator=generator)
        noise = torch.rand(count, 1, SIZE, SIZE, generator=generator)
        self.data = (0.8 * patterns[self.targets] + 0.2 * noise).clamp(0, 1)

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        return self.data[index], self.targets[index]


@pytest.fixture(autouse=True)
def plt():
    from matplotlib import pyplot

    torch.manual_seed(0)
    yield pyplot
    pyplot.close("all")


# 1: codes.


def test_tutorial_1_spike_encoding(plt):
    batch_size, num_classes, subset = 16, 10, 4
    mnist_train = Digits(400)
    utils.data_subset(mnist_train, subset)
    assert len(mnist_train) == 100
    train_loader = DataLoader(mnist_train, batch_size=batch_size, shuffle=True)
    num_steps = 10
    raw_vector = torch.ones(num_steps) * 0.5
    rate_coded_vector = torch.bernoulli(raw_vector)
    assert set(rate_coded_vector.tolist()) <= {0, 1}
    data_it, targets_it = next(iter(train_loader))
    spike_data = spikegen.rate(data_it, num_steps=num_steps)
    assert spike_data.shape == (num_steps, batch_size, 1, SIZE, SIZE)
    spike_data = spikegen.rate(data_it, num_steps=100, gain=0.25)
    torch.testing.assert_close(spike_data.mean(), data_it.mean() * 0.25, rtol=0.1, atol=0)
    spike_data_sample = spike_data[:, 0, 0]
    fig, ax = plt.subplots()
    anim = splt.animator(spike_data_sample, fig, ax)
    anim._draw_was_started = True
    fig = plt.figure(facecolor="w", figsize=(10, 5))
    ax = fig.add_subplot(111)
    points = splt.raster(spike_data_sample.reshape((100, -1)), ax, s=1.5, c="black")
    assert len(points.get_offsets()) == int(spike_data_sample.sum())
    spike_data = spikegen.latency(data_it, num_steps=100, tau=5, threshold=0.01)
    assert (spike_data.sum(0) == 1).all()
    spike_data = spikegen.latency(
        data_it, num_steps=100, tau=5, threshold=0.1, clip=True, normalize=True, linear=True
    )
    assert torch.equal(spike_data.sum(0) == 1, data_it >= 0.1)
    data = torch.tensor([0, 1, 0, 2, 8, -20, 20, -5, 0, 1, 0])
    assert spikegen.delta(data, threshold=4).tolist() == [0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0]
    with_off = spikegen.delta(data, threshold=4, off_spike=True)
    assert with_off.tolist() == [0, 0, 0, 0, 1, -1, 1, -1, 1, 0, 0]
    spike_prob = torch.rand((num_steps, SIZE, SIZE), dtype=torch.float) * 0.5
    spike_rand = spikegen.rate_conv(spike_prob)
    assert spike_rand.shape == spike_prob.shape
    targets = spikegen.targets_convert(targets_it, num_classes=num_classes, code="rate")
    assert torch.equal(targets.argmax(1), targets_it)


# 2: Lapicque's neuron.


def test_tutorial_2_leaky_integrate_and_fire():
    def leaky_integrate_neuron(U, time_step=1e-3, I=0, R=5e7, C=1e-10):  # noqa: E741
        tau = R * C
        return U + (time_step / tau) * (-U + I * R)

    num_steps, U, U_trace = 100, 0.9, []
    for _ in range(num_steps):
        U_trace.append(U)
        U = leaky_integrate_neuron(U)
    time_step, R, C = 1e-3, 5, 1e-3
    lif1 = snn.Lapicque(R=R, C=C, time_step=time_step)
    mem = torch.ones(1) * 0.9
    cur_in = torch.zeros(num_steps, 1)
    spk_out = torch.zeros(1)
    mem_rec = [mem]
    for step in range(num_steps):
        spk_out, mem = lif1(cur_in[step], mem)
        mem_rec.append(mem)
    mem_rec = torch.stack(mem_rec)
    assert spk_out == 0
    assert mem_rec.flatten()[:100].tolist() == pytest.approx(U_trace, abs=1e-5)
    spikes = {}
    for R_, threshold, reset in itertools.product(
        (5.1,), (0.5, 0.2), ("subtract", "zero", "none")
    ):
        lif = snn.Lapicque(
            R=R_, C=5e-3, time_step=1e-3, threshold=threshold, reset_mechanism=reset
        )
        spk_in = spikegen.rate_conv(torch.ones(num_steps) * 0.40)
        mem, rec = torch.ones(1) * 0.5, []
        for step in range(num_steps):
            spk_out, mem = lif(spk_in[step], mem)
            rec.append(spk_out)
        spikes[threshold, reset] = torch.stack(rec).sum().item()
    assert spikes[0.2, "subtract"] > spikes[0.5, "subtract"] > 0
    assert spikes[0.5, "none"] >= spikes[0.5, "subtract"] >= spikes[0.5, "zero"]


# 3: a feedforward net.


def test_tutorial_3_feedforward(plt):
    num_steps, num_inputs, num_hidden, num_outputs, beta = 60, 32, 100, 10, 0.99
    fc1 = nn.Linear(num_inputs, num_hidden)
    lif1 = snn.Leaky(beta=beta)
    fc2 = nn.Linear(num_hidden, num_outputs)
    lif2 = snn.Leaky(beta=beta)
    mem1 = lif1.init_leaky()
    mem2 = lif2.init_leaky()
    mem2_rec, spk1_rec, spk2_rec = [], [], []
    spk_in = spikegen.rate_conv(torch.rand((num_steps, num_inputs))).unsqueeze(1)
    for step in range(num_steps):
        cur1 = fc1(spk_in[step])
        spk1, mem1 = lif1(cur1, mem1)
        cur2 = fc2(spk1)
        spk2, mem2 = lif2(cur2, mem2)
        mem2_rec.append(mem2)
        spk1_rec.append(spk1)
        spk2_rec.append(spk2)
    mem2_rec, spk1_rec, spk2_rec = map(torch.stack, (mem2_rec, spk1_rec, spk2_rec))
    assert spk1_rec.shape == (num_steps, 1, num_hidden)
    assert spk1_rec.sum() > 0
    splt.traces(mem2_rec.squeeze(1), spk=spk2_rec.squeeze(1))
    assert len(plt.gcf().axes) == 9
    fig, ax = plt.subplots(3, figsize=(8, 7), sharex=True)
    splt.raster(spk_in[:, 0], ax[0], s=0.03, c="black")
    splt.raster(spk1_rec.reshape(num_steps, -1), ax[1], s=0.05, c="black")
    splt.raster(spk2_rec.reshape(num_steps, -1), ax[2], c="black", marker="|")
    fig.canvas.draw()


# 4: neurons of second order.


def test_tutorial_4_second_order_neurons():
    alpha, beta, num_steps = 0.9, 0.8, 200
    lif1 = snn.Synaptic(alpha=alpha, beta=beta)
    w = 0.2
    spk_period = torch.cat((torch.ones(1) * w, torch.zeros(9)), 0)
    spk_in = spk_period.repeat(20)
    syn, mem = lif1.init_synaptic()
    spk_rec = []
    for step in range(num_steps):
        spk_out, syn, mem = lif1(spk_in[step], syn, mem)
        spk_rec.append(spk_out)
    assert torch.stack(spk_rec).sum() == 12
    lif2 = snn.Alpha(alpha=0.8, beta=0.7, threshold=0.5)
    w = 0.85
    spk_in = (
        torch.cat((torch.zeros(10), torch.ones(1), torch.zeros(89),
                   (torch.cat((torch.ones(1), torch.zeros(9)), 0).repeat(10))), 0) * w
    ).unsqueeze(1)  # fmt: skip
    syn_exc, syn_inh, mem = lif2.init_alpha()
    mem_rec, spk_rec = [], []
    for step in range(num_steps):
        spk_out, syn_exc, syn_inh, mem = lif2(spk_in[step], syn_exc, syn_inh, mem)
        mem_rec.append(mem.squeeze(0))
        spk_rec.append(spk_out.squeeze(0))
    mem_rec = torch.stack(mem_rec)
    assert mem_rec[10] == 0  # the membrane answers a step later
    assert mem_rec[11] > 0


# 5: a fully-connected net is trained.


def test_tutorial_5_training(capsys):
    batch_size, num_steps, beta = 32, 10, 0.95
    train_loader = DataLoader(Digits(320), batch_size=batch_size, shuffle=True, drop_last=True)
    test_loader = DataLoader(Digits(64, seed=1), batch_size=batch_size)
    device = torch.device("cpu")

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(SIZE * SIZE, 50)
            self.lif1 = snn.Leaky(beta=beta)
            self.fc2 = nn.Linear(50, 10)
            self.lif2 = snn.Leaky(beta=beta)

        def forward(self, x):
            mem1 = self.lif1.init_leaky()
            mem2 = self.lif2.init_leaky()
            spk2_rec, mem2_rec = [], []
            for _ in range(num_steps):
                cur1 = self.fc1(x)
                spk1, mem1 = self.lif1(cur1, mem1)
                cur2 = self.fc2(spk1)
                spk2, mem2 = self.lif2(cur2, mem2)
                spk2_rec.append(spk2)
                mem2_rec.append(mem2)
            return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)

    net = Net().to(device)
    loss = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3, betas=(0.9, 0.999))
    loss_hist = []
    for _ in range(3):
        for data, targets in iter(train_loader):
            data, targets = data.to(device), targets.to(device)
            net.train()
            _spk_rec, mem_rec = net(data.view(batch_size, -1))
            loss_val = torch.zeros((1), dtype=torch.float, device=device)
            for step in range(num_steps):
                loss_val += loss(mem_rec[step], targets)
            optimizer.zero_grad()
            loss_val.backward()
            optimizer.step()
            loss_hist.append(loss_val.item())
    total = correct = 0
    with torch.no_grad():
        net.eval()
        for data, targets in test_loader:
            test_spk, _ = net(data.view(data.size(0), -1))
            _, predicted = test_spk.sum(dim=0).max(1)
            total += targets.size(0)
            correct += (predicted == targets).sum().item()
    assert np.mean(loss_hist[-5:]) < 0.3 * loss_hist[0]
    assert correct / total > 0.9


# 6: a convolutional net, by losses, regularisers and loops that are ready made.


def conv_net(spike_grad, beta=0.5):
    return nn.Sequential(
        nn.Conv2d(1, 6, 3),
        nn.MaxPool2d(2),
        snn.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True),
        nn.Flatten(),
        nn.Linear(6 * 3 * 3, 10),
        snn.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True, output=True),
    )


def forward_pass(net, num_steps, data):
    mem_rec, spk_rec = [], []
    utils.reset(net)
    for _ in range(num_steps):
        spk_out, mem_out = net(data)
        spk_rec.append(spk_out)
        mem_rec.append(mem_out)
    return torch.stack(spk_rec), torch.stack(mem_rec)


def test_tutorial_6_convolution(plt):
    spike_grad = surrogate.fast_sigmoid(slope=25)
    num_steps, device = 8, torch.device("cpu")
    net = conv_net(spike_grad).to(device)
    train_loader = DataLoader(Digits(256), batch_size=32, shuffle=True)
    data, targets = next(iter(train_loader))
    spk_rec, mem_rec = forward_pass(net, num_steps, data)
    assert mem_rec.size() == (num_steps, 32, 10)
    loss_fn = SF.ce_rate_loss()
    assert loss_fn(spk_rec, targets).item() == pytest.approx(2.3, abs=0.3)
    assert 0 <= SF.accuracy_rate(spk_rec, targets) <= 1

    def batch_accuracy(train_loader, net, num_steps):
        with torch.no_grad():
            total = acc = 0
            for data, targets in iter(train_loader):
                spk_rec, _ = forward_pass(net, num_steps, data.to(device))
                acc += SF.accuracy_rate(spk_rec, targets.to(device)) * spk_rec.size(1)
                total += spk_rec.size(1)
        return acc / total

    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, betas=(0.9, 0.999))
    losses = [
        backprop.BPTT(
            net,
            train_loader,
            optimizer=optimizer,
            criterion=loss_fn,
            num_steps=num_steps,
            time_var=False,
            device=device,
            regularization=SF.l1_rate_sparsity(1e-6),
        ).item()
        for _ in range(6)
    ]
    assert losses[-1] < losses[0]
    test_loader = DataLoader(Digits(64, seed=1), batch_size=32, shuffle=True)
    assert batch_accuracy(test_loader, net, num_steps) > 0.8
    spk_rec, mem_rec = forward_pass(net, num_steps, data)
    fig, ax = plt.subplots(facecolor="w", figsize=(12, 7))
    labels = [str(i) for i in range(10)]
    anim = splt.spike_count(spk_rec[:, 0].detach().cpu(), fig, ax, labels=labels, animate=True)
    anim._draw_was_started = True


# 7: recordings of events.


def test_tutorial_7_neuromorphic():
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(4, (64,), generator=generator)
    frames = (torch.rand(64, 12, 2, 10, 10, generator=generator) < 0.05).float()
    for i, target in enumerate(targets):  # each class moves at its own place
        row, column = 5 * (int(target) // 2), 5 * (int(target) % 2)
        frames[i, :, :, row : row + 5, column : column + 5] += 1
    trainset = TensorDataset(frames.clamp(0, 1), targets)

    def pad(batch):
        data, labels = zip(*batch, strict=True)
        return nn.utils.rnn.pad_sequence(list(data)), torch.stack(labels)  # time first

    trainloader = DataLoader(trainset, batch_size=16, collate_fn=pad, shuffle=True)
    event_tensor, target = next(iter(trainloader))
    assert event_tensor.shape == (12, 16, 2, 10, 10)
    spike_grad, beta = surrogate.atan(), 0.5
    net = nn.Sequential(
        nn.Conv2d(2, 6, 3),
        nn.MaxPool2d(2),
        snn.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True),
        nn.Flatten(),
        nn.Linear(6 * 4 * 4, 4),
        snn.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True, output=True),
    )

    def forward_pass(net, data):
        spk_rec = []
        utils.reset(net)
        for step in range(data.size(0)):
            spk_out, _mem_out = net(data[step])
            spk_rec.append(spk_out)
        return torch.stack(spk_rec)

    optimizer = torch.optim.Adam(net.parameters(), lr=2e-2, betas=(0.9, 0.999))
    loss_fn = SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)
    acc_hist = []
    for _ in range(8):
        for data, targets in iter(trainloader):
            net.train()
            spk_rec = forward_pass(net, data)
            loss_val = loss_fn(spk_rec, targets)
            optimizer.zero_grad()
            loss_val.backward()
            optimizer.step()
            acc_hist.append(SF.accuracy_rate(spk_rec, targets))
    assert np.mean(acc_hist[-4:]) > 0.9


def test_the_old_calls_of_the_tutorials():
    spike_grad = surrogate.FastSigmoid.apply
    lif = snn.Synaptic(alpha=0.9, beta=0.8, spike_grad=spike_grad)
    spk, syn, mem = lif.init_synaptic(4, 10)
    spk, syn, mem = lif(torch.rand(4, 10), syn, mem)
    assert spk.shape == (4, 10)
    lif = snn.Leaky(beta=0.9, init_hidden=True, spike_grad=snn.LIF.Heaviside.apply)
    snn.Leaky.reset_hidden()
    assert F.relu(lif(torch.rand(4, 10))).shape == (4, 10)
    snn.SpikingNeuron.init()
    assert len(snn.LIF.instances) == 0
