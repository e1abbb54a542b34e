"""Memory that a step frees stays with the process, for the next step."""

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
BLOCK, KEPT = 256 * 2**20, 2**30


def keep_freed_memory() -> None:
    """Tell glibc to keep up to 1 GiB that was freed, in place of giving blocks above 32 MiB back to the system at once.

    A step frees and asks for the same tensors again; each page that was given back is faulted in and zeroed anew, which
    took half of a step of sampled softmax with 2,048 shared negatives. Blocks above 256 MiB are given back as before.
    Without glibc, or where a MALLOC_ variable of the environment says otherwise, nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    malloc = ctypes.CDLL(None).mallopt
    malloc(M_MMAP_THRESHOLD, BLOCK)
    malloc(M_TRIM_THRESHOLD, KEPT)
