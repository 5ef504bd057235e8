"""Arguments in their order with their defaults, as the releases 0.0.0.0.12 and .14 have them."""

import inspect

import pytest

from spikeframe.compat.spikingjelly import activation_based, cext, clock_driven

# The surrogate is None, a Sigmoid(alpha=4) of its own, where the releases share one.
FIRE = {"v_threshold": 1.0, "v_reset": 0.0, "surrogate_function": None, "detach_reset": False}
LEAK = {"tau": 2.0, "decay_input": True}
MODES = {"step_mode": "s", "backend": "auto", "store_v_seq": False}
REST = {"surrogate_function": None, "detach_reset": False}
ADAPT = {"v_rest": 0.0, "w_rest": 0.0, "tau_w": 2.0, "a": 0.0, "b": 0.0}
QIF = {"tau": 2.0, "v_c": 0.8, "a0": 1.0, "v_threshold": 1.0, "v_rest": 0.0, "v_reset": -0.1}
EIF = {
    **{"tau": 2.0, "delta_T": 1.0, "theta_rh": 0.8},
    **{"v_threshold": 1.0, "v_rest": 0.0, "v_reset": -0.1},
}
IZHIKEVICH = {
    **{"tau": 2.0, "v_c": 0.8, "a0": 1.0, "v_threshold": 1.0, "v_reset": 0.0, "v_rest": -0.1},
    **{"w_rest": 0.0, "tau_w": 2.0, "a": 0.0, "b": 0.0},
}
NAMED = {
    **{"v_threshold": 1.0, "v_reset": 0.0, "surrogate_function": "ATan", "alpha": 2.0},
    "detach_reset": False,
}
LAVA = {"backend": "auto", "lava_s_cale": 64}
NEURONS = [
    (activation_based, "BaseNode", FIRE | MODES),
    (activation_based, "AdaptBaseNode", {"v_threshold": 1.0, "v_reset": 0.0} | ADAPT | REST),
    (activation_based, "IFNode", FIRE | MODES),
    (activation_based, "LIFNode", LEAK | FIRE | MODES),
    (activation_based, "ParametricLIFNode", {"init_tau": 2.0, "decay_input": True} | FIRE | MODES),
    (activation_based, "QIFNode", QIF | REST | MODES),
    (activation_based, "EIFNode", EIF | REST | MODES),
    (activation_based, "IzhikevichNode", IZHIKEVICH | REST | MODES),
    (activation_based, "KLIFNode", {"scale_reset": False} | LEAK | FIRE | MODES),
    (clock_driven, "BaseNode", FIRE),
    (clock_driven, "AdaptiveBaseNode", {"v_threshold": 1.0, "v_reset": 0.0} | ADAPT | REST),
    (clock_driven, "IFNode", FIRE | {"cupy_fp32_inference": False}),
    (clock_driven, "LIFNode", LEAK | FIRE | {"cupy_fp32_inference": False}),
    (clock_driven, "ParametricLIFNode", {"init_tau": 2.0, "decay_input": True} | FIRE),
    (clock_driven, "QIFNode", QIF | REST),
    (clock_driven, "EIFNode", EIF | REST),
    (clock_driven, "MultiStepIFNode", FIRE | LAVA),
    (clock_driven, "MultiStepLIFNode", LEAK | FIRE | LAVA),
    (
        clock_driven,
        "MultiStepParametricLIFNode",
        {"init_tau": 2.0, "decay_input": True} | FIRE | {"backend": "auto"},
    ),
    (clock_driven, "MultiStepEIFNode", EIF | REST | {"backend": "auto"}),
    (cext, "IFNode", NAMED),
    (cext, "LIFNode", {"tau": 100.0} | NAMED),
    (cext, "MultiStepIFNode", NAMED),
    (cext, "MultiStepLIFNode", {"tau": 100.0} | NAMED),
]
LAYERS = [
    (activation_based, "NeuNorm", "in_channels height width k shared_across_channels step_mode"),
    (activation_based, "Dropout", "p step_mode"),
    (activation_based, "Dropout2d", "p step_mode"),
    (activation_based, "SynapseFilter", "tau learnable step_mode"),
    (
        activation_based,
        "DropConnectLinear",
        "in_features out_features bias p samples_num invariant activation",
    ),
    (
        activation_based,
        "ElementWiseRecurrentContainer",
        "sub_module element_wise_function step_mode",
    ),
    (
        activation_based,
        "LinearRecurrentContainer",
        "sub_module in_features out_features bias step_mode",
    ),
    (activation_based, "ThresholdDependentBatchNorm2d", "alpha v_th args"),
    (activation_based, "TemporalWiseAttention", "T reduction dimension"),
    (
        activation_based,
        "MultiDimensionalAttention",
        "T C reduction_t reduction_c kernel_size",
    ),
    (activation_based, "VotingLayer", "voting_size step_mode"),
    (activation_based, "Delay", "delay_steps step_mode"),
    (
        activation_based,
        "Conv2d",
        "in_channels out_channels kernel_size stride padding dilation groups bias padding_mode",
    ),
    (activation_based, "Linear", "in_features out_features bias"),
    (activation_based, "BatchNorm2d", "num_features eps momentum affine track_running_stats"),
    (clock_driven, "MultiStepDropout", "p"),
    (clock_driven, "MultiStepDropout2d", "p"),
    (clock_driven, "MultiStepThresholdDependentBatchNorm1d", "alpha v_th args"),
    (clock_driven, "MultiStepThresholdDependentBatchNorm2d", "alpha v_th args"),
    (clock_driven, "MultiStepThresholdDependentBatchNorm3d", "alpha v_th args"),
    (clock_driven, "MultiStepTemporalWiseAttention", "T reduction dimension"),
    (clock_driven, "SynapseFilter", "tau learnable"),
]


def arguments(kind):
    own = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return {p.name: p.default for p in own}


@pytest.mark.parametrize(("package", "name", "expected"), NEURONS)
def test_neurons_take_the_releases_arguments(package, name, expected):
    own = arguments(getattr(package.neuron, name))
    assert list(own.items())[: len(expected)] == list(expected.items())


@pytest.mark.parametrize(("package", "name", "expected"), LAYERS)
def test_layers_take_the_releases_arguments(package, name, expected):
    own = list(arguments(getattr(package.layer, name)))
    assert own[: len(expected.split())] == expected.split()


def test_surrogates_have_the_releases_defaults():
    node = clock_driven.neuron.MultiStepIFNode()
    other = clock_driven.neuron.MultiStepIFNode()
    assert isinstance(node.surrogate_function, clock_driven.surrogate.Sigmoid)
    assert node.surrogate_function.alpha == 4.0
    assert node.surrogate_function is not other.surrogate_function
    defaults = {
        "ATan": 2.0,
        "Sigmoid": 4.0,
        "Erf": 2.0,
        "SoftSign": 2.0,
        "PiecewiseQuadratic": 1.0,
        "PiecewiseExp": 1.0,
        "NonzeroSignLogAbs": 1.0,
        "QPseudoSpike": 2.0,
    }
    for name, alpha in defaults.items():
        assert getattr(activation_based.surrogate, name)().alpha == alpha
    assert cext.neuron.MultiStepIFNode().surrogate_function.alpha == 2.0


@pytest.mark.parametrize("name", ["IFNode", "LIFNode", "ParametricLIFNode", "EIFNode"])
def test_sequences_have_a_subclass_of_their_own(name):
    neuron = clock_driven.neuron
    single, multi = getattr(neuron, name), getattr(neuron, f"MultiStep{name}")
    assert issubclass(multi, single)
    assert issubclass(single, neuron.BaseNode)
    assert (single().step_mode, multi().step_mode) == ("s", "m")
    assert isinstance(multi(), activation_based.neuron.BaseNode)


def test_extension_names_its_surrogates():
    with pytest.raises(ValueError, match="surrogate_function must be 'ATan' or 'Sigmoid', got"):
        cext.neuron.LIFNode(surrogate_function="Erf")
    node = cext.neuron.MultiStepLIFNode(2.0, surrogate_function="Sigmoid", alpha=3.0)
    assert (node.tau, node.step_mode, node.surrogate_function.alpha) == (2.0, "m", 3.0)
    assert isinstance(node.surrogate_function, activation_based.surrogate.Sigmoid)
