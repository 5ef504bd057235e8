import os
import pickle
import struct

import numpy as np
import pytest

from spikeframe.data import DataError
from spikeframe.data.pickles import read_pickle


class Call:
    """Pickles as a call of any function with any arguments."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_read_pickle_returns_arrays_exactly(protocol, order):
    values = np.asarray(np.arange(256, dtype=np.uint8).reshape(2, 128), order=order)
    loaded = read_pickle("x", pickle.dumps({"k": [values, 3, "text"]}, protocol=protocol))
    array, number, text = loaded["k"]
    assert np.array_equal(array.to_numpy(), values)
    assert (number, text) == (3, "text")


def test_read_pickle_runs_no_named_function(tmp_path):
    sign = tmp_path / "ran"
    content = pickle.dumps({"data": Call(os.mkdir, str(sign))}, protocol=2)
    pickle.loads(content)
    assert sign.exists()
    sign.rmdir()
    with pytest.raises(DataError, match=rf"batch is refused: .*asks for '{os.name}\.mkdir'"):
        read_pickle("batch", content)
    assert not sign.exists()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", r"os\.system"),
        (b"(S'true'\nios\nsystem\n.", r"os\.system"),
        (b"c__builtin__\neval\n(S'1'\ntR.", r"__builtin__\.eval"),
        (b"cnumpy\nload\n.", r"numpy\.load"),
        (b"cnumpy.core.multiarray\nscalar\n.", r"numpy\.core\.multiarray\.scalar"),
        (b"c_codecs\ndecode\n.", r"_codecs\.decode"),
        (b"\x80\x04\x8c\x02\n\x1b\x8c\x01x\x93.", r"\\n\\x1b\.x"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93.", r"numpy\.ndarray\.dumps"),
    ],
)
def test_read_pickle_refuses_global_by_name(content, name):
    with pytest.raises(DataError, match=f"batch is refused: .*asks for '{name}', and only numpy"):
        read_pickle("batch", content)


def test_read_pickle_encodes_latin1_alone():
    content = b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R."
    with pytest.raises(DataError, match="encoded as 'rot13'"):
        read_pickle("batch", content)


def test_read_pickle_makes_no_array_of_another_class():
    content = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\n\x85R."
    with pytest.raises(DataError, match="an array of an unknown class"):
        read_pickle("batch", content)


def test_read_pickle_allocates_nothing_on_a_claim():
    shape = b"(" + b"J" + struct.pack("<i", 2**31 - 1) + b"J" + struct.pack("<i", 2**31 - 1) + b"t"
    content = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + shape + b"\x86R."
    with pytest.raises(ValueError, match="not an array of unsigned bytes"):
        read_pickle("batch", content).to_numpy()


def test_read_pickle_does_not_open_persistent_ids():
    with pytest.raises(DataError, match="persistent"):
        read_pickle("batch", b"Pevil\n.")


def test_read_pickle_reports_every_cut():
    content = pickle.dumps({"data": np.zeros((1, 7), np.uint8), "labels": [1]}, protocol=2)
    for size in range(len(content)):
        with pytest.raises(DataError, match=r"x is damaged: at byte \d+ .*pickle of byte arrays"):
            read_pickle("x", content[:size])


@pytest.mark.parametrize(
    "values", [np.zeros(3), np.zeros(3, np.int8), np.zeros(3, np.uint16), np.array([{}])]
)
def test_to_numpy_refuses_other_types(values):
    array = read_pickle("x", pickle.dumps(values, protocol=2))
    with pytest.raises(ValueError, match="not an array of unsigned bytes"):
        array.to_numpy()
