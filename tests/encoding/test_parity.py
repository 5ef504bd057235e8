"""The deterministic encoders equal the peers', live, where the peers are installed."""

import importlib
import warnings

import pytest
import torch

from spikeframe import encoding

pytestmark = pytest.mark.parity


def peer(name):
    # Peers warn while they import, which would be an error here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as missing:
            pytest.skip(f"{name} is not installed ({missing})")


@pytest.fixture(scope="module")
def spikegen():
    return peer("snntorch.spikegen")


@pytest.fixture(scope="module")
def spikingjelly():
    return peer("spikingjelly.activation_based.encoding")


def images(seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(16, 1, 9, 9, generator=generator, dtype=dtype)
    x[0], x[1] = 0.0, 1.0
    return x


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("mode", ["log", "linear"])
@pytest.mark.parametrize(("tau", "threshold"), [(5, 0.01), (1, 0.2), (3.7, 0.0713)])
def test_latency_is_snntorchs(spikegen, clip, normalize, mode, tau, threshold):
    x, T = images(), 100
    expected = spikegen.latency(
        x, T, threshold, tau, clip=clip, normalize=normalize, linear=mode == "linear"
    )
    ours = encoding.latency(
        x, T, tau=tau, threshold=threshold, mode=mode, clip=clip, normalize=normalize
    )
    assert torch.equal(ours, expected)


@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("off_spike", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_delta_is_snntorchs(spikegen, padding, off_spike, dtype):
    generator = torch.Generator().manual_seed(0)
    x_seq = (torch.randn(20, 4, 7, generator=generator) * 3).to(dtype)
    expected = spikegen.delta(x_seq, 2, padding=padding, off_spike=off_spike)
    ours = encoding.delta(x_seq, 2, padding=padding, off_spike=off_spike)
    assert torch.equal(ours, expected)
    assert ours.dtype == expected.dtype


@pytest.mark.parametrize("T", [1, 2, 8, 40])
@pytest.mark.parametrize("function", ["linear", "log"])
def test_latency_encoder_is_spikingjellys(spikingjelly, T, function):
    # In float64, where the two ways of writing the logarithm differ by far less than any tie.
    x = images(dtype=torch.float64)
    theirs, ours = (
        module.LatencyEncoder(T, enc_function=function) for module in (spikingjelly, encoding)
    )
    for _ in range(2 * T):
        assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("K", [1, 3, 8])
def test_weighted_phase_encoder_is_spikingjellys(spikingjelly, K):
    x = images() * (1 - 2.0**-K)
    theirs, ours = (module.WeightedPhaseEncoder(K) for module in (spikingjelly, encoding))
    for _ in range(2 * K):
        assert torch.equal(ours(x), theirs(x))


def test_periodic_encoder_is_spikingjellys(spikingjelly):
    spike_seq = (images() > 0.5).float()
    theirs, ours = (module.PeriodicEncoder(spike_seq) for module in (spikingjelly, encoding))
    for _ in range(40):
        expected = theirs(spike_seq)
        assert torch.equal(ours(spike_seq), expected)


def test_latency_encoder_in_m_is_spikingjellys(spikingjelly):
    x_seq = images().expand(11, 16, 1, 9, 9)
    theirs, ours = (module.LatencyEncoder(8, step_mode="m") for module in (spikingjelly, encoding))
    assert torch.equal(ours(x_seq), theirs(x_seq))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_poisson_encoder_draws_spikingjellys_spikes(spikingjelly, dtype):
    # Another seed than below: where a draw equals x, their <= fires and our < does not.
    x = images(seed=1, dtype=dtype)
    theirs, ours = (module.PoissonEncoder() for module in (spikingjelly, encoding))
    torch.manual_seed(0)
    expected = theirs(x)
    torch.manual_seed(0)
    assert torch.equal(ours(x), expected)
