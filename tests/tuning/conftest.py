"""Searches and studies that are killed and resumed, without plots of their runs."""

import pytest

from recpair import files
from recpair.run.report import RunReport


class Killed(BaseException):
    """An interruption at any point."""


@pytest.fixture(autouse=True, scope="module")
def plain_reports():
    """Drawing the runs takes longer than everything else here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunReport, "_draw", lambda *_: None)
        yield


@pytest.fixture
def killed_and_resumed(monkeypatch):
    """Call a function once per budget, killed after so many writes; its last result, and the number of kills."""

    def call(act, budgets):
        write, left, kills, result = files.write, 0, 0, None

        def limited(*args, **kwargs):
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return write(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(files, "write", limited)
            for budget in budgets:
                left = budget
                try:
                    result = act()
                except Killed:
                    kills += 1
        return result, kills

    return call
