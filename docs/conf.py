"""Sphinx settings: Markdown pages, and API pages from the docstrings."""

import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import gallery

project = "spikeframe"
author = "The spikeframe authors"
copyright = "The spikeframe authors"
version = release = installed_version("spikeframe")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"spikeframe {release}"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
# A page shows what __all__ names, wherever it is defined.
autosummary_ignore_module_all = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88

napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Shape", "params_style"), ("State", "params_style"), "Errors"]

# The star of [T, N, *] is "any further dimensions"; reST would read it as emphasis.
SHAPE = re.compile(r"(?<=, )\*(?=[\]),])|(?<=[\[(])\*(?=[\]),])")
# Roles and literals keep their text.
QUOTED = re.compile(r"(`+[^`]+`+)")


def escape_shapes(app, what, name, obj, options, lines):
    """Escapes the stars of shapes, outside formulas, literals and examples."""
    inside = None
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if line.strip() and inside is not None and indent <= inside:
            inside = None
        if inside is None and not line.lstrip().startswith((">>>", "...")):
            parts = QUOTED.split(line)
            parts[::2] = [SHAPE.sub(r"\\*", part) for part in parts[::2]]
            lines[i] = "".join(parts)
        if line.lstrip().startswith(".. math::") or line.rstrip().endswith("::"):
            inside = indent


def keep_colons(app, what, name, obj, options, lines):
    """Napoleon reads "words: text" atop a property as its type; an empty comment shields it."""
    if what == "property":
        lines[:0] = ["..", ""]


def show_public_bases(app, name, obj, options, bases):
    """A private base is a detail of ours."""
    bases[:] = [base for base in bases if not base.__name__.startswith("_")]


def draw_gallery(app):
    """The figures of gallery.md, which are no part of the repository."""
    gallery.draw(Path(app.srcdir) / gallery.FOLDER)


def setup(app):
    """The docstring hooks run before napoleon (priority 500) turns the sections into reST."""
    app.connect("autodoc-process-docstring", escape_shapes, priority=400)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    app.connect("autodoc-process-bases", show_public_bases)
    app.connect("builder-inited", draw_gallery)
