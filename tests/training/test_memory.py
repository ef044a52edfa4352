import platform
import subprocess
import sys

import pytest

PAGES_OF_A_BLOCK = 64 * 2**20 // 4096

TOUCH = """
import resource, sys
import torch
from heed.training.memory import keep_freed

if sys.argv[1] == "kept":
    keep_freed()
for turn in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no other library is told")
def test_a_block_freed_is_not_mapped_again() -> None:
    """Catches settings that malloc does not take: every step would touch all pages of its largest tensors anew."""

    def faults(how: str) -> int:
        return int(
            subprocess.run([sys.executable, "-c", TOUCH, how], capture_output=True, text=True, check=True).stdout
        )

    assert faults("given back") > PAGES_OF_A_BLOCK / 2
    assert faults("kept") < PAGES_OF_A_BLOCK / 100
