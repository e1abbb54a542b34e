"""Durations as text."""

import re
from typing import Any

from recpair.errors import ConfigError, shown

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: Any, key: str) -> float:
    """Return a time such as 90s, 30m or 2h in seconds.

    Raises:
        ConfigError: the text has another form.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(text).strip())
    if found is None or float(found[1]) == 0:
        raise ConfigError(f"{key} is {shown(text)}; expected a time such as 90s, 30m or 2h")
    return float(found[1]) * UNITS[found[2]]


def in_words(seconds: float) -> str:
    """Return a time in words: ``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
