"""Memory that is freed stays with the process."""

import os
import platform
import subprocess
import sys

import pytest

PROBE = """
import resource, sys
import torch
from recpair.training.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
torch.set_num_threads(1)
for _ in range(10):
    torch.ones(2**24)  # 64 MiB
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_a_block_that_is_freed_and_asked_for_again_is_not_faulted_in_again():
    """Ten more blocks of 64 MiB are 163,840 pages of 4 KiB: given back they fault in each time, kept not once more."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}

    def faults(case, **more):
        command = [sys.executable, "-c", PROBE, case]
        return int(subprocess.run(command, env=environment | more, capture_output=True, check=True, text=True).stdout)

    kept = min(faults("kept") for _ in range(3))  # the machine may take pages back for reasons of its own
    assert kept < 20_000
    assert faults("given back") > 2 * kept
    assert (
        faults("kept", MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072") > 2 * kept
    )  # the user's word
