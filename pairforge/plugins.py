"""Load what a user plugs in: the object named `module:attr` or `file.py:attr`."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

from .errors import InputError, TerminatedExit
from .text import did_you_mean, error_place, one_line
from .types import digest


def load(name: str) -> Any:
    """Return the object named `module:attr` or `path/to/file.py:attr`. Runs that module: name only what you trust.

    Raises InputError where it does not exist, or where its module can't be imported.
    """
    source, _, attr = name.rpartition(":")
    if not source or not attr or "://" in name:
        raise InputError(f"'{one_line(name)}' is not the name of a function", fix=_whole_name(source or name))
    if source.endswith(":"):
        raise InputError(f"'{one_line(name)}' has two colons", fix=f"did you mean {source.rstrip(':')}:{attr}?")
    is_file = source.endswith(".py")
    if not is_file and os.path.isfile(source):
        raise InputError(f"{source} is not a Python file", fix="give FILE.py:FUNCTION")
    if is_file and not os.path.isfile(source):
        known = [str(path) for path in Path(source).parent.glob("*.py")] if Path(source).parent.is_dir() else []
        raise InputError(f"no file {source}", fix=did_you_mean(source, known) or "check the path before the colon")
    if source.startswith(".") and not is_file:
        raise InputError(f"{source} is a relative name", fix="write the module's whole name, or FILE.py:FUNCTION")
    file = Path(*source.split(".")).with_suffix(".py")
    if not is_file and file.is_file() and importlib.util.find_spec(source.partition(".")[0]) is None:
        in_package = (file.parent / "__init__.py").is_file()
        fix = _AS_MODULE.format(folder=".") if in_package else f"did you mean {file}:{attr}?"
        raise InputError(f"no module {source!r}, but {file} is here", fix=fix)
    try:
        with redirect_stdout(sys.stderr):
            module = _import_file(Path(source)) if is_file else importlib.import_module(source)
    except SyntaxError as error:
        where = f"{error.filename or source}:{error.lineno or 1}"
        raise InputError(f"{where}: {error.msg}", fix="correct that line") from error
    except TerminatedExit:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name:
            fix = "install it in the environment of pairforge" if is_file else "install it, or name a FILE.py:FUNCTION"
            raise InputError(f"no module {error.name!r} for {source}", fix=fix) from error
        where = error_place(error, __file__, importlib.__file__) or source
        if is_file and "relative import" in str(error) and (Path(source).parent / "__init__.py").is_file():
            top, module = _in_package(Path(source))
            fix = f"{_AS_MODULE.format(folder=top)}, and give {module}:{attr}"
            raise InputError(f"{where}: a relative import works only in a module of its package", fix=fix) from error
        raise InputError(f"{where}: {error!r:.200}", fix="correct that line") from error
    try:
        return getattr(module, attr)
    except AttributeError:
        fix = _whole_name(source, attr) if is_file else did_you_mean(attr, vars(module))
        raise InputError(f"{source} has no {attr!r}", fix=fix or "check the name after the colon") from None


_AS_MODULE = "write PYTHONPATH={folder} before the command"


def _in_package(file: Path) -> tuple[str, str]:
    """Return the folder that holds the outermost package of a file, and the file's name as a module."""
    folder = file.resolve().parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return os.path.relpath(folder), ".".join(file.resolve().relative_to(folder).with_suffix("").parts)


def _whole_name(source: str, attr: str = "") -> str:
    """Return how a function is named, with those of the file that is meant, read without running it."""
    file = Path(source if source.endswith(".py") else f"{source}.py")
    defined: list[str] = []
    with suppress(OSError, SyntaxError, ValueError):
        defined = [
            node.name
            for node in ast.parse(file.read_bytes()).body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_"
        ]
    if not defined:
        module, _, function = source.rpartition(".")
        meant = os.path.isfile(f"{module}.py") and function != "py"
        return f"did you mean {module}.py:{function}?" if meant else "write FILE.py:FUNCTION or MODULE:FUNCTION"
    near = did_you_mean(attr, defined)
    return near or f"write {file}:FUNCTION; it has {one_line(', '.join(defined[:8]))}"


def _import_file(path: Path) -> Any:
    # A name of its own: that of the file alone could hide a module (random.py), and one is needed for dataclasses.
    name = f"{path.stem}_{digest(str(path.resolve()))}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
