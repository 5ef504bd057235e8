"""What is installed from a wheel, or from an sdist, is the whole package and nothing else."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from house.sources import ROOT, library

import spikeframe

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = sorted(name.removesuffix(".__init__") for name in library())
IMPORT_EVERYTHING = """
import importlib, importlib.metadata, sys
from pathlib import Path
target, names = Path(sys.argv[1]).resolve(), sys.argv[2:]
for name in names:
    module = importlib.import_module(name)
    assert Path(module.__file__).resolve().is_relative_to(target), (name, module.__file__)
assert "kernels" not in sys.modules
for script in importlib.metadata.distribution("spikeframe").entry_points:
    script.load()
print(importlib.metadata.version("spikeframe"))
"""


def python(*args, cwd, **env):
    """Runs this interpreter somewhere else; its output, or a failure that shows it."""
    done = subprocess.run(
        [sys.executable, *map(str, args)],
        cwd=cwd,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel of a clean copy, the sdist, and the wheel made from the sdist alone."""
    home = tmp_path_factory.mktemp("build")
    source = home / "source"
    for folder in ("spikeframe", "kernels"):
        shutil.copytree(
            ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    build = ("-m", "build", "--no-isolation", source, "--outdir")
    python(*build, home / "direct", "--wheel", cwd=home)
    shutil.rmtree(source / "build")
    python(*build, home / "sdist", cwd=home)
    return home


@pytest.fixture(scope="module", params=["direct", "sdist"])
def installed(request, built, tmp_path_factory):
    """A folder that holds the installed wheel."""
    (wheel,) = (built / request.param).glob("*.whl")
    target = tmp_path_factory.mktemp("installed")
    install = ("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target")
    python(*install, target, wheel, cwd=target)
    return target


def run_installed(installed, *args):
    """Without ``site`` (-S) no editable finder can lend a module that the wheel lacks."""
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    libraries |= {str(Path(package.__file__).parents[1]) for package in (np, torch)}
    path = os.pathsep.join([str(installed), *sorted(libraries)])
    return python("-S", *args, cwd=installed.parent, PYTHONPATH=path)


def test_packages_are_the_folders():
    listed = PROJECT["tool"]["setuptools"]["packages"]
    folders = [name.removesuffix(".__init__") for name in library() if name.endswith(".__init__")]
    assert listed == sorted(folders)


def test_wheel_holds_every_module_and_nothing_else(installed):
    files = {path.relative_to(installed) for path in installed.rglob("*.py")}
    names = {".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files}
    assert sorted(names) == MODULES
    assert (installed / "spikeframe" / "py.typed").is_file()
    assert not (installed / "kernels").exists()


def test_every_module_imports_from_the_wheel(installed):
    printed = run_installed(installed, "-c", IMPORT_EVERYTHING, installed, *MODULES)
    assert printed.split() == [spikeframe.__version__]


def test_command_runs_from_the_wheel(installed):
    assert "train" in run_installed(installed, "-m", "spikeframe", "--help")


def test_sdist_carries_both_folders(built):
    (sdist,) = (built / "sdist").glob("*.tar.gz")
    assert sdist.name == f"spikeframe-{spikeframe.__version__}.tar.gz"
    shutil.unpack_archive(sdist, built / "unpacked", filter="data")
    (root,) = (built / "unpacked").iterdir()
    for file in ("LICENSE", "README.md", "kernels/__init__.py", "spikeframe/__init__.py"):
        assert (root / file).is_file()


def test_versions_agree():
    version = re.escape(spikeframe.__version__)
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^version: {version}$", citation, re.MULTILINE)
    assert re.search(rf"^## .*{version}", changelog, re.MULTILINE)


def test_pre_commit_runs_the_pinned_ruff():
    (pinned,) = re.findall(r"^ruff==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.search(rf"ruff-pre-commit\n\s+rev: v{re.escape(pinned)}\n", hooks)
