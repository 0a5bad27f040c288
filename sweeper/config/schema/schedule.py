"""The ``schedule:`` section: one mapping per schedule."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from sweeper.config.schema.node import Node, per_lane

GAMMA = "the learning rate is multiplied by this"
FINAL = "last learning rate as a share of the peak"


def _share(standard: str) -> Any:
    """The key ``warmup_fraction`` of a schedule that has this warm-up where none is asked for."""
    words = f"share of all steps spent warming up; null: {standard}, or what warmup_epochs or warmup_steps says"
    return per_lane(None, ge=0, lt=1, description=words)


class Warmed(Node):
    """What every schedule has: a linear warm-up from 1/100 of the peak, given in one of three ways.

    Attributes:
        standard_warmup: share of all steps spent warming up where none of the three is given.
    """

    standard_warmup: ClassVar[float] = 0.0

    name: str
    warmup_fraction: float | None = _share("none")
    warmup_epochs: float | None = per_lane(None, ge=0, description="epochs spent warming up, whole or not")
    warmup_steps: int | None = per_lane(None, ge=0, description="optimizer steps spent warming up")

    @property
    def warmup_share(self) -> float:
        """``warmup_fraction``, or what stands for it where it is null."""
        return self.standard_warmup if self.warmup_fraction is None else self.warmup_fraction

    def warmup_length(self, epochs: int) -> float | None:
        """Epochs that the warm-up of so many epochs takes; None where it is given in steps."""
        if self.warmup_steps is not None:
            return None
        return self.warmup_share * epochs if self.warmup_epochs is None else self.warmup_epochs


class Constant(Warmed):
    """The peak learning rate throughout."""

    name: Literal["constant"] = "constant"


class Step(Warmed):
    """A drop every so many epochs, counted from the beginning of training."""

    name: Literal["step"] = "step"
    step_size: int = per_lane(10, ge=1, description="epochs between two drops")
    gamma: float = per_lane(0.1, gt=0, le=1, description=f"{GAMMA} at each drop")


class MultiStep(Warmed):
    """A drop after each of the named epochs."""

    name: Literal["multi_step"] = "multi_step"
    milestones: list[Annotated[int, Field(ge=1)]] = per_lane([15, 25], min_length=1, description="epochs after which it drops, ascending")
    gamma: float = per_lane(0.1, gt=0, le=1, description=f"{GAMMA} at each drop")


class Exponential(Warmed):
    """The same factor in every epoch after the warm-up, spread evenly over its steps."""

    name: Literal["exponential"] = "exponential"
    gamma: float = per_lane(0.9, gt=0, le=1, description=f"{GAMMA} over an epoch")


class Cosine(Warmed):
    """Half a cosine from the peak down to ``final_fraction`` of it, over the full run's steps (Loshchilov & Hutter, 2017)."""

    name: Literal["cosine"] = "cosine"
    final_fraction: float = per_lane(0.0, ge=0, le=1, description=FINAL)


class CosineRestarts(Warmed):
    """Half cosines one after another, each from the peak again (SGDR; Loshchilov & Hutter, 2017)."""

    name: Literal["cosine_restarts"] = "cosine_restarts"
    period: int = per_lane(10, ge=1, description="epochs of the first cosine, counted from the end of the warm-up")
    multiplier: int = per_lane(2, ge=1, description="each cosine is so many times as long as the one before")
    final_fraction: float = per_lane(0.0, ge=0, le=1, description="learning rate before a restart as a share of the peak")


class WarmupCosine(Warmed):
    """Linear warm-up from 1/100 of the peak, then a cosine down to ``final_fraction`` of it, over the full run's steps."""

    standard_warmup: ClassVar[float] = 0.1

    name: Literal["warmup_cosine"] = "warmup_cosine"
    warmup_fraction: float | None = _share("0.1")
    final_fraction: float = per_lane(0.0, ge=0, le=1, description=FINAL)


class WarmupLinear(Warmed):
    """Linear warm-up from 1/100 of the peak, then a straight line down to ``final_fraction`` of it, over the full run's steps."""

    standard_warmup: ClassVar[float] = 0.1

    name: Literal["warmup_linear"] = "warmup_linear"
    warmup_fraction: float | None = _share("0.1")
    final_fraction: float = per_lane(0.0, ge=0, le=1, description=FINAL)


class OneCycle(Warmed):
    """One cycle over the full run's steps (Smith & Topin, 2018), as torch's ``OneCycleLR`` has it: up and down, each half a cosine.

    Its warm-up begins at ``1 / initial_div`` of the peak. Momentum is not cycled.
    """

    standard_warmup: ClassVar[float] = 0.3

    name: Literal["one_cycle"] = "one_cycle"
    warmup_fraction: float | None = _share("0.3")
    initial_div: float = per_lane(25.0, ge=1, description="peak over the first learning rate")
    final_div: float = per_lane(1e4, ge=1, description="first learning rate over the last one")


class ReduceOnPlateau(Warmed):
    """A drop whenever ``search.metric`` has not improved by more than ``training.min_delta`` for some epochs."""

    name: Literal["reduce_on_plateau"] = "reduce_on_plateau"
    factor: float = per_lane(0.1, gt=0, lt=1, description=f"{GAMMA} at each drop")
    patience: int = per_lane(
        3, ge=1, description="epochs without an improvement before a drop, as training.patience counts them; torch's is one less"
    )
    min_fraction: float = per_lane(0.0, ge=0, le=1, description="lowest learning rate as a share of the peak")


Schedule: TypeAlias = (
    Constant | Step | MultiStep | Exponential | Cosine | CosineRestarts | WarmupCosine | WarmupLinear | OneCycle | ReduceOnPlateau
)
OneSchedule: TypeAlias = Annotated[Schedule, Field(discriminator="name")]
