"""A short way to the desk for the workers on its machine.

A call through Ray is handed from thread to thread in both processes and takes 2 to 3 ms besides what the desk does, on busy cores; through
a local socket it takes less than one (docs/decisions.md).
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener, answer_challenge, deliver_challenge
from typing import Any

from sweeper.runners.calls import PipedDesk, answer

GONE = (EOFError, OSError)
"""Nobody is at the other end."""


class Line:
    """The desk's end: one thread for each worker that calls.

    The socket has a name and no file (Linux), so that a killed process leaves nothing. Who calls must know the key.

    Args:
        call: makes a call of the desk; safe to use from several threads.

    Attributes:
        address: name and key, for ``connected``.

    Raises:
        OSError: this system has no such sockets.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self.address = f"\0sweeper-{secrets.token_hex(16)}", secrets.token_bytes(32)
        self._listener = Listener(self.address[0], "AF_UNIX")
        threading.Thread(target=self._accept, name="sweeper-line", daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError), self._listener:  # closed, it refuses at once; open, it would let callers wait
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept(),), name="sweeper-caller", daemon=True).start()

    def _serve(self, pipe: Connection) -> None:
        with pipe, suppress(AuthenticationError, *GONE):
            deliver_challenge(pipe, self.address[1])
            answer_challenge(pipe, self.address[1])
            answer(pipe, self._call)


def connected(address: tuple[str, bytes]) -> PipedDesk | None:
    """The desk at this address; None where it is on another machine."""
    name, key = address
    try:
        return PipedDesk(Client(name, "AF_UNIX", authkey=key))
    except (AuthenticationError, *GONE):
        return None
