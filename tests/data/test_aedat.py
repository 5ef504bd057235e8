import gzip

import numpy as np
import pytest
from event_files import aedat2_bytes, aedat31_bytes, packet
from recordings import recording

from spikeframe.data import DataError
from spikeframe.data.aedat import read_aedat2, read_aedat31, stream_aedat2, stream_aedat31

HEADER = aedat31_bytes(recording(0, span=0)[:0])


@pytest.fixture
def events():
    return recording(701, (2, 128, 128), span=10**6)


def write(folder, content):
    path = folder / "clip.aedat"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("spell", "read"), [(aedat2_bytes, read_aedat2), (aedat31_bytes, read_aedat31)]
)
def test_read_returns_what_was_written(tmp_path, events, spell, read, packed):
    content = spell(events)
    path = write(tmp_path, gzip.compress(content) if packed else content)
    assert np.array_equal(read(path), events)


@pytest.mark.parametrize(
    ("spell", "stream"), [(aedat2_bytes, stream_aedat2), (aedat31_bytes, stream_aedat31)]
)
@pytest.mark.parametrize("longest", [1, 100, 5000])
def test_parts_join_to_the_whole(tmp_path, events, spell, stream, longest):
    parts = list(stream(write(tmp_path, spell(events)), longest))
    assert np.array_equal(np.concatenate(parts), events)
    # A packet of AEDAT 3.1, of 200 events here, stays whole.
    assert max(map(len, parts)) < longest + 200


@pytest.mark.parametrize(
    ("spell", "read"), [(aedat2_bytes, read_aedat2), (aedat31_bytes, read_aedat31)]
)
def test_events_out_of_order_are_sorted(tmp_path, events, spell, read):
    shuffled = events[np.random.default_rng(0).permutation(len(events))]
    expected = shuffled[np.argsort(shuffled["t"], kind="stable")]
    assert np.array_equal(read(write(tmp_path, spell(shuffled))), expected)


def test_aedat2_bits_lie_where_jaer_says(tmp_path):
    content = b"#!AER-DAT2.0\r\n" + bytes([0, 0, 0b0000_0011, 0b0000_0100, 0, 0, 1, 2])
    assert read_aedat2(write(tmp_path, content)).tolist() == [(258, 124, 125, 1)]


@pytest.mark.parametrize(
    "header", [b"#!AER-DAT2.0\r\n", b"#!AER-DAT2.0\n#a\n#\n# End Of Header\n"]
)
def test_aedat2_headers_have_any_number_of_lines(tmp_path, events, header):
    path = write(tmp_path, aedat2_bytes(events, header))
    assert np.array_equal(read_aedat2(path), events)
    assert len(read_aedat2(write(tmp_path, header))) == 0


def test_aedat2_leaves_out_what_is_no_pixel(tmp_path, events):
    outside = np.array([1 << 15, events["t"][-1]], ">u4").tobytes()
    path = write(tmp_path, aedat2_bytes(events) + outside)
    assert np.array_equal(read_aedat2(path), events)


@pytest.mark.parametrize("longest", [3, 5000])
def test_aedat2_truncated_is_named_with_its_offset(tmp_path, events, longest):
    content = aedat2_bytes(events)
    path = write(tmp_path, content[:-3])
    match = f"{path} is damaged: at byte {len(content) - 8}, expected an event of 8 bytes, found 5"
    with pytest.raises(DataError, match=match):
        list(stream_aedat2(path, longest))


def test_aedat31_reads_only_valid_polarity_events(tmp_path, events):
    first, second = events[:300], events[300:]
    other = packet(events[:9], kind=0)
    invalid = bytearray(packet(events[:1]))
    invalid[28] &= 0xFE
    content = HEADER + packet(first, spare=5) + other + bytes(invalid) + packet(second)
    assert np.array_equal(read_aedat31(write(tmp_path, content)), events)


def test_aedat31_times_have_more_than_31_bits(tmp_path, events):
    late = events.copy()
    late["t"] += 5 << 31
    assert np.array_equal(read_aedat31(write(tmp_path, HEADER + packet(events, overflow=5))), late)


@pytest.mark.parametrize(
    ("cut", "text"),
    [
        (1, r"at byte {data}, expected 5608 bytes of events, found 5607 bytes"),
        (5608, r"at byte {data}, expected 5608 bytes of events, found 0 bytes"),
        (5609, r"at byte {head}, expected a packet's header of 28 bytes, found 27 bytes"),
    ],
)
def test_aedat31_truncated_is_named_with_its_offset(tmp_path, events, cut, text):
    content = HEADER + packet(events)
    path = write(tmp_path, content[:-cut])
    match = text.format(head=len(HEADER), data=len(HEADER) + 28)
    with pytest.raises(DataError, match=f"{path} is damaged: {match}"):
        read_aedat31(path)


@pytest.mark.parametrize(
    ("position", "value", "found"),
    [(4, 9, "701 events of 9 bytes"), (16, 0, "701 events of 8 bytes in a packet for 512")],
)
def test_aedat31_wrong_header_is_named(tmp_path, events, position, value, found):
    content = bytearray(HEADER + packet(events))
    content[len(HEADER) + position] = value
    with pytest.raises(DataError, match=f"at byte {len(HEADER)}, .*, found {found}"):
        read_aedat31(write(tmp_path, bytes(content)))


def test_aedat31_size_that_is_not_there_costs_no_memory(tmp_path, events):
    content = bytearray(HEADER + packet(events))
    content[len(HEADER) + 16 : len(HEADER) + 20] = b"\xff\xff\xff\xff"
    with pytest.raises(DataError, match="expected 34359738360 bytes of events, found 5608 bytes"):
        read_aedat31(write(tmp_path, bytes(content)))


@pytest.mark.parametrize("read", [read_aedat2, read_aedat31])
@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"#!AER-DAT4.0\r\n"])
def test_other_files_are_refused(tmp_path, read, content):
    path = write(tmp_path, content)
    with pytest.raises(DataError, match=rf"{path} is damaged: at byte 0, expected '#!AER-DAT"):
        read(path)
