"""The docstrings of the package keep to the wording of the conventions."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
AVOIDED = re.compile(
    r"\b(?:somebody\b|nobody\b|strangers?\b|of\s+its\s+own\b|is\s+no\s(?!longer|\w+er\s+than)|are\s+none\b|taken\b)",
    re.IGNORECASE,
)
CODE = re.compile(r"``[^`]*``")
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
