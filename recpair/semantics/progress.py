"""Progress of the parts of the semantic stage."""

from collections.abc import Callable

Report = Callable[[str, int, int], None]  # task, amount done, total amount


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""
