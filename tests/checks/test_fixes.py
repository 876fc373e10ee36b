"""Only what needs no decision is mended, and all of it is counted."""

from __future__ import annotations

import copy
from typing import Any

from pairforge.checks.fixes import Fixes
from pairforge.types import Skip


def pair(chosen: str, rejected: str, question: str = "Q?", **columns: Any) -> dict[str, Any]:
    asked = {"role": "user", "content": question}
    sides = ([asked, {"role": "assistant", "content": text}] for text in (chosen, rejected))
    return {**dict(zip(("chosen", "rejected"), sides, strict=True)), **columns}


def test_each_fix_is_counted_and_no_row_is_changed_in_place() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    rows: list[Any] = [
        pair("a", "b"),
        Skip("json", "f:2: not JSON"),
        pair("a", "b", id="again"),
        pair("a", "a"),
        pair("Paris", " paris"),
        pair("c", "d", prompt="Q?"),
        pair("e", "f", prompt="Something else?"),
        pair("e", "g", extra=deep),
        {"chosen": "text", "rejected": "other"},
        "no row",
        pair("b", "a"),
    ]
    before = copy.deepcopy(rows)
    fixes = Fixes()
    kept = list(fixes.mended(rows))
    assert rows == before
    assert kept == [rows[0], pair("c", "d"), rows[6], rows[8], rows[10]]
    assert fixes.kept == 5
    assert fixes.dropped == {
        "not readable": 2,
        "there before": 1,
        "the same on both sides": 2,
        "nested too deeply": 1,
    }
    assert fixes.changed == {"a text as prompt taken out": 1}
    assert fixes.kept + sum(fixes.dropped.values()) == len(rows)


def test_sound_rows_stay() -> None:
    rows = [pair("a", "b"), pair("b", "c"), pair("a", "b", "R?")]
    fixes = Fixes()
    assert list(fixes.mended(rows)) == rows
    assert not fixes.dropped and not fixes.changed
