"""Finds what a user plugs in: `module:attr` or `file.py:attr` to the object."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from .errors import InputError


def load(name: str) -> Any:
    """The object behind `module:attr` or `path/to/file.py:attr`. Runs that module: name only what you trust."""
    source, _, attr = name.rpartition(":")
    if not source:
        raise InputError(f"{name!r} names no plug", fix="write module:attr or file.py:attr")
    try:
        module = _from_file(Path(source)) if source.endswith(".py") else importlib.import_module(source)
        return getattr(module, attr)
    except FileNotFoundError:
        raise InputError(f"no file {source}", fix="check the path before the colon") from None
    except ModuleNotFoundError as error:
        raise InputError(f"no module {error.name!r} for {name!r}", fix="install it, or name a file.py:attr") from error
    except AttributeError:
        raise InputError(f"{source} has no {attr!r}", fix="check the name after the colon") from None


def _from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
