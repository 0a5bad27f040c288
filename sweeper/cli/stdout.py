"""Standard output that holds one JSON object, whoever else prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def kept(wanted: bool) -> Iterator[None]:
    """Within it, if ``wanted``, whatever is printed goes to stderr: by users' code, by libraries, by processes that are started."""
    if not wanted:
        yield
        return
    out, err = 1, 2
    saved = os.dup(out)
    try:
        os.dup2(err, out)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(saved, out)
        os.close(saved)
