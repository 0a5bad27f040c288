"""Where a user's own model and table of synonyms lie: beside the file that names them, or in the working directory."""

from __future__ import annotations

from pathlib import Path

from sweeper.config import keys
from sweeper.config.located import Located


def settle(located: Located, folder: Path) -> bool:
    """Writes into every custom model of the file, which does not say it, the folder that its module is in; and where ``data.synonyms`` is.

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
    written = data.get("synonyms") if isinstance(data, dict) else None
    beside = folder / written if isinstance(written, str) else folder
    if isinstance(written, str) and not Path(written).expanduser().exists() and beside.is_file():
        located.tree["data"]["synonyms"] = str(beside.absolute())
        return True
    return bool(custom)


def _holder(path: object, beside: Path) -> Path:
    """The first of the two folders that has the module; the file's own if neither has."""
    top = path.partition(":")[0].partition(".")[0] if isinstance(path, str) else ""
    for folder in (beside, Path.cwd()):
        if top and ((folder / f"{top}.py").is_file() or (folder / top).is_dir()):
            return folder
    return beside
