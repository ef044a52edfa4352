import platform
import subprocess
import sys

import pytest

STEPS = """
import resource, sys
import torch
from heed.training.memory import freed_memory_reused

reused = freed_memory_reused()
if sys.argv[1] != "given back":
    reused.__enter__()
if sys.argv[1] == "put back":
    reused.__exit__(None, None, None)
for step in range(40):
    if step == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.ones(2**20 * size) for size in (3 + step % 4, 16, 5)]  # of 4 MiB
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no other library has these settings")
def test_steps_do_not_map_the_same_memory_again() -> None:
    """Catches settings that malloc ignores, and settings that stay after training.

    Without the settings, every step causes page faults for all pages of its largest tensors.
    """

    def faults(how: str) -> int:
        command = [sys.executable, "-c", STEPS, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    # Some faults remain: a freed block can be a few bytes too short for an aligned block of the same size.
    reused, unset = faults("reused"), faults("given back")
    assert reused < 0.5 * unset
    assert faults("put back") == pytest.approx(unset, rel=0.2)
