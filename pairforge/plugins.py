"""Load what a user plugs in: the object named `module:attr` or `file.py:attr`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from .errors import InputError
from .types import digest


def load(name: str) -> Any:
    """Return the object named `module:attr` or `path/to/file.py:attr`. Runs that module: name only what you trust.

    Raises InputError where it does not exist, or where its module can't be imported.
    """
    source, _, attr = name.rpartition(":")
    if not source:
        raise InputError(
            f"{name!r} is neither a built-in judge nor module:attr", fix="write module:attr or file.py:attr"
        )
    is_file = source.endswith(".py")
    if is_file and not os.path.isfile(source):
        raise InputError(f"no file {source}", fix="check the path before the colon")
    if source.startswith(".") and not is_file:
        raise InputError(f"{source} is a relative name", fix="write the module's whole name, or file.py:attr")
    try:
        with redirect_stdout(sys.stderr):
            module = _import_file(Path(source)) if is_file else importlib.import_module(source)
    except SyntaxError as error:
        where = f"{error.filename or source}:{error.lineno or 1}"
        raise InputError(f"{where}: {error.msg}", fix="correct that line") from error
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name:
            raise InputError(
                f"no module {error.name!r} for {source}", fix="install it, or name a file.py:attr"
            ) from error
        raise InputError(f"{_place(error) or source}: {error!r:.200}", fix="correct that line") from error
    try:
        return getattr(module, attr)
    except AttributeError:
        raise InputError(f"{source} has no {attr!r}", fix="check the name after the colon") from None


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


def _place(error: BaseException) -> str | None:
    """Return the file:line in the user's own code, the module or one in its folder, where the error was raised."""
    machinery = (__file__, importlib.__file__)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in machinery and not frame.filename.startswith("<frozen")
    ]
    own = [frame for frame in frames if Path(frame.filename).parent == Path(frames[0].filename).parent]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else None
