"""Which of several processes this one is, where ``torchrun`` has started it."""

import os
import time

PATIENCE = 10.0  # seconds


def started_by_torchrun() -> bool:
    """Whether the variables below are torchrun's; other launchers set some of them, too."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def in_all() -> int:
    """How many processes share a run."""
    return int(os.environ["WORLD_SIZE"]) if started_by_torchrun() else 1


def on_this_machine() -> int:
    """How many of them share this machine's devices."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if started_by_torchrun() else 1


def is_first() -> bool:
    """Whether this is the one that writes and prints."""
    return not started_by_torchrun() or os.environ["RANK"] == "0"


def has_lost_another(error: BaseException) -> bool:
    """Whether an error only says that another process has ended; it is known by its text alone."""
    texts = ("Connection closed by peer", "Connection reset by peer", "NCCL error", "Broken pipe")
    return in_all() > 1 and any(text in str(error) for text in texts)


def delay_on_other_ranks() -> None:
    """Wait a moment before an error is printed: where the first process has it, too, torchrun now ends this one."""
    if not is_first():
        time.sleep(PATIENCE)
