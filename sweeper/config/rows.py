"""What kind of rows a data set has, and which changes of ``augment:`` suit which kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from sweeper.config.keys import show
from sweeper.config.schema.augment import Augment
from sweeper.errors import Problem

Kind: TypeAlias = Literal["table", "series", "images", "text"]

NUMBERS: tuple[Kind, ...] = ("table", "series", "images")

SUITS: Mapping[str, tuple[Kind, ...]] = {
    "mixup": NUMBERS,
    "cutmix": ("images",),
    "noise": NUMBERS,
    "scaling": ("series",),
    "time_warp": ("series",),
    "crop": ("images",),
    "resized_crop": ("images",),
    "flip": ("images",),
    "rotate": ("images",),
    "translate": ("images",),
    "zoom": ("images",),
    "shear": ("images",),
    "color_jitter": ("images",),
    "erase": ("images",),
    "token_mask": ("text",),
    "token_delete": ("text",),
    "token_swap": ("text",),
    "token_synonym": ("text",),
    "token_insert": ("text",),
}
"""Kinds of rows by key of ``augment:``."""


def kind_of(shape: tuple[int, ...], tokens: int = 0) -> Kind:
    """The kind of rows of this shape.

    Args:
        shape: of one row: ``(features,)``, ``(time, features)``, ``(channels, height, width)``, or ``(length,)`` of token ids.
        tokens: how many token ids there are; 0: rows are numbers.
    """
    if tokens:
        return "text"
    kinds: Mapping[int, Kind] = {1: "table", 2: "series", 3: "images"}
    return kinds[len(shape)]


def misfits(augment: Augment, shape: tuple[int, ...], tokens: int = 0, source: str = "config") -> Iterator[Problem]:
    """The changes that are switched on and do not suit rows of this shape (see ``kind_of``), and crops larger than an image.

    Args:
        augment: the section.
        shape: of one row.
        tokens: how many token ids there are; 0: rows are numbers.
        source: the file that holds the section.
    """
    kind = kind_of(shape, tokens)
    suitable = ", ".join(name for name, kinds in SUITS.items() if kind in kinds)
    for name, kinds in SUITS.items():
        value = getattr(augment, name)
        if value and kind not in kinds:
            found = f"{name} {show(value)} is for {' and '.join(kinds)}, and these rows are {_words(kind)} of shape {list(shape)}"
            yield Problem(source, f"augment.{name}", found, f"for {kind}: {suitable}", f"write {name}: 0, or delete it")
    if kind == "images" and augment.crop > min(shape[1:]):
        found = f"crop {augment.crop}, and an image is {shape[1]} x {shape[2]}: parts without any of it would be cut out"
        yield Problem(source, "augment.crop", found, f"0 to {min(shape[1:])}", "4 is usual for 32 x 32")


def _words(kind: Kind) -> str:
    return {"table": "a table's", "series": "series", "images": "images", "text": "token ids"}[kind]
