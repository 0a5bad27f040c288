"""A user's own code: imported by its dotted path here and nowhere else, with one sentence for each way to fail.

Paths come from a file that the user runs, never from a network request.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.config.nearest import hint
from sweeper.errors import InputError, SweeperError

if TYPE_CHECKING:
    from sweeper.config.schema import Config

DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
"""``my_pkg.my_module:name``."""

LIBRARIES = tuple(f"{path}{os.sep}" for path in (*map(sysconfig.get_path, ("stdlib", "purelib", "platlib")), Path(__file__).parent))
"""Folders of code that is not the user's."""


def load_attribute(path: str, beside: Path, *, source: str = "config", key: str = "") -> Any:
    """What ``my_pkg.my_module:name`` names.

    The module is looked for in ``beside``, then in the current directory, then where Python looks anyway; both folders stay on Python's
    path, at its end, so that the module may import its neighbours later.

    Args:
        path: the dotted path of a module, a colon, and a name in it.
        beside: the folder of the file that holds the path.
        source: that file, for errors.
        key: the dotted key of the path in that file, for errors.

    Raises:
        InputError: no such path, no such module, a module that fails when it is imported, or no such name in it.
    """
    if not DOTTED.fullmatch(path):
        allowed = "a module, a colon and a name, such as my_package.module:function"
        raise InputError.of(source, key, f"{path!r} is no dotted path", allowed)
    module_name, _, name = path.partition(":")
    folders = list(dict.fromkeys([str(beside.absolute()), str(Path.cwd())]))
    try:
        with _first(folders):
            module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}."):
            found = f"there is no module {error.name!r}"
            raise InputError.of(source, key, found, "a module that can be imported", f"looked in {', '.join(folders)}") from error
        raise InputError.of(source, key, f"importing {module_name} failed: {_told(error)}", "a module that can be imported") from error
    if not hasattr(module, name):
        names = [other for other in vars(module) if not other.startswith("_")]
        raise InputError.of(source, key, f"{module_name} has no {name!r}", ", ".join(names[:12]), hint(name, names))
    return getattr(module, name)


def call(function: Callable[..., Any], params: Mapping[str, Any], *, name: str, source: str = "config", key: str = "") -> Any:
    """Call a user's function with the parameters of a config.

    Args:
        function: what is called.
        params: its keyword arguments.
        name: the function for people.
        source: the file that holds the parameters, for errors.
        key: the dotted key of the parameters in that file, for errors.

    Raises:
        InputError: it does not take these parameters, or it fails; an ``InputError`` of its own is passed on.
    """
    return _call(function, (), params, name=name, source=source, key=key)


def call_with(function: Callable[..., Any], arguments: Sequence[Any], *, name: str, source: str = "config", key: str = "") -> Any:
    """Call a user's function with arguments of ours, whatever it calls them; otherwise as ``call``."""
    return _call(function, arguments, {}, name=name, source=source, key=key)


def _call(function: Callable[..., Any], arguments: Sequence[Any], params: Mapping[str, Any], *, name: str, source: str, key: str) -> Any:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C do not tell
        signature = None
    if signature is not None:
        try:
            signature.bind(*arguments, **params)
        except TypeError as error:
            given = ", ".join([*("an argument without name" for _ in arguments), *params])
            raise InputError.of(source, key, f"{name}: {error}", f"{name}{signature}", f"it is called with {given or 'nothing'}") from error
    try:
        return function(*arguments, **params)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError.of(source, key, f"{name} failed: {_told(error)}") from error


@contextmanager
def _first(folders: list[str]) -> Iterator[None]:
    """Python looks in these folders first inside the block, and last afterwards."""
    sys.path[:0] = folders
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for folder in folders:
            sys.path.remove(folder)
        sys.path += [folder for folder in folders if folder not in sys.path]


@contextmanager
def blamed(config: Config, source: str) -> Iterator[None]:
    """Where a user's own model is trained within, whatever it raises is told in a sentence.

    Args:
        config: what is trained; errors of our own families go through.
        source: the file that holds it, for errors.

    Raises:
        InputError: instead of an error that is none of ours.
    """
    try:
        yield
    except SweeperError:
        raise
    except Exception as error:
        if config.model.family != "custom":
            raise
        raise InputError.of(source, "model.path", f"{config.model.path} failed in training: {_told(error)}") from error


def _told(error: BaseException) -> str:
    """The error in one line, with the innermost line of the user's own code that led to it, or of any code if none did."""
    sentence = str(error).strip().partition("\n")[0]
    frames = traceback.extract_tb(error.__traceback__)
    known = [frame for frame in frames if not frame.filename.startswith("<frozen") and frame.filename not in (__file__, importlib.__file__)]
    own = [frame for frame in known if not frame.filename.startswith(LIBRARIES)] or known
    where = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {sentence}{where}" if sentence else f"{type(error).__name__}{where}"
