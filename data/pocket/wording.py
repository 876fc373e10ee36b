"""The phrase tables under phrases/, read once."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any


@functools.cache
def phrases(name: str, lang: str = "") -> Any:
    """The table of that name, in that language where there is one for each."""
    path = Path(__file__).resolve().parent / "phrases" / f"{name}{'.' * bool(lang)}{lang}.json"
    return json.loads(path.read_text(encoding="utf-8"))
