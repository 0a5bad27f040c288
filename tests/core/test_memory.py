"""How the C library treats memory that was freed."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

COUNT = """
import resource
from sweeper.core.memory import keep_freed

keep_freed()
faults = []
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [bytearray(b"x" * 2**20) for _ in range(16)]
    del held
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(*faults)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_an_epochs_memory_is_there_for_the_next_one() -> None:
    """The second time sixteen megabytes are filled, hardly a page comes from the kernel."""
    told = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True).stdout
    first, second = map(int, told.split())
    assert second < first / 10
