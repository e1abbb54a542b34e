"""What every hostile input must do: work, or be refused in one line, in time, leaving nothing half-written.

The full run is ``make fuzz``; elsewhere a sample of the cases is run, the same one each time. A failure prints the label
of its case; ``RECPAIR_FUZZ=LABEL pytest tests/fuzz`` runs the cases whose label contains LABEL alone.
"""

import json
import os
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import recpair
from recpair.cli import main
from recpair.errors import LIMIT, RecpairError
from recpair.run.report import RunReport

ASKED = os.environ.get("RECPAIR_FUZZ", "")
SECONDS = 10.0


def sample(cases: Sequence[Any], size: int, label: Callable[[Any], str]) -> list[Any]:
    """All cases in the full run, those whose label is asked for, or ``size`` of them."""
    if ASKED == "full":
        return list(cases)
    if ASKED:
        return [case for case in cases if ASKED in label(case)]
    return random.Random(size).sample(list(cases), min(size, len(cases)))


def is_whole_or_unfinished(path: Path) -> bool:
    """Whether a path is a file, a run that opens, or a run that says itself that it is not complete and can be resumed."""
    if path.is_file():
        return True
    try:
        recpair.load(path)
    except RecpairError:
        return json.loads((path / "manifest.json").read_text())["complete"] is False
    return True


@pytest.fixture(scope="session")
def chosen():
    return sample


def tried(action: Callable[[], Any]) -> str | None:
    """None where the action works or is refused in one line."""
    try:
        action()
    except RecpairError as error:
        text = str(error)
        good = text.strip() and "\n" not in text and len(text) <= LIMIT
        return None if good else f"message of {len(text)} characters: {text[:200]!r}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return None


@pytest.fixture
def verdict(tmp_path, monkeypatch):
    """``verdict(label, action)``: None where the action keeps the rules, else what it did instead."""
    monkeypatch.chdir(tmp_path)

    def judge(label: str, action: Callable[[], Any], outputs: Sequence[Path] = ()) -> str | None:
        there = [path for path in outputs if path.exists()]
        started = time.process_time()
        problem = tried(action)
        if time.process_time() - started > SECONDS:  # the first call of a kernel compiles it
            started = time.process_time()
            tried(action)
            if (seconds := time.process_time() - started) > SECONDS:
                problem = f"{seconds:.0f} s"
        left = [path for path in outputs if path.exists() and path not in there and not is_whole_or_unfinished(path)]
        problem = problem or (f"{left} is half-written" if left else None)
        return problem and f"{label}: {problem}"

    return judge


@pytest.fixture
def commanded(capsys):
    """``commanded(*arguments)``: an action that runs the command line and raises what its exit code stands for."""

    def act(*arguments: str) -> None:
        capsys.readouterr()
        code = main(list(arguments))
        lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(("note:", "warning:"))]
        if code == 2:
            assert len(lines) == 1, lines
            assert len(lines[0]) <= 400, lines
            raise RecpairError(lines[0].removeprefix("error: ") or "no message")
        assert (code, lines) == (0, []), (code, lines)

    return act


@pytest.fixture
def undrawn(monkeypatch):
    """Runs without plots: they take most of the time of a small run."""
    monkeypatch.setattr(RunReport, "_draw", lambda *args: None)


@pytest.fixture(scope="session")
def small():
    """12 users × 12 items, six events each, one after another."""
    pairs = [(user, item) for user in range(12) for item in range(12) if (user + item) % 2 == 0]
    user, item = zip(*pairs, strict=True)
    return pl.DataFrame({"user_id": user, "item_id": item, "timestamp": [1000 + 10 * t for t in range(len(pairs))]})
