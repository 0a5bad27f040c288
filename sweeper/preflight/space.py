"""What is wrong with a space whatever the data: parameters that are never searched."""

from __future__ import annotations

from sweeper.config.space import Space
from sweeper.preflight.finding import Finding, listed, passed, warned


def reachable(space: Space) -> Finding:
    """Whether every parameter is drawn by some config."""
    check = "parameters"
    dead = space.unreachable()
    if not space.leaves:
        return passed(check, "nothing is searched")
    if not dead:
        return passed(check, f"each of {len(space.leaves)} parameters is searched by some config")
    found = f"no config ever draws {listed(dead)}: no values of the other parameters allow it"
    return warned(check, found, "mend its when:, or the forbid: that rules it out", dead[0])
