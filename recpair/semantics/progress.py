"""How far a part of the semantic stage is."""

from collections.abc import Callable

Report = Callable[[str, int, int], None]  # what is done, how much of it so far, how much in all


def silent(what: str, done: int, total: int) -> None:
    """Tells nobody."""
