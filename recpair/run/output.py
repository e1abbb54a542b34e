"""Output folder of a fit: an earlier run can be loaded until the new one is complete."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from recpair import files
from recpair.errors import RunError
from recpair.run.folder import CONFIG, METRICS, SEARCH, SEEDS, TRACKED, WEIGHTS, is_unfinished
from recpair.run.manifest import CHECKPOINT, Manifest

logger = logging.getLogger("recpair")

LAST = "last.safetensors"


class State(Enum):
    """Content of an output folder."""

    EMPTY = "nothing"
    UNFINISHED = "a run that can be resumed"
    COMPLETE = "a complete run"
    FOREIGN = "something else"


def state_of(folder: Path) -> State:
    """State of a folder; runs are recognised by their manifest, runs of earlier versions by their files."""
    if not folder.exists() and not folder.is_symlink():
        return State.EMPTY
    if not folder.is_dir():
        return State.FOREIGN
    if (manifest := Manifest.read(folder)) is not None:
        begun = State.UNFINISHED if (folder / CONFIG).is_file() else State.EMPTY
        return State.COMPLETE if manifest.complete else begun
    if is_unfinished(folder):
        return State.UNFINISHED
    names = [CONFIG, SEEDS] if (folder / SEEDS).exists() else [CONFIG, METRICS, WEIGHTS]
    if all((folder / name).is_file() for name in names):
        return State.COMPLETE
    return State.EMPTY if all(_is_temporary(path) for path in folder.iterdir()) else State.FOREIGN


def clear(folder: Path) -> None:
    """Remove a folder without a run: empty, or left by an interrupted ``Output.start``."""
    if folder.exists():
        shutil.rmtree(folder)


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".part")


@dataclass
class Output:
    """Output folder of a run, and the folder in which it is written.

    The run is written to ``work``: ``OUTPUT.partial`` if ``OUTPUT`` holds a complete run, else ``OUTPUT`` itself. Once
    the run is complete, the two folders are exchanged, and the earlier run becomes ``OUTPUT.1``.

    Attributes:
        final: the output folder of the config.
        keep: number of earlier runs to keep, as ``OUTPUT.1`` (the latest) … ``OUTPUT.<keep>``.
        member: whether this is one of several runs below an output folder that is exchanged as a whole.
    """

    final: Path
    keep: int = 1
    work: Path = field(init=False)
    member: bool = False

    def __post_init__(self) -> None:
        if self.final.name in ("", "..") or "\0" in self.final.name:
            raise RunError(f"output {str(self.final)!r} is not the name of a folder; choose another, such as runs/mine")
        if self.final.is_symlink():  # exchange the folder, not the link
            self.final = self.final.resolve()
        self.work = self.final

    @property
    def partial(self) -> Path:
        return self.final.with_name(f"{self.final.name}.partial")

    @property
    def identity(self) -> str:
        """Id of the run in the working folder; empty before ``start``."""
        manifest = Manifest.read(self.work)
        return "" if manifest is None else manifest.id

    def below(self, name: str) -> "Output":
        """Output of one of several runs in this folder."""
        inner = Output(self.final / name, member=True)
        inner.work = self.work / name
        return inner

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the output folder against other processes and threads.

        Raises:
            RunError: another fit holds the lock.
        """
        busy = f"output {self.final} is in use by another fit; wait until it ends or choose another output"
        with files.locked(self.final, busy):
            yield

    def plan(self, resume: bool) -> State:
        """Choose ``work``, check that it can be used, and return the state of the run to resume (EMPTY: none).

        An interrupted exchange is completed first.

        Raises:
            RunError: a folder that would be written to or moved does not hold a run.
        """
        if self.member:
            return state_of(self.work) if resume else State.EMPTY
        self._settle()
        there, begun = state_of(self.final), state_of(self.partial)
        for folder, state in ((self.final, there), (self.partial, begun)):
            if state is State.FOREIGN:
                raise RunError(f"output {folder} exists and is not a run folder; choose another output")
        self.work = self.partial if there is State.COMPLETE else self.final
        if there is State.COMPLETE:
            if self.final.is_mount():
                raise RunError(f"output {self.final} is a mount point and holds a run; choose a folder below it")
            self._slot()
        if not resume:
            return State.EMPTY
        return begun if begun is State.UNFINISHED and there is State.COMPLETE else there

    def start(self, config: str, data: str | None, resumed: State) -> None:
        """Create the working folder with the config and an incomplete manifest.

        Args:
            config: the effective config as YAML.
            data: fingerprint of the data; None for several seeds.
            resumed: the result of ``plan``; an unfinished run that is not resumed is moved to ``OUTPUT.unfinished``.
        """
        if resumed is State.EMPTY and not self.member:
            for folder in (self.partial, self.final):
                if state_of(folder) is State.UNFINISHED:
                    self._set_aside(folder)
        if state_of(self.work) is State.EMPTY and self.work.exists() and any(self.work.iterdir()):
            clear(self.work)
        manifest = Manifest.read(self.work)
        if manifest is None or manifest.complete:
            before = None if self.work == self.final else Manifest.read(self.final)
            Manifest(data, replaces=before.id if before is not None else None).write(self.work)
        if resumed is State.COMPLETE:
            self._continue()
        files.write_text(self.work / CONFIG, config)  # written last: it marks the run as begun

    def complete(self) -> None:
        """Write the checksums, then replace the earlier run by this one."""
        manifest = Manifest.read(self.work)
        assert manifest is not None
        manifest.completed(self.work).write(self.work)
        if self.work != self.final and not self.member:
            self._exchange()
        self.work = self.final if not self.member else self.work

    def _continue(self) -> None:
        """Copy the checkpoint of the complete run, which is not changed."""
        for name in (LAST, TRACKED):
            source = self.final / CHECKPOINT / name
            if source.is_file() and self.work != self.final:
                files.write_bytes(self.work / CHECKPOINT / name, source.read_bytes())

    def _settle(self) -> None:
        """Complete an interrupted exchange."""
        there = state_of(self.final)
        if state_of(self.partial) is not State.COMPLETE or there not in (State.COMPLETE, State.EMPTY):
            return
        ours, other = Manifest.read(self.final), Manifest.read(self.partial)
        if there is State.COMPLETE and (other is None or (ours is not None and ours.replaces == other.id)):
            self._retire(self.partial)
        else:
            self._exchange()

    def _exchange(self) -> None:
        if state_of(self.final) is State.EMPTY:
            clear(self.final)
            files.move(self.partial, self.final)
        elif files.exchange(self.partial, self.final):
            self._retire(self.partial)
        else:
            self._retire(self.final)
            files.move(self.partial, self.final)

    def _retire(self, folder: Path) -> None:
        """Rename the earlier run to ``OUTPUT.1`` and shift the others; the one beyond ``keep`` is removed."""
        if self.keep == 0:
            files.remove_folder(folder)
            return
        places = self._places()
        free = next((k for k, place in enumerate(places) if state_of(place) is State.EMPTY), None)
        if free is None:
            free = len(places) - 1
            logger.info("%s is removed: output_keep is %s", places[free], self.keep)
            files.remove_folder(places[free])
        else:
            clear(places[free])
        for k in range(free, 0, -1):
            files.move(places[k - 1], places[k])
        files.move(folder, places[0])
        logger.info("the earlier run in %s is now %s", self.final, places[0])

    def _places(self) -> list[Path]:
        return [self.final.with_name(f"{self.final.name}.{k}") for k in range(1, self.keep + 1)]

    def _slot(self) -> None:
        """Raise a RunError if the earlier run cannot be kept because its new name is in use by a folder without a run."""
        for place in self._places():
            if (state := state_of(place)) is State.EMPTY:
                return
            if state is State.FOREIGN:
                raise RunError(f"{place} exists and is not a run folder; move it, or set output_keep=0")

    def _set_aside(self, folder: Path) -> None:
        """Move an unfinished run that is not resumed to ``OUTPUT.unfinished``, replacing an earlier one."""
        if not any(folder.rglob(LAST)) and not (folder / SEARCH).is_file():
            files.remove_folder(folder)
            return
        aside = self.final.with_name(f"{self.final.name}.unfinished")
        if (state := state_of(aside)) is State.FOREIGN:
            raise RunError(f"{aside} exists and is not a run folder; move it, or resume {folder} with --resume")
        if state is State.EMPTY:
            clear(aside)
        else:
            files.remove_folder(aside)
        files.move(folder, aside)
        logger.info("the unfinished run in %s is now %s; --resume would have continued it", folder, aside)
