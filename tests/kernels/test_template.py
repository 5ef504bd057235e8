"""Pieces are filled into the text of a kernel."""

from spikeframe.kernels.template import filled, indented


def test_every_place_of_a_piece_is_filled():
    text = filled("@A@ {\n@B@\n} @A@ @C@", {"B": "  @A@;", "A": "a"})
    assert text == "a {\n  a;\n} a @C@"


def test_lines_are_indented():
    assert indented(["a;", "b;"], 2) == "  a;\n  b;"
    assert indented([], 4) == ""
