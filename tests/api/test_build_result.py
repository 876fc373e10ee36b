"""What correct and onpolicy return: short to read, its pairs a table."""

from __future__ import annotations

from pathlib import Path

import pairforge

QUESTIONS = ["Who are you?", "What is your name?", "Tell me a joke."]


def test_a_result_is_short_to_read_and_its_pairs_are_a_table(tmp_path: Path) -> None:
    built = pairforge.correct("Qwen", "Deep Qwen", prompts=QUESTIONS, output=str(tmp_path), quiet=True)
    assert repr(built) == f"BuildResult(4 pairs, 2 skips, {built.run.path})"
    assert "Deep" in built._repr_html_() and "<table" in built._repr_html_()
    table = built.to_pandas()
    assert len(table) == 4 and table["chosen"][0][-1]["role"] == "assistant"
    for data in (built, table, built.dataset(), [*built.rows()]):
        assert pairforge.validate(data, quiet=True).ok
