"""A space: a config in which some leaves are distributions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeper.config import counting, reach, vetting
from sweeper.config.code import settle
from sweeper.config.conditions import told
from sweeper.config.files import flat, tree_of
from sweeper.config.overrides import apply
from sweeper.config.plan import Leaf, Plan, Slot
from sweeper.config.read import read
from sweeper.config.resolve import Forbidden, Resolved, Suggest, digest, resolve, structure
from sweeper.config.schema import Config
from sweeper.config.strict_yaml import dump, load
from sweeper.config.text_file import read_text
from sweeper.trial import Scalar

__all__ = ["Forbidden", "Leaf", "Resolved", "Space", "Suggest"]

_NOT_IDENTITY = ("search.trials", "search.budget", "resources")


@dataclass(frozen=True)
class Space:
    """A config in which some leaves are distributions.

    Attributes:
        name: the sweep's default name.
        source: the file, for messages.
        text: the YAML after ``--set`` and with the folder of a custom model; ``Space.parse(text, source)`` gives an equal space.
        base: the default config.
        leaves: what is drawn, in drawing order: what fixes the shape first, parents of ``when`` before children.
    """

    name: str
    source: str
    text: str
    base: Config
    leaves: tuple[Leaf, ...]
    _plan: Plan = field(repr=False)

    @classmethod
    def load(cls, path: Path, overrides: Sequence[str] = ()) -> Space:
        """Read a space file, with each ``key=value`` of ``overrides`` written into it.

        Raises:
            InputError: every problem of the file and the overrides.
        """
        return cls.parse(read_text(path), str(path), overrides, folder=path.parent)

    @classmethod
    def parse(cls, text: str, source: str, overrides: Sequence[str] = (), *, folder: Path | None = None) -> Space:
        """Read a space from text, with each ``key=value`` of ``overrides`` written into it.

        Args:
            text: YAML.
            source: its name in messages.
            overrides: ``key=value`` each.
            folder: of the file, which may hold a custom model's module.

        Raises:
            InputError: every problem of the text and the overrides.
        """
        located = apply(load(text, source), overrides)
        changed = bool(overrides) | (folder is not None and settle(located, folder))
        plan = read(located)
        base = vetting.vet(located, plan)
        return cls(
            name=base.name,
            source=source,
            text=dump(located.tree) if changed else text,
            base=base,
            leaves=tuple(slot.leaf for slot in plan.slots),
            _plan=plan,
        )

    def resolve(self, suggest: Suggest, *, seed: int) -> Resolved:
        """Draw one config: ``suggest`` is asked for each active leaf, those that fix the shape first.

        Args:
            suggest: gives a value of the leaf's distribution.
            seed: becomes ``training.seed``.

        Raises:
            Forbidden: the combination is never tried.
            ValueError: ``suggest`` gave a value outside the distribution.
        """
        return resolve(self._plan, suggest, seed)

    def structure(self, suggest: Suggest) -> dict[str, Scalar]:
        """Draw only the leaves that fix the shape.

        Raises:
            Forbidden: these values alone are forbidden.
        """
        return structure(self._plan, suggest).values

    def usual(self, leaf: Leaf) -> Scalar:
        """A leaf's value in the default config; None of an ``auto`` one that names none: its range test's suggestion."""
        return next(slot.default for slot in self._plan.slots if slot.leaf.name == leaf.name)

    def under(self, structure: Mapping[str, Scalar]) -> Config:
        """The default config with these values of the leaves that fix the shape; whether it may be tried is not asked."""
        return vetting.under(self._plan, structure)

    def default(self, *, seed: int) -> Resolved:
        """The default config, with every active leaf's default as its drawn value."""
        return resolve(self._plan, vetting.defaults(self._plan), seed)

    def corners(self) -> Iterator[Config]:
        """Configs that together use every option and every bound; those that a rule forbids are left out."""
        return vetting.corners(self._plan)

    def unreachable(self) -> list[str]:
        """Names of the parameters that no config ever draws, because no values of the others let them."""
        return reach.unreachable(self._plan)

    def rules(self) -> list[str]:
        """The rules of ``forbid``, each in a line."""
        return [told(rule) for rule in self._plan.forbid]

    def idle_rules(self) -> list[str]:
        """Those of them that no config matches, so that they forbid nothing."""
        return [told(rule) for rule in reach.idle(self._plan)]

    def identity(self) -> dict[str, Any]:
        """Every key but ``search.trials``, ``search.budget`` and ``resources``; two spaces are the same sweep iff these are equal."""
        tree = {name: value for name, value in tree_of(self.base).items() if name not in self._plan.sections}
        out: dict[str, Any] = flat(tree)
        out["forbid"] = [{condition.path: condition.tree() for condition in rule} for rule in self._plan.forbid]
        for name, section in self._plan.sections.items():
            for label, fixed in section.fixed.items():
                prefix = f"{name}.{label}" if label else name
                out.update({f"{prefix}.{key}": value for key, value in fixed.items()})
        out.update({slot.leaf.name: _written(slot) for slot in self._plan.slots})
        return {key: out[key] for key in sorted(out) if not any(key == name or key.startswith(f"{name}.") for name in _NOT_IDENTITY)}

    def fingerprint(self) -> str:
        """The sha256 of the identity, as hex."""
        return digest(self.identity())

    def combinations(self) -> int | None:
        """How many distinct configs can be drawn; None when they are infinitely many, or too many to count one by one."""
        return counting.count(self._plan)


def _written(slot: Slot) -> dict[str, Any]:
    tree = {**slot.leaf.distribution.tree(), "default": slot.default}
    if slot.when:
        tree["when"] = {condition.path: condition.tree() for condition in slot.when}
    return tree
