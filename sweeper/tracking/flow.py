"""Names and values in a row that breaks between pairs only (Rich breaks lines at no-break spaces, too)."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

from sweeper.tracking.words import scalar
from sweeper.trial import Scalar


class Flow:
    """Sampled values as ``model.width 128   optimizer adamw   ...``, in as many lines as the space needs."""

    def __init__(self, values: Mapping[str, Scalar], gap: str = "   ") -> None:
        self._pairs = [Text.assemble((f"{name} ", "dim"), scalar(value)) for name, value in values.items()]
        self._gap = gap

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = Text(no_wrap=True, overflow="ellipsis")
        for pair in self._pairs:
            if line.cell_len and line.cell_len + len(self._gap) + pair.cell_len > options.max_width:
                yield line
                line = Text(no_wrap=True, overflow="ellipsis")
            line.append(self._gap if line.cell_len else "").append_text(pair)
        yield line

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widths = [pair.cell_len for pair in self._pairs] or [0]
        longest = min(max(widths), options.max_width)
        return Measurement(longest, max(longest, min(sum(widths) + len(self._gap) * (len(widths) - 1), options.max_width)))
