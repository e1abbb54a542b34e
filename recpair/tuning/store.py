"""Finished trials of a search, in an Optuna storage."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from recpair.errors import RunError, one_line
from recpair.redaction import redacted

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

JOURNAL = "journal.log"


class Store:
    """Finished trials, in a journal file in the output folder, or in a database.

    A trial is added once it is finished, with its parameters and all its reports, so an interruption leaves no unfinished
    trial in the store.

    Args:
        folder: folder of the search, which holds the journal.
        name: name of the Optuna study in a database.
        url: URL of a database; None for the journal.

    Raises:
        RunError: the store cannot be opened.
    """

    def __init__(self, folder: Path, name: str, url: str | None = None) -> None:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        shown = redacted(url) if url else str(folder / JOURNAL)
        try:
            if url is None:
                _complete_lines(folder / JOURNAL)
            with quiet():
                storage = url or JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
                self._study: Study = optuna.create_study(
                    storage=storage, study_name=name, direction="maximize", load_if_exists=True
                )
                self._finished: Sequence[FrozenTrial] = self._study.get_trials(deepcopy=False)
        except Exception as error:  # storages raise errors of many libraries
            reason = one_line(redacted(str(error) or type(error).__name__), 200)
            raise RunError(f"the trials cannot be stored in {shown}: {reason}; check --storage") from None

    @property
    def finished(self) -> "Sequence[FrozenTrial]":
        """Finished trials by number."""
        return self._finished

    def add(self, trial: "FrozenTrial") -> None:
        """Store a finished trial."""
        with quiet():
            self._study.add_trial(trial)
        self._finished = [*self._finished, trial]


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the messages of Optuna on single trials."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _complete_lines(journal: Path) -> None:
    """Remove an incomplete last line, left by a process that was killed while writing it."""
    if not journal.is_file():
        return
    with journal.open("r+b") as file:
        content = file.read()
        if not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)
