"""Rank and number of processes of a run started by ``torchrun``."""

import os
import time

PATIENCE = 10.0  # seconds


def started_by_torchrun() -> bool:
    """Return True if torchrun set the variables below; other launchers set some of them as well."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def in_all() -> int:
    """Return the number of processes of a run."""
    return int(os.environ["WORLD_SIZE"]) if started_by_torchrun() else 1


def on_this_machine() -> int:
    """Return the number of processes that share this machine's devices."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if started_by_torchrun() else 1


def is_first() -> bool:
    """Return True for rank 0, which writes and prints."""
    return not started_by_torchrun() or os.environ["RANK"] == "0"


def has_lost_another(error: BaseException) -> bool:
    """Return True if an error only reports that another process has ended; it is recognised by its text."""
    texts = ("Connection closed by peer", "Connection reset by peer", "NCCL error", "Broken pipe")
    return in_all() > 1 and any(text in str(error) for text in texts)


def delay_on_other_ranks() -> None:
    """Wait before printing an error on other ranks: if rank 0 has it as well, torchrun ends this process meanwhile."""
    if not is_first():
        time.sleep(PATIENCE)
