"""Learning-rate drops that answer to the metric, and not to the step."""

from __future__ import annotations

from sweeper.config.schema import ReduceOnPlateau


class Plateau:
    """Multiplies the learning rate by ``factor`` whenever the metric has stood still for ``patience`` epochs.

    As ``torch.optim.lr_scheduler.ReduceLROnPlateau`` with an absolute threshold and no cooldown, but for ``patience``, which counts as
    early stopping does: torch drops one epoch later. What is an improvement is decided outside, once for both.

    It has no state of its own to save: the reports of a trial say everything, and whoever takes a trial up tells them again.

    Args:
        config: its numbers.

    Attributes:
        level: the learning rate as a share of what the schedule says.
    """

    def __init__(self, config: ReduceOnPlateau) -> None:
        self._config = config
        self._counted_from = 0
        self.level = 1.0

    def update(self, epoch: int, improved: int) -> None:
        """Takes a 1-based epoch that is over, and the last one so far that was an improvement (0: none was)."""
        self._counted_from = max(self._counted_from, improved)
        if epoch - self._counted_from >= self._config.patience:
            self.level = max(self.level * self._config.factor, self._config.min_fraction)
            self._counted_from = epoch
