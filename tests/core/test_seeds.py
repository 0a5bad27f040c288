"""Random numbers that belong to a trial."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from sweeper.core.seeds import Blocks


@given(st.lists(st.integers(0, 700_000), min_size=1, max_size=5))
def test_a_devices_numbers_do_not_depend_on_how_they_are_cut(sizes: list[int]) -> None:
    """Pieces of any size, within a block or across several, are those of one draw of all of them."""

    def blocks() -> Blocks:
        return Blocks(7, torch.device("cpu"), lambda n, generator: torch.rand(n, generator=generator))

    pieces = blocks()
    assert torch.equal(torch.cat([pieces.take(size) for size in sizes]), blocks().take(sum(sizes)))
