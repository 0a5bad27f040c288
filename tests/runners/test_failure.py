from __future__ import annotations

import pytest

from sweeper.runners.failure import describe, out_of_memory


class OutOfMemoryError(RuntimeError):
    """Named as torch.cuda's."""


@pytest.mark.parametrize(
    "error",
    [MemoryError(), OutOfMemoryError("CUDA out of memory"), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")],
)
def test_exhausted_memory_is_told_from_other_errors(error: Exception) -> None:
    """Host and device memory count alike."""
    assert out_of_memory(error)
    assert describe(error).startswith("out of memory: ")


def test_a_long_message_is_cut_and_only_the_innermost_frames_are_kept() -> None:
    """A reason stays readable however deep the stack and however long the message."""

    def deep(n: int) -> None:
        if n == 0:
            raise RuntimeError("x" * 10_000)
        deep(n - 1)

    with pytest.raises(RuntimeError) as caught:
        deep(20)
    reason = describe(caught.value)
    assert len(reason) < 1_000
    assert reason.count("\n") == 3
    assert not out_of_memory(caught.value)


def test_an_error_without_a_message_is_its_type() -> None:
    """No dangling colon."""
    assert describe(KeyError()) == "KeyError"
