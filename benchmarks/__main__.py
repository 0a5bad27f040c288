"""``python -m benchmarks``: list the benchmarks; ``python -m benchmarks NAME [OPTION]...``: run one."""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from pathlib import Path

NAMES = ("vs_ray_tune", "winner_vs_baseline")


def main(arguments: list[str]) -> None:
    if not arguments:
        for name in NAMES:
            documentation = ast.get_docstring(ast.parse((Path(__file__).parent / f"{name}.py").read_text())) or ""
            print(f"{name:20} {documentation.partition(chr(10))[0]}")
        print('run one:  make bench ARGS="NAME [OPTION]..."')
        return
    name, *options = arguments
    if name not in NAMES:
        sys.exit(f"no benchmark is called {name}; there are: {', '.join(NAMES)}")
    import_module(f"benchmarks.{name}").main(options)


if __name__ == "__main__":
    main(sys.argv[1:])
