"""Nets in formats that other tools read: NIR, the intermediate representation of many of them."""

from .nir_export import to_nir
from .nir_import import NIRNet, from_nir

__all__ = ["NIRNet", "from_nir", "to_nir"]
