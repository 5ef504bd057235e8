"""Runs the python blocks of one Markdown page, in order and in one namespace.

A block that starts with ``>>>`` is a doctest: what it prints is compared. Tracebacks and failures
name the page and its line.
"""

import doctest
import re
import sys
import warnings
from pathlib import Path

BLOCK = re.compile(r"^```(?:python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(text: str) -> list[tuple[int, str]]:
    """Each block with the number of lines above it."""
    return [(text.count("\n", 0, m.start(1)), m.group(1)) for m in BLOCK.finditer(text)]


def run(page: Path) -> int:
    """The number of blocks that ran."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    found = blocks(page.read_text(encoding="utf-8"))
    for above, source in found:
        if source.lstrip().startswith(">>>"):
            _compare(source, above, page, namespace)
        else:
            exec(compile("\n" * above + source, str(page), "exec"), namespace)
    return len(found)


def _compare(source: str, above: int, page: Path, namespace: dict[str, object]) -> None:
    test = doctest.DocTestParser().get_doctest(source, {}, page.name, str(page), above)
    test.globs = namespace
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(test, clear_globs=False)
    if runner.failures:
        sys.exit(1)


if __name__ == "__main__":
    warnings.simplefilter("error")
    # torch's own, of how its compiler follows an autograd.Function.
    warnings.filterwarnings("ignore", ".*autograd.*should not be instantiated", DeprecationWarning)
    warnings.filterwarnings("ignore", "The .grad attribute of a Tensor", UserWarning)
    print(run(Path(sys.argv[1])))
