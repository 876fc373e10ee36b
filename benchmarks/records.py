"""Write the figures of a benchmark: JSON with the machine and the versions, and tables between marks in a page."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pairforge

ROOT = Path(__file__).resolve().parent.parent


def machine() -> dict[str, Any]:
    """Return what figures depend on: the machine and the versions."""
    versions = {name: version(name) for name in ("torch", "transformers", "trl")}
    return {
        "machine": f"{platform.machine()}, {platform.system()}, 1 thread",
        "versions": {"python": platform.python_version(), "pairforge": pairforge.__version__, **versions},
    }


def named(found: Mapping[str, Any]) -> str:
    """Return the machine and the versions of a record, in one line."""
    return f"{found['machine']}; {', '.join(f'{name} {number}' for name, number in found['versions'].items())}"


def put(file: Path, text: str) -> None:
    """Write a file atomically."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temp = file.with_name(f".{file.name}.tmp")
    temp.write_text(text, "utf-8")
    os.replace(temp, file)


def show(page: Path, marks: tuple[str, str], text: str) -> None:
    """Replace the text between the two marks of a page; a page without the marks is not changed."""
    before, start, rest = page.read_text("utf-8").partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if start and end:
        put(page, f"{before}{start}\n{text}\n{end}{after}")
