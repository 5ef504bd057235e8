"""The text of a program and its strict reader."""

import dataclasses
import random

import pytest
from cases import NEURONS, RESETS, SURROGATES
from foreign_neurons import FOREIGN
from spikeframe.kernels.cache import traced
from spikeframe.kernels.parse import parse
from spikeframe.kernels.program import Code

from spikeframe import neuron


def programs():
    rows = [(case, {"v_reset": r, "detach_reset": d}, 1) for case in NEURONS for r, d in RESETS]
    rows += [(neuron.LIFNode, {"surrogate_function": case.make()}, 1) for case in SURROGATES]
    rows += [(build, {}, n) for _, build, n in FOREIGN]
    for make, options, n in rows:
        known = traced(make(**options), n)
        if known.trace is None:
            continue
        everything = tuple(range(len(known.trace.parameters)))
        for sequences in ((), (0,)):
            for wanted in (None, (), everything):
                for rounded in (False, True):
                    yield known.program(sequences, wanted, rounded)


def lif(**options):
    return traced(neuron.LIFNode(**options)).program((), ())


def test_every_program_comes_back():
    count = 0
    for program in programs():
        again = parse(program.text)
        assert repr(again) == repr(program)
        count += 1
    assert count > 500


def test_numbers_come_back_bit_by_bit():
    program = lif()
    numbers = (0.1, -0.0, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"), 1e16, 5e-324)
    for number in numbers:
        code = Code(program.forward.lines, (number, *program.forward.results[1:]))
        changed = dataclasses.replace(program, forward=code)
        assert repr(parse(changed.text)) == repr(changed)


def test_a_changed_text_is_another_program_or_none():
    generator = random.Random(0)
    texts = [program.text for program in programs()][::7]
    letters = "0123456789.-+ \n=,abcdefgkpstvx"
    refused = 0
    for _ in range(3000):
        text = generator.choice(texts)
        i, j = generator.randrange(len(text)), generator.randrange(len(text))
        changed = [
            text[:i] + text[i + 1 :],
            text[:i] + generator.choice(letters) + text[i + 1 :],
            text[:i] + generator.choice(letters) + text[i:],
            text[:i],
            text[: min(i, j)] + text[max(i, j) :],
            text + text[i:],
            "\n".join(generator.sample(text.split("\n"), text.count("\n") + 1)),
        ][generator.randrange(7)]
        complaint = None
        try:
            assert parse(changed).text == changed
        except ValueError as error:
            complaint = str(error)
        assert complaint is None or complaint.startswith("the text of a program")
        refused += complaint is not None
    assert refused > 2500


HEADER = (
    "spikeframe-program-1 inputs=1 states=1 parameters=1 outputs=1 saved=value "
    "saved_inputs= differentiated=0"
)
FORWARD = "forward\nt0 add v0 x0\nt1 ge t0 p0\nt2 float t1\nreturn t2 t0 t0"
BACKWARD = "backward\nt0 mul g0 k0\nreturn t0 c0 t0"
GOOD = f"{HEADER}\n{FORWARD}\n{BACKWARD}"


def test_the_text_to_spoil_is_good():
    assert parse(GOOD).text == GOOD


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("program-1", "program-2", "starts with 'spikeframe-program-2': .* reads 'spikeframe-"),
        (" saved_inputs=", "", "needs the fields inputs, states"),
        ("states=1", "states=01", "counts '01'"),
        ("states=1", "states=99999", "counts '99999'"),
        ("inputs=1", "inputs=0", "needs an input"),
        ("outputs=1", "outputs=3", "needs an input, and the spike"),
        ("saved=value", "saved=number", "saves 'number'"),
        ("differentiated=0", "differentiated=1", "lists 1, which are not numbers below 1"),
        ("saved=value", "saved=value,value", "returns 3 results where its header counts 4"),
        ("saved=value", "saved=bit", "reads t0, a value, as a bit"),
        ("forward", "backward", "should say 'forward' here"),
        ("backward", "forward", "should say 'backward' here"),
        ("t1 ge", "t0 ge", "defines t0 twice"),
        ("t1 ge", "p0 ge", "has a line that is no operation"),
        ("t1 ge t0 p0", "t1", "has a line that is no operation"),
        ("t1 ge", "t1 system", "uses the unknown operation 'system'"),
        ("t1 ge", "t1 spike", "uses the unknown operation 'spike'"),
        ("ge t0 p0", "ge t0 p0 p0", "gives ge 3 operands instead of 2"),
        ("ge t0 p0", "ge t0 p1", "reads p1, which is not defined there"),
        ("ge t0 p0", "ge t2 p0", "reads t2, which is not defined there"),
        ("add v0 x0", "add v0 g0", "reads g0, which is not defined there"),
        ("mul g0 k0", "mul g0 x0", "reads x0, which is not defined there"),
        ("mul g0 k0", "mul g0 v0", "reads v0, which is not defined there"),
        ("float t1", "float t0", "reads t0, a value, as a bit"),
        ("add v0 x0", "add v0 0x1", "reads 0x1, which is not defined"),
        ("add v0 x0", "add v0 1", "is not written as spikeframe writes it"),
        ("return t2 t0 t0", "return t2 t1 t0", "reads t1, a bit, as a value"),
        (f"\n{BACKWARD}", "", "saves or differentiates without a backward"),
        ("return t0 c0 t0", "return t0 c0 t0\n", "has lines after its end"),
        ("\nreturn t0 c0 t0", "", "ends too early"),
    ],
)
def test_what_is_wrong_is_said(old, new, complaint):
    assert old in GOOD
    with pytest.raises(ValueError, match=f"the text of a program {complaint}"):
        parse(GOOD.replace(old, new, 1))
