"""Escaping of text in Markdown pages."""

import re

SPECIAL = re.compile(r"([\\`*_\[\]|~$&])")


def escaped(text: str) -> str:
    """Escape text for Markdown, on one line: no emphasis, link, image, HTML, table cell or formula.

    Line breaks and characters that are not printable become spaces.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return SPECIAL.sub(r"\\\1", line).replace("<", "&lt;").replace(">", "&gt;")
