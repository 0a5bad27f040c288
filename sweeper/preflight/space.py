"""What is wrong with a space whatever the data: parameters that are never searched, rules that forbid nothing."""

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


def ruling(space: Space) -> Finding | None:
    """Whether every rule of ``forbid`` rules something out; None without rules."""
    check, rules, idle = "rules", space.rules(), space.idle_rules()
    if not rules:
        return None
    if not idle:
        return passed(check, f"forbid has {len(rules)}, and each rules something out")
    return warned(check, f"no config matches forbid {listed(idle, 3)}", "mend the value or the key, or delete the rule", "forbid")
