"""Pieces of reStructuredText: headings, tables, docstrings."""

import re
from collections.abc import Iterable, Sequence

from sphinx.ext.napoleon import Config, GoogleDocstring

STYLE = Config(napoleon_use_ivar=True, napoleon_use_rtype=False)
ENTRY = re.compile(r"^ {4}(\w[\w, ]*):\s+(.*(?:\n {8}.*)*)", re.M)
ENUMERATOR = re.compile(r"^(\w+|#)\.")
ARGUMENTS = re.compile(r"^Args:\n((?:(?: {4}.*)?\n)+)", re.M)


def heading(text: str, level: int = 1) -> str:
    line = '=-~"'[level - 1] * max(len(text), 4)
    return f"{text}\n{line}\n\n"


def literal(text: object) -> str:
    return f"``{text}``"


def escaped(text: str) -> str:
    """Text without markup."""
    return re.sub(r"([\\*`_|])", r"\\\1", text)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], widths: str = "auto") -> str:
    """A list-table; an empty cell is allowed, and a cell such as "N." is text, not an item of a list."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in [header, *rows]:
        for place, cell in enumerate(row):
            first, *rest = ENUMERATOR.sub(r"\\\1.", cell.strip()).split("\n")
            lines += [
                f"   {'* -' if place == 0 else '  -'} {first}".rstrip(),
                *(f"       {line}".rstrip() for line in rest),
            ]
    return "\n".join(lines) + "\n\n"


def arguments(docstring: str) -> tuple[str, dict[str, str]]:
    """Split the section ``Args`` off a clean docstring: the rest, and the meaning of each argument.

    Raises:
        ValueError: a part of the section is not of the form ``name: meaning``, and would be lost.
    """
    if (found := ARGUMENTS.search(docstring + "\n")) is None:
        return docstring, {}
    if lost := ENTRY.sub("", found[1]).strip():
        raise ValueError(f"the Args of a docstring are not of the form 'name: meaning': {lost[:200]}")
    meanings = {
        name.strip(): " ".join(text.split()) for names, text in ENTRY.findall(found[1]) for name in names.split(",")
    }
    return (docstring + "\n").replace(found[0], "").strip(), meanings


def prose(docstring: str) -> str:
    """The text of a clean docstring, with its Google-style sections as reStructuredText; ``|x|`` is an absolute value."""
    bars = re.sub(r"``[^`]*``|\|", lambda span: r"\|" if span.group() == "|" else span.group(), docstring)
    text = str(GoogleDocstring(bars, STYLE)).strip()
    return re.sub(r"^:raises (\w+): ", r"Raises \1: ", text, flags=re.M) + "\n\n"


def toctree(names: Iterable[str], caption: str = "", hidden: bool = False, depth: int = 1) -> str:
    lines = [".. toctree::", f"   :maxdepth: {depth}"]
    lines += [f"   :caption: {caption}"] if caption else []
    lines += ["   :hidden:"] if hidden else []
    return "\n".join([*lines, "", *(f"   {name}" for name in names)]) + "\n\n"
