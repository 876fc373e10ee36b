"""Whatever the bytes and whatever the rows: findings or one clear line, and an end."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import pair

from pairforge.api.validate import validate
from pairforge.checks import check
from pairforge.checks.error_messages import is_error
from pairforge.errors import InputError
from pairforge.refusals import refuses

ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]) | ANY, "content": ANY | st.text()}
)
ROW = st.fixed_dictionaries(
    {"chosen": st.lists(TURN, max_size=3) | ANY, "rejected": st.lists(TURN, max_size=3) | ANY},
    optional={"prompt": st.lists(TURN, max_size=2) | ANY, "chosen_score": ANY, "rejected_score": ANY, "other": ANY},
)
LINE = ROW.map(lambda row: json.dumps(row, default=str).encode()) | st.binary(max_size=60)
NAME = st.sampled_from(["a.jsonl", "a.json", "a", "a.csv", "a.jsonl.gz"])


@pytest.mark.slow
@settings(max_examples=300)
@given(st.lists(ROW | ANY, max_size=5))
def test_any_rows_are_checked(rows: list[Any]) -> None:
    for finding in check(rows):
        assert finding.message
        assert "\n" not in finding.message


@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINE, max_size=5).map(b"\n".join), NAME)
def test_any_bytes_are_checked(tmp_path: Path, data: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        json.dumps(validate(path, quiet=True).as_json())


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "part", ["I'm sorry, ", "as an ai ", "i can't ", "抱歉，", "申し訳ありません", "sorry " * 9, "no, "]
)
def test_no_refusal_hangs(part: str) -> None:
    for count in (1, 20, 90):
        refuses(part * count)
        is_error(part * count)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "part",
    ["<think>", "</think>", "`", "```", "{{", "{{a", "<|", "[", "<s>", "</s> ", "### ", "\u200b", "<", "_", "%(", "$",
     "<p> </p>", "&nbsp;", "<think></think>", "[[", "seed:", "\U0001f3f4\U000e0067"],
)  # fmt: skip
def test_no_answer_hangs(part: str) -> None:
    list(check([pair(part * 20_000, part * 20_000 + "x", part * 3)]))
