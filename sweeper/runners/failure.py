"""What went wrong in a trial's code, in a few lines for the ledger."""

from __future__ import annotations

import traceback
from pathlib import PurePath

FRAMES = 3
LONGEST = 500


def describe(error: BaseException) -> str:
    """The error's type and message, then where it was raised: the innermost frames, innermost last.

    An exhausted memory, on whichever device, starts with "out of memory".
    """
    message = str(error).strip()
    headline = f"{type(error).__name__}: {message}" if message else type(error).__name__
    if len(headline) > LONGEST:
        headline = f"{headline[:LONGEST]}..."
    if out_of_memory(error):
        headline = f"out of memory: {headline}"
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return "\n".join([headline, *(f"  {PurePath(f.filename).name}:{f.lineno} in {f.name}: {f.line}" for f in frames)])


def out_of_memory(error: BaseException) -> bool:
    """Whether host or device memory ran out.

    Torch's error is known by its name, since the runners do not import torch; its CPU allocator raises a bare
    RuntimeError that only its message tells apart.
    """
    return (
        isinstance(error, MemoryError)
        or any(base.__name__ == "OutOfMemoryError" for base in type(error).__mro__)
        or (isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error))
    )
