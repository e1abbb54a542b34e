"""Hardening: which of several candidate negatives a query trains against, by their scores."""

from collections.abc import Callable

from recpair.hardening.contract import Hardener
from recpair.hardening.dns import DNS

HARDENERS: dict[str, Callable[..., Hardener]] = {
    "dns": DNS,
}

__all__ = ["HARDENERS", "Hardener"]
