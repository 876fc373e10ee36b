"""The page on model families, and that the tokens of their templates are those of TRL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def families(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(DOCS.parent / "benchmarks"))
    import families

    return families


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("qwen3", 4), ("qwen2_5", 4), ("gptoss", 4), ("llama3_2", 4), ("gemma", 3), ("gemma3", 4),
        ("deepseek_r1_distill", 4), ("glm4moe", 4), ("phi3", 4),
    ],
)  # fmt: skip
def test_tokens_and_masks_of_a_family_are_those_of_trl(families: Any, name: str, rows: int) -> None:
    template = families.trl_templates() / f"{name}.jinja"
    if not template.exists():
        pytest.skip("this version of TRL has another set of templates")
    chat = families.ChatTemplate(families.tokenizer_for(template.read_text("utf-8")))
    assert families.same_as_trl(chat.tokenizer, families.rows_for(chat)) == (rows, rows)
    assert name in (DOCS / "models.md").read_text("utf-8")
