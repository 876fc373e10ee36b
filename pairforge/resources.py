"""Finds `schemas/` and `data/`: beside the package in a wheel, at the root of the repository in a clone."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def resource(*parts: str) -> Path:
    """The path of a bundled file or folder, e.g. `resource("data", "pocket")`. Raises FileNotFoundError."""
    for root in (_HERE, _HERE.parent):
        if (path := root.joinpath(*parts)).exists():
            return path
    raise FileNotFoundError("/".join(parts) + " is not part of this installation")


def installed_versions(*packages: str) -> dict[str, str]:
    """Return the version of each package that is installed."""
    versions = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
