"""Data for two processes; they are started by the first test that needs them and serve all that follow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from sweeper.core.batches import Resident
from sweeper.core.parallel import crew
from sweeper.data.dataset import Dataset
from tests.core.driving import cut


@pytest.fixture(scope="package")
def data(digits: Dataset) -> Iterator[Resident]:
    """Rows for four batches of 32 and one of 23, which two processes share as 11 and 12."""
    found = Resident.of(cut(digits, 151, 61), torch.device("cpu"))
    yield found
    crew.dismiss(found)
