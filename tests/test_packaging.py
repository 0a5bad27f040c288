"""What holds for the project as a whole: versions, pins, packages, what is never imported, what is never written down."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import sweeper

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sweeper"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HEAVY = {"torch", "ray", "optuna", "mlflow"}

UNSAFE_MODULES = {"pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve"}
UNSAFE_NAMES = {"eval", "exec"}
UNSAFE_ATTRIBUTES = {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen", "pd.read_pickle", "pandas.read_pickle"}
UNSAFE_KEYWORDS = {("shell", True), ("weights_only", False), ("allow_pickle", True)}


def unsafe(tree: ast.AST) -> Iterator[str]:
    """What in a module's syntax could run what a file or a request brings along, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (f"{node.lineno}: import {alias.name}" for alias in names if alias.name.split(".")[0] in UNSAFE_MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in UNSAFE_MODULES:
                yield f"{node.lineno}: from {module}"
            case ast.Call(func=ast.Name(id=name)) if name in UNSAFE_NAMES:
                yield f"{node.lineno}: {name}("
            case ast.Attribute() if ast.unparse(node) in UNSAFE_ATTRIBUTES:
                yield f"{node.lineno}: {ast.unparse(node)}"
            case ast.keyword(arg=str(argument), value=ast.Constant(value=bool(value))) if (argument, value) in UNSAFE_KEYWORDS:
                yield f"{node.lineno}: {argument}={value}"
            case ast.Call(func=function, keywords=keywords) if ast.unparse(function) == "torch.load":
                if not any(keyword.arg == "weights_only" for keyword in keywords):
                    yield f"{node.lineno}: torch.load without weights_only=True"


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import dump",
        "import dill as d",
        "eval(text)",
        "exec(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "subprocess.run(text, shell=True)",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "numpy.load(file, allow_pickle=True)",
    ],
)
def test_unsafe_code_is_found(line: str) -> None:
    """The search below finds each of the ways in which data would become code."""
    assert list(unsafe(ast.parse(line)))


def test_model_eval_is_not_eval() -> None:
    """The search below does not mistake a model's evaluation mode, a comment or a string for code that runs data."""
    assert not list(unsafe(ast.parse("model.eval()  # not eval(\nsentence = 'no pickle, no exec(text)'\npattern.exec()")))


def test_no_data_becomes_code() -> None:
    """Nothing in the package unpickles, evaluates or hands text to a shell."""
    found = [f"{path.relative_to(ROOT)}:{line}" for path in sorted(PACKAGE.rglob("*.py")) for line in unsafe(ast.parse(path.read_text()))]
    assert found == []


def test_the_package_is_imported_without_heavy_packages() -> None:
    """``import sweeper`` loads neither torch nor Ray nor Optuna nor MLflow."""
    assert loaded("import sweeper") == set()


def test_help_is_shown_without_heavy_packages() -> None:
    """``sweeper --help``, and that of a command, load neither torch nor Ray nor Optuna nor MLflow."""
    for arguments in (["--help"], ["sweep", "--help"]):
        code = f"import sys; sys.argv[1:] = {arguments}\nfrom sweeper.cli import main\ntry:\n    main()\nexcept SystemExit:\n    pass"
        assert loaded(code) == set()


def loaded(code: str) -> set[str]:
    """The heavy packages that a fresh interpreter has loaded after some code."""
    ending = "\nimport sys; print('loaded:', *sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code + ending], capture_output=True, text=True, cwd=ROOT, check=True)
    return HEAVY & set(done.stdout.rpartition("loaded:")[2].split())


def test_one_version() -> None:
    """The package, pyproject.toml, the changelog and the container image speak of one version."""
    version = PROJECT["project"]["version"]
    assert sweeper.__version__ == version
    assert re.search(rf"^## \[{re.escape(version)}\] - (Unreleased|\d{{4}}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    services = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"].values()
    assert {service["image"] for service in services if "build" in service} == {f"sweeper:{version}"}


def test_every_package_is_in_the_wheel() -> None:
    """The packages listed in pyproject.toml are those that there are."""
    there = {".".join(init.parent.relative_to(ROOT).parts) for init in PACKAGE.rglob("__init__.py")}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == there | {"sweeper.search_spaces"}


def test_every_dependency_is_pinned() -> None:
    """Each dependency, extras included, has an exact pin that its own range allows; a pin carries no build tag and no address."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line) for line in lines)
    assert lines == sorted(lines, key=lambda line: line.partition("==")[0].lower())
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    extras = PROJECT["project"]["optional-dependencies"].values()
    for requirement in map(Requirement, [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_readme_names_every_room() -> None:
    """The tree in the README has a line for each room of the package."""
    readme = (ROOT / "README.md").read_text()
    rooms = {path.name + "/" for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    rooms |= {path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__")}
    assert {room for room in rooms if not re.search(rf"(?<![\w/.]){re.escape(room)}", readme)} == set()


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the project, without what it makes when it runs."""
    made = {"runs", "mlruns", "mlartifacts", "build", "dist", "secrets", "results"}
    for top in sorted(ROOT.iterdir()):
        if (top.name.startswith(".") and top.name != ".ci") or top.name in made or top.name.endswith(".egg-info"):
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if (
                path.is_file()
                and path != Path(__file__)
                and "__pycache__" not in path.parts
                and not made & set(path.relative_to(ROOT).parts)
            ):
                content = path.read_bytes()
                if b"\0" not in content:
                    yield path.relative_to(ROOT), content.decode()


def test_no_file_names_a_machine() -> None:
    """No file holds a path of somebody's machine or the host of a package registry."""
    places = "|".join(re.escape(str(place)) + r"\b" for place in (ROOT, sys.prefix, Path.home()))
    machine = re.compile(rf"{places}|pythonhosted|pypi\.|download\.pytorch|index-url\s*=?\s*https?:")
    assert [f"{path}: {found[0]}" for path, text in texts() if (found := machine.search(text))] == []
