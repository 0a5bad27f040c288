"""Finding spaces, reading and writing configs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sweeper.config import keys, nearest
from sweeper.config.code import settle
from sweeper.config.overrides import apply
from sweeper.config.read import read
from sweeper.config.schema import Config
from sweeper.config.strict_yaml import dotted, dump, load_file
from sweeper.config.vetting import note_conflicts
from sweeper.errors import InputError, Problem
from sweeper.trial import Scalar

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_LOCAL = Path("search_spaces")


def find_space(name_or_path: str) -> Path:
    """The file of a space: a path, or a name looked up in ``./search_spaces`` and then among the spaces shipped with the package.

    Raises:
        InputError: no such space (naming the nearest), or not a name.
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1 or name_or_path.startswith("."):
        return path
    if not _NAME.fullmatch(name_or_path):
        allowed = keys.key(Config, "name").allowed
        raise InputError.of("SPACE", "", f'"{name_or_path}" is not the name of a space', allowed, "write a name such as mlp, or a path")
    shipped = Path(str(resources.files("sweeper.search_spaces")))
    for folder in (_LOCAL, shipped):
        file = folder / f"{name_or_path}.yaml"
        if file.is_file():
            return file
    names = sorted({file.stem for folder in (_LOCAL, shipped) for file in folder.glob("*.yaml")})
    hint = nearest.hint(name_or_path, names) or "write the path of a file"
    raise InputError.of("SPACE", "", f'no space is called "{name_or_path}"', ", ".join(names), hint)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a complete config, such as ``runs/mlp/best.yaml``.

    Args:
        path: the file.
        overrides: ``key=value`` each, written into it.

    Raises:
        InputError: every problem of the file; also when it has distributions in it.
    """
    located = apply(load_file(Path(path)), overrides)
    settle(located, Path(path).parent)
    plan = read(located)
    if plan.slots:
        names = ", ".join(dict.fromkeys(slot.leaf.path for slot in plan.slots))
        hint = f"search it with sweeper sweep {path} and train its best.yaml, or fix each with --set"
        located.problem(plan.slots[0].at, f"this is a space: {names} are still to be searched", "a config without distributions", hint)
        located.check()
    config = Config.model_validate({**plan.rest, **{name: section.fixed[""] for name, section in plan.sections.items()}})
    note_conflicts(located, plan, config)
    located.check()
    return config


def dump_config(config: Config) -> str:
    """The complete config as YAML; ``load_config`` of it gives an equal one."""
    return dump(tree_of(config))


def config_from_tree(tree: Mapping[str, Any]) -> Config:
    """A trial's config from plain data.

    Raises:
        InputError: the data is not a complete config.
    """
    try:
        return Config.model_validate(dict(tree))
    except ValidationError as error:
        raise InputError(
            Problem("config", dotted(found["loc"]), keys.found(found["input"]), found["msg"]) for found in error.errors()
        ) from error


def tree_of(config: Config) -> dict[str, Any]:
    """The config as plain data that JSON can hold; without ``provenance`` when it has none."""
    tree = config.model_dump(mode="json")
    if config.provenance is None:
        del tree["provenance"]
    return tree


def flat(tree: Mapping[str, Any]) -> dict[str, Scalar]:
    """Nested mappings as dotted keys: ``{"model.width": 128, ...}``; a list is written as YAML text."""
    out: dict[str, Scalar] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            out.update({f"{name}.{key}": inner for key, inner in flat(value).items()})
        else:
            out[name] = keys.show(value) if isinstance(value, list) else value
    return out
