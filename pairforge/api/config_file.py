"""Which file of default options is in force: `pairforge.toml`, or `pyproject.toml` with a table `tool.pairforge`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

CONFIG_NAME = "pairforge.toml"


def config_file(folder: Path) -> Path | None:
    """Return the file that is in force in a folder: the nearest one, up to the root of the repository, or to home.

    In a folder above this one, another user's file is left alone.
    """
    with suppress(OSError, RuntimeError):  # a folder that can't be read, a user without a home
        for place in (folder, *folder.parents):
            for file in (place / CONFIG_NAME, place / "pyproject.toml"):
                if not file.is_file() or (place != folder and file.stat().st_uid not in (os.getuid(), 0)):
                    continue
                if file.name == CONFIG_NAME or "[tool.pairforge" in file.read_text("utf-8", "replace"):
                    return file
            if (place / ".git").exists() or place == Path.home():
                break
    return None
