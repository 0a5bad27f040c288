"""Where a user's own code and table of synonyms lie: beside the file that names them, or in the working directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sweeper.config import keys
from sweeper.config.located import Located
from sweeper.config.schema import source_kind


def settle(located: Located, folder: Path) -> bool:
    """Writes into every custom model of the file, which does not say it, the folder that its module is in.

    The same for the modules that ``data:`` names and for its table of synonyms, where they are beside the file.
    From then on the config says it wherever it goes: to workers, which run in other folders, into ``best.yaml`` and into models.

    Args:
        located: the file.
        folder: where it lies.

    Returns:
        Whether anything was written.
    """
    model = located.tree.get("model")
    trees = model.get("choice", [model]) if isinstance(model, dict) else []
    custom = [tree for tree in trees if keys.tag("model", tree) == "custom" and "folder" not in tree] if isinstance(trees, list) else []
    for tree in custom:
        tree["folder"] = str(_holder(tree.get("path"), folder.absolute()))
    data = located.tree.get("data")
    return bool(custom) | (isinstance(data, dict) and _settle_data(data, folder.absolute()))


def _settle_data(data: dict[str, Any], folder: Path) -> bool:
    """Writes into the ``data:`` section what is in the folder of its file and not in the working directory."""
    found: dict[str, str] = {}
    table = data.get("synonyms")
    if isinstance(table, str) and not Path(table).expanduser().exists() and (folder / table).is_file():
        found["synonyms"] = str(folder / table)
    modules = [path for path in (data.get("source"), data.get("rewrite")) if isinstance(path, str) and source_kind(path) == "function"]
    if "folder" not in data and folder != Path.cwd() and any(_has(folder, path) for path in modules):
        found["folder"] = str(folder)
    data |= found
    return bool(found)


def _holder(path: object, beside: Path) -> Path:
    """The first of the two folders that has the module; the file's own if neither has."""
    return next((folder for folder in (beside, Path.cwd()) if isinstance(path, str) and _has(folder, path)), beside)


def _has(folder: Path, path: str) -> bool:
    """Whether the module of a dotted path, or the package that holds it, is in this folder."""
    top = path.partition(":")[0].partition(".")[0]
    return bool(top) and ((folder / f"{top}.py").is_file() or (folder / top).is_dir())
