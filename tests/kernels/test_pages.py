"""New memory in large pages."""

import resource
import sys

import pytest
import torch
from spikeframe.kernels import pages
from spikeframe.kernels.layout import Layout


def faults(make):
    """The pages that are met for the first time where a tensor is made and filled."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    make().zero_()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def has_large_pages():
    try:
        with open("/sys/kernel/mm/transparent_hugepage/enabled") as file:
            return "[never]" not in file.read()
    except OSError:
        return False


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not has_large_pages(), reason="no large pages here"
)
def test_a_large_sequence_meets_few_pages():
    x_seq = torch.empty(1, 1).expand(4, pages.LARGE // 16)
    layout = Layout(x_seq)
    small = faults(lambda: torch.empty(pages.LARGE // 4))
    assert small > 1000
    assert faults(layout.sequence) < small / 2


def test_values_stay_and_small_tensors_are_left_alone(monkeypatch):
    asked = []
    monkeypatch.setattr(pages, "advice", lambda: lambda *given: asked.append(given))
    small = torch.rand(1000)
    assert pages.in_large_pages(small) is small
    assert pages.in_large_pages(torch.empty(2**26, device="meta")).device.type == "meta"
    assert not asked
    large = torch.full((pages.LARGE // 4 + 3,), 3.0)
    assert pages.in_large_pages(large) is large
    assert bool((large == 3).all())
    ((start, size, _),) = asked
    assert large.data_ptr() <= start
    assert start + size <= large.data_ptr() + large.nbytes
    assert start % 2**21 == size % 2**21 == 0 < size


def test_where_the_system_has_none_nothing_changes(monkeypatch):
    monkeypatch.setattr(pages, "advice", lambda: None)
    large = torch.empty(pages.LARGE // 4)
    assert pages.in_large_pages(large) is large
