"""The processes beside this one that train a trial with it: started, led, and ended with it."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing import Pipe
from typing import IO, Any

import torch
from torch import distributed

from sweeper.core.batches import Resident
from sweeper.core.parallel.member import Member, encode, pack
from sweeper.core.parallel.team import HOST, Team
from sweeper.errors import InputError

LAST_WORDS_S = 5.0
"""How long rank 0, whose exchange has failed, waits to hear from the process that caused it."""

GRACE_S = 3.0
"""How long a process has to end by itself when rank 0 hangs up."""


class MemberError(RuntimeError):
    """Another process of the trial failed or died; the trial cannot go on."""


class Hand:
    """One of the other processes.

    It has a process group of its own, so that a Ctrl-C in the terminal is rank 0's alone to judge, and says nothing on our terminal. It
    ends when its end of the socket tells it that this process is gone, also by SIGKILL.

    Args:
        rank: 1 or more.
        size: of the team.
    """

    def __init__(self, rank: int, size: int) -> None:
        self._name = f"process {rank + 1} of {size}"
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ``end``
        self._connection, theirs = Pipe()
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "sweeper.core.parallel.member", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            pass_fds=[theirs.fileno()],
            process_group=0,
        )
        theirs.close()

    @property
    def pid(self) -> int:
        """The process's."""
        return self._process.pid

    def tell(self, message: bytes) -> None:
        """Sends something; that nobody listens is noticed by ``hear``."""
        with suppress(OSError):
            self._connection.send_bytes(message)

    def hear(self, seconds: float | None = None) -> bool:
        """Waits for an answer; False when there was none in so many seconds.

        Raises:
            MemberError: the process failed, or is gone.
        """
        if not self._connection.poll(seconds):
            return False
        try:
            trouble = self._connection.recv_bytes().decode()
        except (EOFError, OSError):
            raise MemberError(f"{self._name} of this trial {self._end()}") from None
        if trouble:
            raise MemberError(f"{self._name} of this trial: {trouble}")
        return True

    def end(self) -> None:
        """Hangs up, and waits for the process to end."""
        self._connection.close()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaints.close()

    def _end(self) -> str:
        """How the process ended, and the last thing that it complained of."""
        try:
            code = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            return "does not answer"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return f"ended with exit code {code}" + (f": {lines[-1]}" if lines else "")


class Crew:
    """A team led from this process, which is its rank 0.

    Args:
        data: on this process's device; the others get copies on theirs, of streamed inputs the way to them.
        size: how many processes, this one included.

    Attributes:
        team: this process's view of it.
        member: this process's own part.
        sound: whether it can go on; once an order has failed, the processes are no more in step.

    Raises:
        InputError: fewer GPUs than processes.
        MemberError: a process did not start.
    """

    def __init__(self, data: Resident, size: int) -> None:
        device = data.device
        first = device.index or 0
        if device.type == "cuda" and first + size > torch.cuda.device_count():
            found = f"{size} processes, and this worker sees {torch.cuda.device_count()} GPUs"
            raise InputError.of(
                "config", "resources.processes", found, "at most one process per GPU", "or set resources.gpus_per_worker: 0"
            )
        self.data = data
        self.size = size
        self.sound = True
        self._hands = [Hand(rank, size) for rank in range(1, size)]
        try:
            for hand in self._hands:
                hand.hear()  # it has imported what it needs; whoever cannot is told here, and not waited for below
            listener = socket.create_server((HOST, 0))
            port = listener.getsockname()[1]
            devices = [f"cuda:{first + rank}" if device.type == "cuda" else device.type for rank in range(size)]
            packed = pack(data)
            for rank, hand in enumerate(self._hands, 1):
                hand.tell(encode((rank, size, devices[rank], port, packed)))
            self.team = Team.join(0, size, torch.device(devices[0]), port, listener.detach())
            self.member = Member(self.team, data)
        except BaseException:
            self.dismiss()
            raise

    @property
    def pids(self) -> list[int]:
        """The other processes'."""
        return [hand.pid for hand in self._hands]

    def call(self, name: str, *arguments: Any) -> Any:
        """Calls a method of every process's ``Member``; this one's answer.

        Raises:
            MemberError: another process failed or died.
            Exception: whatever this process's part raises.
        """
        try:
            order = encode((name, arguments))
            for hand in self._hands:
                hand.tell(order)
            found = getattr(self.member, name)(*arguments)
            for hand in self._hands:
                hand.hear()
        except BaseException as error:
            self.sound = False
            cause = self._cause() if _of_exchange(error) else None
            self.dismiss()
            if cause is not None:
                raise cause from None
            raise
        return found

    def dismiss(self) -> None:
        """Ends the other processes."""
        self.sound = False
        hands, self._hands = self._hands, []
        for hand in hands:
            hand.end()
        if distributed.is_initialized():
            distributed.destroy_process_group()

    def _cause(self) -> MemberError | None:
        """What another process says, now that an exchange with it has failed."""
        until = time.monotonic() + LAST_WORDS_S
        for hand in self._hands:
            try:
                hand.hear(max(0.0, until - time.monotonic()))
            except MemberError as cause:
                return cause
        return None


def _of_exchange(error: BaseException) -> bool:
    """Whether this is the other end of what went wrong elsewhere: gloo's errors are known by their text alone."""
    return isinstance(error, distributed.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


_CREWS: list[Crew] = []
"""The one crew of this process, if there is one: torch has one default process group."""


def crew_of(data: Resident, size: int) -> Crew:
    """The crew for this data; the one that there is, idle since the last trial, if it suits, for a start costs seconds."""
    if _CREWS and not (_CREWS[0].sound and _CREWS[0].data is data and _CREWS[0].size == size):
        dismiss()
    if not _CREWS:
        _CREWS.append(Crew(data, size))
    return _CREWS[0]


@atexit.register
def dismiss(data: Resident | None = None) -> None:
    """Ends the crew that there is; if data is given, only one for that."""
    if _CREWS and (data is None or _CREWS[0].data is data):
        _CREWS.pop().dismiss()
