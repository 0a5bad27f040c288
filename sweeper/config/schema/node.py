"""What every part of the schema is made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Node(BaseModel):
    """A mapping of the file: unknown keys are errors, nothing is coerced, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def per_lane(default: Any, *, description: str, **bounds: Any) -> Any:
    """A field that may differ between the lanes of one stack."""
    return Field(default, description=description, json_schema_extra={"per_lane": True}, **bounds)
