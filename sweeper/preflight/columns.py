"""What the columns of a table were taken for: a typo among numbers makes categories of all of them."""

from __future__ import annotations

from sweeper.data.dataset import Dataset
from sweeper.data.inputs import TableInputs
from sweeper.preflight.finding import Finding, listed, passed, warned

WORDS = {"number": "numbers", "boolean": "true or false", "datetime": "dates", "text": "categories"}


def column_kinds(data: Dataset) -> Finding | None:
    """Which columns are numbers, dates and categories, and which of the last look like something else; None for what is no table."""
    inputs = data.preprocessing.inputs
    if not isinstance(inputs, TableInputs):
        return None
    check = "columns"
    if disguised := data.summary.get("disguised"):
        found = listed([f"column {name!r} is taken for categories: {one['found']}" for name, one in disguised.items()], 3)
        return warned(check, found, "; ".join(dict.fromkeys(one["hint"] for one in disguised.values())), "data.source")
    named: dict[str, list[str]] = {}
    for column in inputs.columns:
        values = f" ({len(column.categories)})" if column.kind == "text" else ""
        named.setdefault(WORDS[column.kind], []).append(f"{column.name}{values}")
    return passed(check, "; ".join(f"{kind}: {listed(names)}" for kind, names in named.items()))
