"""How other libraries read a learning rate off one curve: their smoothing, stop and rule as they document them; none of their code.

Each rule takes the ladder ``[N]`` and the loss before each step ``[N]``, NaN after the first that is not finite, with the library's default
settings, and gives a learning rate, or None where the library raises an exception or has no suggestion. ``benchmarks.ranges.installed``
runs the libraries themselves on the same curves, where they are installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

Rule = Callable[[np.ndarray, np.ndarray], float | None]


def _until_diverged(smoothed: Iterable[float], factor: float, first: int = 0) -> np.ndarray:
    """The smoothed losses up to and with the first that is above ``factor`` times the lowest so far; NaN stops nothing.

    Args:
        smoothed: one by one.
        factor: how many times the lowest is too much.
        first: the first one that may stop the test.
    """
    kept: list[float] = []
    lowest = np.inf
    for number, loss in enumerate(smoothed):
        kept.append(loss)
        lowest = min(loss, lowest) if loss == loss else lowest  # noqa: PLR0124 - not NaN
        if number >= first and loss > factor * lowest:
            break
    return np.array(kept)


def _averaged(losses: np.ndarray, memory: float, late: int) -> Iterable[float]:
    """Exponential average from zero, divided by the share that the values so far have; ``late`` steps too many are counted for it."""
    average = 0.0
    for number, loss in enumerate(losses):
        average = memory * average + (1 - memory) * float(loss)
        yield average / (1 - memory ** (number + 1 + late))


def _blended(losses: np.ndarray, share: float) -> Iterable[float]:
    """Exponential average from the first loss; ``share`` is the newest one's."""
    average = float(losses[0])
    yield average
    for loss in losses[1:]:
        average = share * float(loss) + (1 - share) * average
        yield average


def _fastai(lrs: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What fastai's rules see: an average of memory 0.98, stopped at 4 times the lowest, without a tenth at the start and 5 at the end."""
    smoothed = _until_diverged(_averaged(losses, 0.98, 0), 4.0)
    begin, end = len(losses) // 10, len(smoothed) - 5
    seen = smoothed[begin : max(begin, end)]
    broken = np.flatnonzero(np.isnan(seen))
    seen = seen[: broken[0]] if len(broken) else seen
    return lrs[begin:][: len(seen)], seen


def fastai_valley(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    """Half of the way along the middle third of the longest run of falling losses, in which losses that do not fall may be left out."""
    lrs, seen = _fastai(lrs, losses)
    if not len(seen):
        return None
    longest = np.ones(len(seen), dtype=int)
    end, begin = 0, 0
    for here in range(1, len(seen)):
        above = longest[:here][seen[:here] > seen[here]]
        longest[here] = 1 + (int(above.max()) if len(above) else 0)
        if longest[here] > longest[end]:
            # The rule takes the valley to begin as many points before its end as it has, though it may have left some out.
            end, begin = here, here - int(longest[here])
    third = (end - begin) / 3
    return float(lrs[begin + int(third) + int(third / 2)])


def fastai_slide(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    """From the right end, two points 15 apart slide to the left until the slopes at them differ by no more than 0.005."""
    lrs, seen = _fastai(lrs, losses)
    apart = 15
    if len(seen) <= apart:
        return None
    slopes = np.gradient(seen)
    left = len(seen) - 1 - apart
    found = float(lrs[left])
    while left >= 0 and abs(slopes[left + apart] - slopes[left]) > 0.005:
        found = float(lrs[left])
        left -= 1
    return found


def fastai_steep(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    """Where the loss falls most per logarithm of the learning rate."""
    lrs, seen = _fastai(lrs, losses)
    if len(seen) < 2:
        return None
    return float(lrs[int(np.argmin(np.diff(seen) / np.diff(np.log(lrs))))])


def fastai_minimum(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    """A tenth of the learning rate with the lowest loss."""
    lrs, seen = _fastai(lrs, losses)
    return float(lrs[int(np.argmin(seen))]) / 10 if len(seen) else None


def _lightning(lrs: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What Lightning's rules see, in single precision: the average is corrected for one step too many; stopped at 4 times the lowest."""
    smoothed = _until_diverged(_averaged(losses, 0.98, 1), 4.0, first=1)[10:-1]
    return lrs[10:][: len(smoothed)].astype(np.float32), smoothed.astype(np.float32)


def lightning(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    """Lightning since 2.5.3: where the loss falls most per unit of the learning rate."""
    ladder, seen = _lightning(lrs, losses)
    finite = np.isfinite(seen)
    if np.sum(finite) < 2:
        return None
    return float(ladder[finite][int(np.argmin(np.gradient(seen[finite], ladder[finite])))])


def lightning_before(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    """Lightning before 2.5.3: where the loss falls most per step; counted among the finite ones, looked up among all."""
    ladder, seen = _lightning(lrs, losses)
    finite = np.isfinite(seen)
    if np.sum(finite) < 2:
        return None
    return float(ladder[int(np.argmin(np.gradient(seen[finite])))])


def torch_lr_finder(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    """Where a blend with 0.05 of the newest loss falls most per step, but for 10 points at the start and 5 at the end.

    It stops at 5 times the lowest. NaN is the smallest to NumPy's argmin, so that with NaN in the curve it is the last point before.
    """
    smoothed = _until_diverged(_blended(losses, 0.05), 5.0)
    if len(smoothed) < 17:
        return None
    return float(lrs[10 + int(np.argmin(np.gradient(smoothed[10:-5])))])


def ignite(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    """Where the same blend falls most per step before its minimum; NaN is the smallest to torch's argmin, too."""
    smoothed = _until_diverged(_blended(losses, 0.05), 5.0).astype(np.float32)
    falling = smoothed[: int(np.argmin(smoothed)) + 1]
    if len(falling) < 3:
        return None
    return float(lrs[1 + int(np.argmin((falling[2:] - falling[:-2]) / 2))])


PEERS: Mapping[str, Rule] = {
    "fastai valley": fastai_valley,
    "fastai slide": fastai_slide,
    "fastai steep": fastai_steep,
    "fastai minimum": fastai_minimum,
    "Lightning": lightning,
    "Lightning < 2.5.3": lightning_before,
    "torch-lr-finder": torch_lr_finder,
    "ignite": ignite,
}
"""By the name in the tables."""
