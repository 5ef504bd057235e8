"""Fills the pieces of a kernel into its text."""

from collections.abc import Mapping, Sequence

__all__ = ["filled", "indented"]


def filled(text: str, pieces: Mapping[str, str]) -> str:
    """The text with each ``@NAME@`` replaced by the piece of that name."""
    for name, piece in pieces.items():
        text = text.replace(f"@{name}@", piece)
    return text


def indented(lines: Sequence[str], spaces: int) -> str:
    """Lines of code below one another."""
    return "\n".join(" " * spaces + line for line in lines)
