"""Escaping of text in Markdown pages."""

import re
from collections.abc import Sequence

SPECIAL = re.compile(r"([\\`*_\[\]|~$&])")


def escaped(text: str) -> str:
    """Escape text for Markdown, on one line: no emphasis, link, image, HTML, table cell or formula.

    Line breaks and characters that are not printable become spaces.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return SPECIAL.sub(r"\\\1", line).replace("<", "&lt;").replace(">", "&gt;")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 0) -> list[str]:
    """Lines of a table of texts that are escaped already; the first ``left`` columns are left-aligned, the others right."""
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return [f"| {' | '.join(head)} |", f"|{'|'.join(rule)}|", *(f"| {' | '.join(row)} |" for row in rows)]
