"""``python -m benchmarks``: list the benchmarks; ``python -m benchmarks NAME [OPTION]...``: run one.

A benchmark is a file of this folder with a function ``main(arguments)``.
"""

from __future__ import annotations

import ast
import signal
import sys
from importlib import import_module
from pathlib import Path


def benchmarks() -> dict[str, str]:
    """The first sentence of each benchmark's documentation, by name; nothing is imported."""
    found = {}
    for file in sorted(Path(__file__).parent.glob("[!_]*.py")):
        tree = ast.parse(file.read_text())
        mains = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
        if any([argument.arg for argument in main.args.args] == ["arguments"] for main in mains):
            found[file.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def main() -> None:
    """List, or run one."""
    known = benchmarks()
    if len(sys.argv) == 1:
        for name, told in known.items():
            print(f"{name:20} {told}")
        print('run one:  make bench ARGS="NAME [OPTION]..."')
        return
    _, name, *options = sys.argv
    if name not in known:
        sys.exit(f"no benchmark is called {name}; there are: {', '.join(known)}")
    # As an exception, so that what was started is ended and what was made is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    import_module(f"benchmarks.{name}").main(options)


if __name__ == "__main__":
    main()
