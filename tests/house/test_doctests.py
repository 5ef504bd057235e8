"""The examples in the docstrings are true, in every module as it is installed."""

import doctest
import importlib
import warnings

import pytest
import torch
from house.sources import library

MODULES = sorted(
    name.removesuffix(".__init__") for name in library() if not name.endswith(".__main__")
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples(module):
    """The tests of one module; imported names belong to the module that defines them."""
    found = doctest.DocTestFinder(exclude_empty=True).find(module)
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    for test in examples(importlib.import_module(name)):
        torch.manual_seed(0)
        with warnings.catch_warnings(action="error"):
            runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def test_there_are_examples():
    counts = [len(examples(importlib.import_module(name))) for name in MODULES]
    assert sum(counts) > 0


def test_a_wrong_example_fails():
    finder = doctest.DocTestParser()
    wrong = finder.get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(wrong, out=lambda _: None)
    assert runner.failures == 1
