"""Removal of passwords and tokens in URLs from everything that is printed or stored."""

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"
# scheme://user:password@; a port is not a password. Up to the last @, as passwords hold unescaped ones.
_PASSWORD = re.compile(r"(?P<head>\w[\w+.-]*://[^\s/:@?#'\"]*:)(?!\d+(?:[/?#]|$))[^\s'\"]*(?=@)")
_USER = re.compile(r"(?P<head>https?://)[^\s/:@?#'\"]+(?=@)")  # a token instead of a user
_PARAMETER = re.compile(
    r"(?P<head>[?&;](?:[\w.-]*(?:pass|pwd|secret|token|credential|signature|auth|api_?-?key)[\w.-]*|key|sig|sas)=)"
    r"[^&#;\s'\"]*",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """Return the text with ``***`` in place of passwords and tokens in URLs (user information and query parameters)."""
    if "://" not in text and "=" not in text:
        return text
    for pattern in (_PASSWORD, _USER, _PARAMETER):
        text = pattern.sub(rf"\g<head>{MASK}", text)
    return text


def redacted_values(value: Any) -> Any:
    """Apply ``redacted`` to all text in mappings and lists."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {key: redacted_values(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [redacted_values(entry) for entry in value]
    return value
