"""From the data of a file to a plan, checking every key, bound and option against the schema on the way."""

from __future__ import annotations

from typing import Any

from sweeper.config import conditions, keys, nearest, parse_distribution
from sweeper.config.conditions import Condition, Rule
from sweeper.config.distributions import Auto, Choice, Distribution
from sweeper.config.keys import Key, NodeType
from sweeper.config.located import Located
from sweeper.config.plan import Leaf, Plan, Section, Slot, order, parents
from sweeper.config.schema import Config
from sweeper.config.strict_yaml import KeyPath
from sweeper.trial import Scalar


def read(located: Located) -> Plan:
    """Read a space or a config, its slots in drawing order.

    Problems are noted in ``located``, not raised. A key with a problem takes its default in the plan, so that the keys can still be
    judged together and all problems of a file are told at once.

    Raises:
        InputError: conditions wait for each other, so that there is no order to draw in.
    """
    reader = _Reader(located)
    plan = reader.plan()
    return Plan(plan.sections, reader.ordered(plan.slots), plan.forbid, plan.rest)


class _Reader:
    """Walks the tree beside the schema."""

    def __init__(self, located: Located) -> None:
        self.located = located
        self.slots: list[Slot] = []

    def plan(self) -> Plan:
        tree = self.located.tree
        self._unknown((), tree, Config)
        sections: dict[str, Section] = {}
        rest: dict[str, Any] = {}
        for name in Config.model_fields:
            if name in keys.SEARCHED:
                sections[name] = self._section(name, tree.get(name, {}))
            elif (node := keys.mapping(Config, name)) is not None:
                rest[name] = self._mapping((name,), tree.get(name, {}), node)
            elif name == "forbid" and isinstance(tree.get(name), list):
                rest[name] = [rule for rule in tree[name] if isinstance(rule, dict)]  # others are noted by _forbid
            elif name in tree or keys.key(Config, name).required:
                rest[name] = self._fixed((name,), tree, Config, name)
        return Plan(sections, tuple(self.slots), self._forbid(tree.get("forbid")), rest)

    def ordered(self, slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
        """The slots in drawing order; refuses conditions that wait for each other, and structural leaves that wait for scalars."""
        for slot in slots:
            scalar = [p for p in parents(slot, slots) if not p.leaf.structural]
            if slot.leaf.structural and scalar:
                self.located.problem(
                    slot.at,
                    f"{slot.leaf.path} fixes the shape, but its when looks at {scalar[0].leaf.path}, which does not",
                    "a when on keys that fix the shape",
                    "put the condition on another key",
                    at=(*slot.at, "when"),
                )
        done, stuck = order(slots)
        for slot in stuck:
            others = ", ".join(p.leaf.path for p in parents(slot, slots) if p in stuck)
            found = f"its when waits for {others}, in a circle"
            self.located.problem(slot.at, found, "no circles", "delete one of the when", at=(*slot.at, "when"))
        if stuck:
            self.located.check()
        return tuple(done)

    # sections that are searched

    def _section(self, name: str, tree: Any) -> Section:
        family = keys.family(Config, name)
        members = keys.members(name)
        path: KeyPath = (name,)
        fallback = _defaults(members[family.default if family else ""])
        if not isinstance(tree, dict):
            hint = f"write {name}: {{{family.tag}: {family.default}}}" if family else f"write {name}: {{{next(iter(fallback))}: ...}}"
            self.located.problem(path, keys.found(tree), "a mapping", hint)
            return Section({"": fallback}, fallback)
        if parse_distribution.kinds(tree):
            return self._choice_of_trees(name, tree, fallback)
        return Section({"": self._tree(path, name, tree, None)}, fallback)

    def _choice_of_trees(self, name: str, tree: dict[str, Any], fallback: dict[str, Scalar]) -> Section:
        path: KeyPath = (name,)
        options = tree.get("choice")
        example = f"write {name}: {{choice: [{{...}}, {{...}}]}}"
        if "choice" not in tree:
            self.located.problem(
                path,
                f"a range, but {name} is a mapping",
                "a mapping, or a choice of mappings",
                example,
                at=(*path, parse_distribution.kinds(tree)[0]),
            )
            return Section({"": fallback}, fallback)
        for other in tree:
            if other not in ("choice", "default", "when"):
                allowed = "choice, default, when"
                self.located.problem(path, f'unknown key "{other}" beside a choice of mappings', allowed, example, at=(*path, other))
        if not isinstance(options, list) or len(options) < 2 or not all(isinstance(option, dict) for option in options):
            self.located.problem(path, keys.found(options), "a list of two or more mappings", example, at=(*path, "choice"))
            return Section({"": fallback}, fallback)
        labels = keys.labels(name, options)
        choice = Choice(tuple(labels))
        default = self._default(path, tree, choice, labels[0], ", ".join(labels))
        when = self._when(path, tree)
        self.slots.append(Slot(Leaf(name, name, choice, structural=True), default, None, when, None, path))
        fixed = {}
        for index, (label, option) in enumerate(zip(labels, options, strict=True)):
            at = (*path, "choice", index)
            if options.index(option) < index:
                self.located.problem(path, "the same mapping stands twice in the choice", "each once", "delete one of the two", at=at)
            fixed[label] = self._tree(at, name, option, label)
        return Section(fixed, fallback)

    def _tree(self, path: KeyPath, section: str, tree: dict[str, Any], label: str | None) -> dict[str, Scalar]:
        """One mapping of a searched section; returns its fixed leaves and notes its slots."""
        family = keys.family(Config, section)
        members = keys.members(section)
        tag = family.default if family else ""
        if family and family.tag in tree:
            written = tree[family.tag]
            if not isinstance(written, str) or written not in members:
                self._unknown_member(path, section, family, written)
                return _defaults(members[tag])
            tag = written
        node = members[tag]
        self._unknown(path, tree, node, f" of {family.tag} {tag}" if family else "")
        fixed: dict[str, Any] = {}
        for name in node.model_fields:
            if name == keys.free(node):
                for inner, value in self._free((*path, name), tree.get(name, {})).items():
                    self._leaf((*path, name, inner), value, keys.key(node, f"{name}.{inner}"), section, label, fixed)
                continue
            leaf = keys.key(node, name)
            if name in tree:
                self._leaf((*path, name), tree[name], leaf, section, label, fixed)
            elif leaf.required:
                fixed[name] = self._fixed((*path, name), tree, node, name)
            else:
                fixed[name] = leaf.default
        return fixed

    def _leaf(self, path: KeyPath, value: Any, leaf: Key, section: str, label: str | None, fixed: dict[str, Any]) -> None:
        """What is written at a leaf: its value goes into ``fixed``, unless it is to be drawn."""
        if value == parse_distribution.AUTO and not leaf.accepts(value):
            value = {parse_distribution.AUTO: None}
        if not isinstance(value, dict):
            fixed[leaf.name] = self._value(path, value, leaf)
        elif not self._slot(path, value, leaf, section, label):
            fixed[leaf.name] = leaf.default

    def _free(self, path: KeyPath, tree: Any) -> dict[str, Any]:
        """A mapping of anybody's names."""
        if not isinstance(tree, dict) or (parse_distribution.kinds(tree) and len(tree) == 1):
            found = keys.found(tree) if not isinstance(tree, dict) else "a distribution, but it is the values below it that may be searched"
            self.located.problem(path, found, "a mapping of names to values", f"write {path[-1]}: {{width: {{int: [16, 128]}}}}")
            return {}
        for name in [name for name in tree if not name.isidentifier()]:
            self.located.problem(
                (*path, name), f'"{name}" cannot be passed by name', "a Python name", "write letters, digits and underscores"
            )
        return {name: value for name, value in tree.items() if name.isidentifier()}

    def _unknown_member(self, path: KeyPath, section: str, family: keys.Family, written: Any) -> None:
        names = ", ".join(family.members)
        at = (*path, family.tag)
        if isinstance(written, dict):
            trees = ", ".join(f"{{{family.tag}: {name}, ...}}" for name in list(family.members)[:2])
            self.located.problem(
                at,
                f"{family.tag} cannot be searched by itself: each {section} has its own keys",
                names,
                f"write {section}: {{choice: [{trees}]}}",
            )
            return
        hint = nearest.hint(str(written), family.members) or f"write {family.tag}: {family.default}"
        self.located.problem(at, f"unknown {section} {keys.show(written)}", names, hint)

    def _slot(self, path: KeyPath, tree: dict[str, Any], leaf: Key, section: str, label: str | None) -> bool:
        """Note what is to be drawn at a leaf; False when that cannot be read."""
        if section == "training" and leaf.name == "seed":
            self.located.problem(path, "the seed of a trial cannot be searched", leaf.allowed, "delete it: a sweep draws one per trial")
            return False
        distribution = parse_distribution.parse(self.located, path, tree, leaf)
        when = self._when(path, tree)
        if distribution is None:
            return False
        default = self._default(
            path, tree, distribution, _standard(section, leaf, distribution), f"a value of {keys.show(distribution.tree())}"
        )
        if isinstance(distribution, Auto) and "default" not in tree:
            default = None
        name = ".".join(part for part in (section, label, leaf.name) if part)
        drawn = Leaf(name, f"{section}.{leaf.name}", distribution, not leaf.per_lane)
        self.slots.append(Slot(drawn, default, leaf.default, when, label, path))
        return True

    def _default(self, path: KeyPath, tree: dict[str, Any], distribution: Distribution, standard: Scalar, allowed: str) -> Scalar:
        if "default" not in tree:
            return standard
        default = tree["default"]
        if not isinstance(default, dict | list) and distribution.contains(default):
            return float(default) if isinstance(standard, float) and isinstance(default, int) else default
        if (
            isinstance(distribution, Choice)
            and isinstance(default, int)
            and not isinstance(default, bool)
            and distribution.contains(float(default))
        ):
            return float(default)
        hint = f"write default: {keys.show(standard)}"
        self.located.problem(path, f"the default {keys.show(default)} cannot be drawn", allowed, hint, at=(*path, "default"))
        return standard

    def _when(self, path: KeyPath, tree: dict[str, Any]) -> tuple[Condition, ...]:
        if "when" not in tree:
            return ()
        when = conditions.parse(self.located, (*path, "when"), tree["when"], path)
        for condition in when:
            section, _, name = condition.path.partition(".")
            present = self._present(section)
            if not any(keys.has(node, name) for node in present):
                known = [f"{section}.{field}" for node in present for field in node.model_fields]
                hint = nearest.hint(condition.path, known)
                at = (*path, "when", condition.path)
                self.located.problem(path, f'no {section} of this file has the key "{name}"', ", ".join(known), hint, at=at)
        return when

    def _present(self, section: str) -> list[NodeType]:
        """The members of a family that the file uses."""
        members = keys.members(section)
        tree = self.located.tree.get(section, {})
        options = tree.get("choice", [tree]) if isinstance(tree, dict) else []
        tags = [keys.tag(section, option) for option in options] if isinstance(options, list) else []
        return [node for tag, node in members.items() if tag in tags] or list(members.values())

    # everything else

    def _mapping(self, path: KeyPath, tree: Any, node: NodeType) -> dict[str, Any]:
        if not isinstance(tree, dict):
            self.located.problem(path, keys.found(tree), "a mapping", f"write {path[-1]}: {{{next(iter(node.model_fields))}: ...}}")
            return {}
        if parse_distribution.kinds(tree):
            self._not_searched(path)
            return {}
        self._unknown(path, tree, node)
        out: dict[str, Any] = {}
        for name in node.model_fields:
            inner = keys.mapping(node, name)
            if inner is not None:
                out[name] = self._mapping((*path, name), tree.get(name, {}), inner)
            elif name in tree:
                out[name] = self._fixed((*path, name), tree, node, name)
        return out

    def _fixed(self, path: KeyPath, tree: dict[str, Any], node: NodeType, name: str) -> Any:
        leaf = keys.key(node, name)
        if name not in tree:
            self.located.problem(path, f"{name} is missing", leaf.allowed, f"write {name}: {parse_distribution.example(leaf)}")
            return parse_distribution.example(leaf)
        value = tree[name]
        if name not in ("provenance", "params", "synonyms") and isinstance(value, dict) and parse_distribution.kinds(value):
            self._not_searched(path)
            return parse_distribution.example(leaf) if leaf.required else leaf.default
        return self._value(path, value, leaf)

    def _not_searched(self, path: KeyPath) -> None:
        sections = ", ".join(keys.SEARCHED)
        self.located.problem(path, f"{path[0]} cannot be searched", f"distributions in {sections}", "write one value")

    def _value(self, path: KeyPath, value: Any, leaf: Key) -> Any:
        if leaf.accepts(value):
            return leaf.check(value)
        self.located.problem(path, keys.found(value), leaf.allowed, parse_distribution.value_hint(leaf, value))
        return parse_distribution.example(leaf) if leaf.required else leaf.default

    def _unknown(self, path: KeyPath, tree: dict[str, Any], node: NodeType, of: str = "") -> None:
        for name in tree:
            if name not in node.model_fields:
                known = ", ".join(node.model_fields)
                self.located.problem((*path, name), f'unknown key "{name}"{of}', known, nearest.hint(name, node.model_fields))

    def _forbid(self, rules: Any) -> tuple[Rule, ...]:
        if not isinstance(rules, list):
            return ()
        return tuple(conditions.parse(self.located, ("forbid", index), rule, ("forbid",)) for index, rule in enumerate(rules))


def _defaults(node: NodeType) -> dict[str, Scalar]:
    return {name: keys.key(node, name).default for name in node.model_fields}


def _standard(section: str, leaf: Key, distribution: Distribution) -> Scalar:
    """The default of a leaf that names none: the schema's for a learning rate, else the middle of the range."""
    if section == "optimizer" and leaf.name == "lr" and distribution.contains(leaf.default):
        return leaf.default  # type: ignore[no-any-return]
    return distribution.middle()
