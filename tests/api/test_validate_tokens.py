"""validate with a model looks at the tokens too, in the same pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pairforge
from pairforge.errors import InputError


def row(chosen: str, rejected: str = "No.") -> dict[str, Any]:
    user = {"role": "user", "content": "Is it so?"}
    return {
        side: [user, {"role": "assistant", "content": text}]
        for side, text in (("chosen", chosen), ("rejected", rejected))
    }


ROWS = [row("Yes."), row("yes " * 99 + "a", "yes " * 99 + "b"), row("Yes, it is so.", "<|im_end|> is what ends it"), 7]


def codes(found: list[Any]) -> set[tuple[str, int | None]]:
    return {(finding.code, finding.row) for finding in found if finding.code.startswith("PF4")}


def test_rows_of_any_source_in_one_pass(tmp_path: Path) -> None:
    def rows() -> Iterator[Any]:
        yield from ROWS

    path = tmp_path / "p.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in ROWS))
    expected = {("PF404", 1), ("PF410", 1), ("PF411", 2), ("PF413", None), ("PF414", None)}
    for source in (rows(), ROWS, path):
        found = pairforge.validate(source, model="pocket", max_length=80, quiet=True)
        assert codes(found) == expected
        assert any(finding.row == 3 for finding in found), "the other families are asked as well"
    assert codes(pairforge.validate(ROWS, model="pocket", max_length=80, select=["PF404"], quiet=True)) == {
        ("PF404", 1)
    }
    assert codes(pairforge.validate(ROWS, quiet=True)) == set()


def test_tokens_need_a_model() -> None:
    with pytest.raises(InputError, match="--model"):
        pairforge.validate(ROWS, select=["PF4"], quiet=True)


def test_several_processes_find_the_same() -> None:
    rows = [row(f"Yes {number}") for number in range(60)] + [row("<|im_start|> yes")]
    one, two = (pairforge.validate(rows, model="pocket", jobs=jobs, quiet=True) for jobs in (1, 2))
    assert codes(one) == codes(two) >= {("PF411", 60), ("PF414", None)}
