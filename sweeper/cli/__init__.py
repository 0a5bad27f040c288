"""Commands: parse, call, print."""

from __future__ import annotations

import errno
import gc
import signal
import sys
from types import FrameType

INTERRUPTED = 130
TERMINATED = 143
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""A disk that is full, read-only or broken."""

COLLECT_EVERY = 100_000
"""Objects between two passes of the garbage collector; Python's 700 cost a fifth of the time that the large packages take to import."""


class Terminated(BaseException):
    """SIGTERM, raised in the main thread so that everything open is closed on the way out."""


def main() -> None:
    """The ``sweeper`` command. Every foreseen error is a sentence on stderr and an exit code, never a traceback."""
    gc.set_threshold(COLLECT_EVERY)
    from sweeper.cli.commands import cli
    from sweeper.errors import InfrastructureError, SweeperError

    signal.signal(signal.SIGTERM, _terminate)
    try:
        cli()
    except SystemExit as ended:
        if ended.code == INTERRUPTED:  # typer's word for Ctrl-C
            print("interrupted; run the same command again (a sweep goes on from here)", file=sys.stderr)
        raise
    except SweeperError as error:
        print(f"sweeper: {error}" if "\n" not in str(error) else str(error), file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in DISK:
            raise
        # Mostly the file that stdout goes to: what we write ourselves is told with its path.
        print(f"sweeper: could not write: {error.strerror}", file=sys.stderr)
        sys.exit(InfrastructureError.exit_code)
    except Terminated:
        print("terminated; run the same command again (a sweep goes on from here)", file=sys.stderr)
        sys.exit(TERMINATED)
    finally:
        # At its exit the interpreter looks for garbage again and again: for half a second with torch or mlflow loaded.
        gc.freeze()


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated
