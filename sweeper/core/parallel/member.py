"""What runs in every process of a team: a stack like rank 0's, moved by the same calls. ``python -m`` runs it in the others."""

from __future__ import annotations

import io
import os
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from sweeper.trial import Trial

if TYPE_CHECKING:
    import torch

    from sweeper.core.batches import Resident
    from sweeper.core.parallel.lane import TeamLane
    from sweeper.core.parallel.team import Team
    from sweeper.trial import Tree


class Member:
    """One process's part in training; every process of the team gets the same calls in the same order.

    Args:
        team: the processes.
        data: on this one's device.
    """

    def __init__(self, team: Team, data: Resident) -> None:
        from sweeper.core.stack.plain import PlainStack

        self._team = team
        self._data = data
        self._stack = PlainStack([], data)
        self._steps: Iterator[object] = iter(())

    def begin(self, trials: Sequence[Tree], rates: Sequence[float] | None) -> None:
        """Fresh lanes in place of all that there were.

        Args:
            trials: the fields of each.
            rates: a schedule step by step, if it is not the configs'.
        """
        from sweeper.core.loop import set_threads
        from sweeper.core.parallel.stack import TeamStack

        lanes = [Trial(**trial) for trial in trials]
        set_threads(lanes[0], self._data)
        table = None if rates is None else (lambda step: rates[min(step, len(rates) - 1)])
        self._stack = TeamStack(lanes, self._data, self._team, table, None if rates is None else len(rates))

    def lane(self, slot: int) -> TeamLane:
        """The lane in this slot; no exchange."""
        found: TeamLane = self._stack.lane(slot)  # type: ignore[assignment]
        return found

    def put(self, slot: int, trial: Tree) -> None:
        """See ``Stack.put``; ``trial`` is its fields."""
        self._stack.put(slot, Trial(**trial))

    def drop(self, slot: int) -> None:
        """See ``Stack.drop``."""
        self._stack.drop(slot)

    def run_epoch(self) -> dict[int, dict[str, float]]:
        """See ``Stack.run_epoch``."""
        return self._stack.run_epoch()

    def record(self, steps: int) -> torch.Tensor:
        """See ``Stack.record``."""
        return self._stack.record(steps)

    def validate(self) -> dict[int, dict[str, float]]:
        """See ``Stack.validate``."""
        return self._stack.validate()

    def rehearse(self) -> None:
        """Begins what ``rehearsed`` goes on with."""
        self._steps = self._stack.rehearse()

    def rehearsed(self) -> bool:
        """Takes a step; False when the epoch is over."""
        return next(self._steps, self) is not self

    def level(self, slot: int, value: float) -> None:
        """Sets ``Lane.level``."""
        self.lane(slot).level = value

    def state(self, slot: int) -> Mapping[str, torch.Tensor]:
        """See ``Lane.state``."""
        return self.lane(slot).state()

    def memory(self, slot: int) -> Mapping[str, torch.Tensor]:
        """See ``Lane.memory``."""
        return self.lane(slot).memory()

    def recall(self, slot: int, memory: Mapping[str, torch.Tensor], epoch: int) -> None:
        """See ``Lane.recall``."""
        self.lane(slot).recall(memory, epoch)


def encode(message: Any) -> bytes:
    """Plain data and tensors as bytes, from which ``decode`` makes plain data and tensors and nothing else."""
    import torch

    buffer = io.BytesIO()
    torch.save(message, buffer)
    return buffer.getvalue()


def decode(message: bytes) -> Any:
    """What ``encode`` was given."""
    import torch

    return torch.load(io.BytesIO(message), weights_only=True)


def pack(data: Resident) -> dict[str, Any]:
    """The data as ``encode`` takes it, on the CPU; of streamed inputs, how and where they are read."""
    import torch

    from sweeper.core.batches import Rows, StreamedRows
    from sweeper.data.elsewhere import told

    found = {field.name: getattr(data, field.name) for field in fields(data) if field.name != "device"}
    for name, value in found.items():
        if isinstance(value, Rows):
            found[name] = value.x.cpu(), value.y.cpu()
        elif isinstance(value, StreamedRows):
            x = told(value.x.source)
            found[name] = {**x, "rows": torch.from_numpy(x["rows"])}, value.y.cpu()
    return found


def unpack(packed: dict[str, Any], device: torch.device) -> Resident:
    """The data again, on a device."""
    from sweeper.core.batches import Resident, Rows, Source, StreamedRows
    from sweeper.core.stream import Stream
    from sweeper.data.elsewhere import heard

    parts: dict[str, Source] = {}
    for name in ("train", "val"):
        x, y = packed[name]
        if isinstance(x, dict):
            parts[name] = StreamedRows(Stream(heard({**x, "rows": x["rows"].numpy()}), device), y.to(device))
        else:
            parts[name] = Rows(x.to(device), y.to(device))
    return Resident(**{**packed, **parts}, device=device)


def main(descriptor: int) -> int:
    """Serves rank 0, which is at the other end of a socket, until it hangs up.

    Every order is answered by nothing, or by what went wrong; then this process ends, for it is no more in step with the others.
    """
    connection = Connection(descriptor)
    orders: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, orders), daemon=True).start()

    import torch

    from sweeper.core.parallel.team import Team

    connection.send_bytes(b"")
    try:
        rank, size, device, port, data = decode(orders.get())
        team = Team.join(rank, size, torch.device(device), port)
        member = Member(team, unpack(data, team.device))
        while True:
            name, arguments = decode(orders.get())
            getattr(member, name)(*arguments)
            connection.send_bytes(b"")
    except Exception as error:  # noqa: BLE001 - whatever a model's code raises is told by rank 0
        connection.send_bytes(_described(error).encode())
        return 1


def _listen(connection: Connection, orders: SimpleQueue[bytes]) -> None:
    """Takes in orders; when rank 0's process is gone, so is this one, whatever it is doing."""
    while True:
        try:
            orders.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)


def _described(error: Exception) -> str:
    """The error, and where it was raised."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{''.join(traceback.format_exception_only(error)).strip()} ({Path(where.filename).name}:{where.lineno} in {where.name})"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
