"""Finds `schemas/` and `data/`: beside the package in a wheel, at the root of the repository in a clone."""

from __future__ import annotations

from pathlib import Path


def resource(*parts: str) -> Path:
    """The path of a bundled file or folder, e.g. `resource("data", "pocket")`. Raises FileNotFoundError."""
    for root in Path(__file__).resolve().parents[:2]:
        if (path := root.joinpath(*parts)).exists():
            return path
    raise FileNotFoundError("/".join(parts) + " is not part of this installation")
