"""Allocator settings: memory freed by a step stays with the process for the next step."""

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
BLOCK, KEPT = 256 * 2**20, 2**30


def keep_freed_memory() -> None:
    """Make glibc keep up to 1 GiB of freed memory, instead of returning blocks above 32 MiB to the system at once.

    A step frees and reallocates the same tensors; each returned page is faulted in and zeroed again, which took half of
    a step of sampled softmax with 2,048 shared negatives. Blocks above 256 MiB are still returned. Nothing is changed
    without glibc, or if the environment sets a MALLOC_ variable.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    malloc = ctypes.CDLL(None).mallopt
    malloc(M_MMAP_THRESHOLD, BLOCK)
    malloc(M_TRIM_THRESHOLD, KEPT)
