"""Step modes are 's' or 'm', and a module that serves one says so."""

import pytest

from spikeframe import base, neuron


class Single(base.SingleStepModule):
    """Serves 's' only."""


class Multi(base.MultiStepModule):
    """Serves 'm' only."""


@pytest.mark.parametrize("typo", ["S", "multi", "", None, 1])
def test_typos_name_what_is_allowed(typo):
    node = neuron.IFNode()
    with pytest.raises(ValueError, match=f"step_mode must be 's' or 'm', got {typo!r}"):
        node.step_mode = typo
    assert node.step_mode == "s"
    with pytest.raises(ValueError, match="step_mode must be 's' or 'm'"):
        neuron.LIFNode(step_mode=typo)


def test_modules_of_one_mode_say_so():
    assert Single().step_mode == "s"
    assert Multi().step_mode == "m"
    with pytest.raises(ValueError, match="Single supports step_mode 's' only, got 'm'"):
        Single().step_mode = "m"
    with pytest.raises(ValueError, match="Multi supports step_mode 'm' only, got 's'"):
        Multi().step_mode = "s"
