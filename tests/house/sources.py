"""The project's source files under the names they are installed as."""

from pathlib import Path

__all__ = ["ROOT", "installed_name", "library", "outside"]

ROOT = Path(__file__).resolve().parents[2]


def installed_name(path: Path) -> str:
    """kernels/eager.py is spikeframe.kernels.eager; a package's own file keeps ``.__init__``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("spikeframe", *parts) if parts[0] == "kernels" else parts)


def library() -> dict[str, str]:
    """Every module of the package."""
    return _texts("spikeframe", "kernels")


def outside() -> dict[str, str]:
    """Every script that uses the package as others do."""
    return _texts("tests", "benchmarks", "tutorials")


def _texts(*folders: str) -> dict[str, str]:
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {installed_name(path): path.read_text(encoding="utf-8") for path in files}
