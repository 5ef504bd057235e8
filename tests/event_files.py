"""Writers of tiny event data sets in their true on-disk formats."""

import struct

import numpy as np
from recordings import recording

__all__ = [
    "CIFAR_CLASSES",
    "aedat2_bytes",
    "aedat31_bytes",
    "atis_bytes",
    "write_cifar10_dvs",
    "write_gesture",
    "write_heidelberg",
    "write_n_mnist",
    "write_npz",
]

CIFAR_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


def atis_bytes(events):
    """40 bits an event: x, y, then the polarity's bit before 23 bits of time."""
    time = events["t"].astype(np.uint32)
    columns = (
        events["x"],
        events["y"],
        events["p"] << 7 | time >> 16,
        time >> 8 & 255,
        time & 255,
    )
    return np.stack(columns, axis=1).astype(np.uint8).tobytes()


def aedat2_bytes(events, header=b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n"):
    """Big-endian pairs of address and time; the address counts x and y from the far corner."""
    words = np.empty((len(events), 2), ">u4")
    x, y, p = (events[name].astype(np.uint32) for name in "xyp")
    words[:, 0] = (127 - x) << 8 | (127 - y) << 1 | (1 - p)
    words[:, 1] = events["t"]
    return header + words.tobytes()


def packet(events, *, overflow=0, spare=0, kind=1):
    """A packet of AEDAT 3.1: 28 bytes of header, then little-endian pairs of data and time."""
    words = np.zeros((len(events) + spare, 2), "<u4")
    x, y, p = (events[name].astype(np.uint32) for name in "xyp")
    words[: len(events), 0] = x << 17 | y << 2 | p << 1 | 1
    words[: len(events), 1] = events["t"] & 0x7FFFFFFF
    n = len(events)
    return struct.pack("<HHIIIIII", kind, 1, 8, 4, overflow, n + spare, n, n) + words.tobytes()


def aedat31_bytes(events, per_packet=200):
    header = (
        b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n"
        b"#Start-Time: 2016-01-01 00:00:00 (TZ+0100)\r\n#!END-HEADER\r\n"
    )
    parts = (events[i : i + per_packet] for i in range(0, len(events), per_packet))
    return header + b"".join(map(packet, parts))


def write_npz(path, events):
    """As SpikingJelly keeps them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: events[name].astype(np.int64) for name in "txyp"})


def write_n_mnist(root, per_class=2, n=300):
    """Train and Test as they are unpacked; return the events by path below root."""
    written = {}
    for part in ("Train", "Test"):
        for label in range(10):
            folder = root / part / str(label)
            folder.mkdir(parents=True)
            for i in range(per_class):
                seed = len(written)
                events = recording(n, (2, 34, 34), span=300_000, seed=seed)
                # A bar of the class's own, so that a net has something to learn.
                events["x"][: n // 2] = 3 * label + events["x"][: n // 2] % 3
                (folder / f"{i + 1:05d}.bin").write_bytes(atis_bytes(events))
                written[f"{part}/{label}/{i + 1:05d}.bin"] = events
    return written


def write_cifar10_dvs(root, per_class=11, n=60):
    """A folder per class; names count without leading zeros. Returns events by file name."""
    written = {}
    for name in CIFAR_CLASSES:
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            events = recording(n, (2, 128, 128), span=10**6, seed=len(written))
            (root / name / f"cifar10_{name}_{i}.aedat").write_bytes(aedat2_bytes(events))
            written[f"cifar10_{name}_{i}"] = events
    return written


def write_gesture(root, users=3, n=1100):
    """As DvsGesture is unpacked: the last person is the test's. Returns events by file name."""
    root.mkdir(parents=True, exist_ok=True)
    written = {}
    names = [f"user{i + 1:02d}_led" for i in range(users)]
    for i, name in enumerate(names):
        events = recording(n, (2, 128, 128), span=1_100_000, seed=i, start=5_000_000)
        rows = "".join(
            f"{c},{5_000_000 + (c - 1) * 100_000},{5_000_000 + c * 100_000 - 7}\n"
            for c in range(1, 12)
        )
        (root / f"{name}.aedat").write_bytes(aedat31_bytes(events))
        (root / f"{name}_labels.csv").write_text("class,startTime_usec,endTime_usec\n" + rows)
        written[name] = events
    train, test = names[:-1], names[-1:]
    (root / "trials_to_train.txt").write_text("".join(f"{name}.aedat\n" for name in train))
    (root / "trials_to_test.txt").write_text("".join(f"{name}.aedat\n" for name in test))
    return written


def write_heidelberg(path, n=40, classes=20, keys=True):
    """HDF5 with float16 seconds; returns the times and units of each recording."""
    import h5py

    rng = np.random.default_rng(n)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        spikes = file.create_group("spikes")
        times = spikes.create_dataset("times", (n,), h5py.vlen_dtype(np.float16))
        units = spikes.create_dataset("units", (n,), h5py.vlen_dtype(np.uint16))
        for i in range(n):
            size = 80 + i
            times[i] = np.sort(rng.random(size) * 1.3).astype(np.float16)
            # Each class in its own channels.
            units[i] = (35 * (i % classes) % 690 + rng.integers(0, 10, size)).astype(np.uint16)
        file["labels"] = (np.arange(n) % classes).astype(np.uint16)
        extra = file.create_group("extra")
        extra["speaker"] = np.zeros(n, np.uint16)
        if keys:
            extra["keys"] = np.array([f"word {i}".encode() for i in range(classes)])
        return [(times[i], units[i]) for i in range(n)]
