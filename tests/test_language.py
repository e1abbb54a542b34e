"""The docstrings of the package, the README and the documentation keep to the wording of the conventions."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
AVOIDED = re.compile(
    r"\b(?:somebody\b|nobody\b|strangers?\b|of\s+its\s+own\b|is\s+no\s(?!longer|\w+er\s+than)|are\s+none\b|taken\b)",
    re.IGNORECASE,
)
CODE = re.compile(r"``[^`]*``")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NO_PROSE = re.compile(
    r"^```.*?^```|^\|.*?$|<!--.*?-->|`[^`\n]*`|(?<=\])\([^)]*\)", re.S | re.M
)  # code, tables, link targets
LONGEST = 24  # words in a sentence
QUESTION = re.compile(r"(?:What|Whether|Which|How)\b")


def complaints(path: Path) -> list[str]:
    """``file:line: words`` for each docstring of a file that uses an avoided word or begins like a question."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, DOCUMENTED) or (text := ast.get_docstring(node, clean=False)) is None:
            continue
        prose = CODE.sub(lambda span: re.sub(r"\S", "-", span.group()), text)
        matches = [*AVOIDED.finditer(prose), *([opening] if (opening := QUESTION.match(text.lstrip())) else [])]
        for match in matches:
            line = node.body[0].lineno + text.count("\n", 0, match.start())
            found.append(f"{path.relative_to(ROOT)}:{line}: {' '.join(match.group().split())}")
    return found


def test_docstrings_use_plain_words():
    found = [complaint for path in sorted((ROOT / "recpair").rglob("*.py")) for complaint in complaints(path)]
    assert not found, "reword the docstrings:\n" + "\n".join(found)


def blanked(text: str) -> str:
    """Replace all characters but line breaks, so that lines keep their numbers."""
    return re.sub(r"\S", "-", text)


def markdown_of(path: Path) -> str:
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def without_code(text: str) -> str:
    """The text with code blanked: fenced blocks and spans."""
    return re.sub(r"^```.*?^```|`[^`\n]*`", lambda span: blanked(span.group()), text, flags=re.S | re.M)


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_pages_use_plain_words(page):
    prose = without_code(markdown_of(page))
    found = [(prose.count("\n", 0, match.start()) + 1, match.group()) for match in AVOIDED.finditer(prose)]
    assert not found, f"reword {page.name}, lines and words {found}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sentences_are_short(page):
    prose = NO_PROSE.sub(
        lambda span: "x" if span.group().startswith("`") and "\n" not in span.group() else "", markdown_of(page)
    )
    parts = re.split(r"(?<=[.:!?;])\)?\s|\n\s*\n|\n\s*(?:[-*#]|\d+\.)\s", prose)
    long = [" ".join(part.split()) for part in parts if len(part.split()) > LONGEST]
    assert not long, f"split sentences of more than {LONGEST} words in {page.name}:\n" + "\n".join(long)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150
