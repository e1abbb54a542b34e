"""Semantics: text of items, its vectors, and what is near to what."""

from recpair.semantics.retrieved import Retrieved

__all__ = ["Retrieved"]
