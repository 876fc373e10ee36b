"""Read the phrase tables in phrases/."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any


@functools.cache
def phrases(name: str, lang: str = "") -> Any:
    """Return the table with this name, in this language if there is one table per language."""
    path = Path(__file__).resolve().parent / "phrases" / f"{name}{'.' * bool(lang)}{lang}.json"
    return json.loads(path.read_text(encoding="utf-8"))
