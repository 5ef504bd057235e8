"""What the README, the documentation and the tutorials show runs as it is printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from house.sources import ROOT

RUN_PAGE = Path(__file__).with_name("run_page.py")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TUTORIALS = sorted((ROOT / "tutorials").glob("*.py"))
MINUTES = 5


def execute(script, *args, cwd):
    """A script in a new interpreter and an empty folder, every warning an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(script), *map(str, args)],
        cwd=cwd,
        env=os.environ | {"MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=60 * MINUTES,
        check=False,
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_runs(page, tmp_path):
    done = execute(RUN_PAGE, page, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    fences = sum(
        line.rstrip() in {"```python", "```pycon"} for line in page.read_text().splitlines()
    )
    assert done.stdout.split()[-1] == str(fences)


@pytest.mark.slow
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda tutorial: tutorial.name)
def test_tutorial_runs(tutorial, tmp_path):
    done = execute(tutorial, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip(), "a tutorial prints what it shows"


def test_readme_shows_python():
    assert "```python\n" in (ROOT / "README.md").read_text()


def test_tutorials_are_there():
    assert TUTORIALS


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("```python\nx = 1\n```\n\n```python\nx + y\n```\n", 'page.md", line 6'),
        ("```python\nx = 1\n```\n\n```pycon\n>>> x\n2\n```\n", 'page.md", line 6'),
        ("```python\nimport warnings\nwarnings.warn('old')\n```\n", "UserWarning: old"),
        ("```python\n>>> 1 + 1\n3\n```\n", "Expected:"),
    ],
    ids=["name", "output", "warning", "doctest in python"],
)
def test_a_wrong_page_fails(page, complaint, tmp_path):
    (tmp_path / "page.md").write_text(page)
    done = execute(RUN_PAGE, tmp_path / "page.md", cwd=tmp_path)
    assert done.returncode != 0
    assert complaint in done.stdout + done.stderr


def test_blocks_share_a_namespace_and_other_languages_are_text(tmp_path):
    page = "```sh\nmake test\n```\n```python\nx = 1\n```\ntext\n```pycon\n>>> x\n1\n```\n"
    (tmp_path / "page.md").write_text(page)
    assert execute(RUN_PAGE, tmp_path / "page.md", cwd=tmp_path).stdout == "2\n"
