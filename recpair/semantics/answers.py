"""Answers of a language model, stored row by row as they arrive: an interruption loses none that was paid for."""

import json
import logging
import threading
from pathlib import Path
from typing import BinaryIO

from recpair.errors import DataError

logger = logging.getLogger("recpair")


class Answers:
    """A JSON-lines file of ``{"key": …, "model": …, "answer": …}``; without a path, answers are kept in memory only.

    A row truncated by an interruption is skipped.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()
        if path is not None and path.is_file():
            self._read(path)

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> str:
        return self._known[key]

    def add(self, key: str, model: str, answer: str) -> None:
        """Store an answer, on disk before anything else is done."""
        with self._lock:
            self._known[key] = answer
            if self.path is not None:
                row = json.dumps({"key": key, "model": model, "answer": answer}, ensure_ascii=False)
                self._append(self.path, row)

    def _read(self, path: Path) -> None:
        lost = 0
        for line in path.read_bytes().splitlines():
            try:
                row = json.loads(line)
                self._known[row["key"]] = str(row["answer"])
            except (ValueError, KeyError, TypeError):
                lost += bool(line.strip())
        if lost:
            logger.warning("%s has %s rows that cannot be read; they are requested again", path, lost)

    def _append(self, path: Path, row: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab+") as file:
                cut = file.tell() > 0 and _last_byte(file) != b"\n"
                file.write(b"\n" * cut + row.encode() + b"\n")
        except OSError as error:
            raise DataError(f"cannot write {path} ({error.strerror}); make room, or set semantics.folder") from None


def _last_byte(file: BinaryIO) -> bytes:
    file.seek(-1, 2)
    return file.read(1)
