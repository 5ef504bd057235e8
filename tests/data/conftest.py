"""Writers of tiny files in the true on-disk formats."""

import gzip
import pickle
import struct

import numpy as np
import pytest

CIFAR_NAMES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")


def idx_bytes(values):
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + values.tobytes()


def _write_mnist(folder, *, packed=False, seed=0):
    """Write 5 training and 3 test images of 4 x 6 pixels; return the arrays by file name."""
    rng = np.random.default_rng(seed)
    arrays = {
        "train-images-idx3-ubyte": rng.integers(0, 256, (5, 4, 6), np.uint8),
        "train-labels-idx1-ubyte": rng.integers(0, 10, 5, np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (3, 4, 6), np.uint8),
        "t10k-labels-idx1-ubyte": rng.integers(0, 10, 3, np.uint8),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in arrays.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(values)))
        else:
            (folder / name).write_bytes(idx_bytes(values))
    return arrays


@pytest.fixture
def write_mnist():
    return _write_mnist


@pytest.fixture
def cifar_arrays():
    """Six batches of 2 images: pixels [2, 3072] and labels [2], by published name."""
    rng = np.random.default_rng(0)
    return {
        name: (rng.integers(0, 256, (2, 3072), np.uint8), rng.integers(0, 10, 2, np.uint8))
        for name in CIFAR_NAMES
    }


@pytest.fixture
def cifar_binary(cifar_arrays):
    """The six files of the binary version: one byte of label, 3072 of pixels per record."""
    return {
        f"{name}.bin": np.column_stack([labels, pixels]).tobytes()
        for name, (pixels, labels) in cifar_arrays.items()
    }


def python2_batch(pixels, labels):
    """Spell a batch as Python 2 and numpy 1 pickled it: byte strings, numpy.core, protocol 2."""

    def text(value):
        return b"U" + bytes([len(value)]) + value

    count = len(labels)
    listed = b"](" + b"".join(b"K" + bytes([int(label)]) for label in labels) + b"e"
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R"
    dtype += b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    raw = b"T" + struct.pack("<i", pixels.size) + pixels.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b")
    array += (
        b"\x87R(K\x01" + b"K" + bytes([count]) + b"M\x00\x0c\x86" + dtype + b"\x89" + raw + b"tb"
    )
    name = text(b"batch_label") + text(b"training batch 1 of 5")
    entries = name + text(b"labels") + listed + text(b"data") + array
    return b"\x80\x02}(" + entries + b"u."


def python3_batch(pixels, labels, key=str, protocol=2):
    batch = {
        key("data"): pixels,
        key("labels"): labels.tolist(),
        key("filenames"): ["a.png", "b.png"],
    }
    return pickle.dumps(batch, protocol=protocol)


SPELLINGS = {
    "python2": python2_batch,
    "str": python3_batch,
    "bytes": lambda pixels, labels: python3_batch(pixels, labels, key=str.encode),
    "protocol 4": lambda pixels, labels: python3_batch(pixels, labels, protocol=4),
}


@pytest.fixture(params=SPELLINGS)
def spell_batch(request):
    """Every way in which a batch is pickled in the wild."""
    return SPELLINGS[request.param]


@pytest.fixture
def pickle_batch():
    return python3_batch
