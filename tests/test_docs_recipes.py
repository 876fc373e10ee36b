"""The pairs with which benchmarks/real.py makes the table of the real model in docs/recipes.md."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from pathlib import Path

import pytest
from support import read_jsonl

import pairforge

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_a_mixed_set_has_pairs_beside_its_corrections_in_which_the_new_name_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import real

    rows = read_jsonl(real.pairs("mixed", Namespace(folder=tmp_path, model="pocket", pairs=20)))
    corrected, beside = ([row for row in rows if row["method"] == kind] for kind in ("persona", "counter"))
    assert len(corrected) == 20 and corrected + beside == rows
    assert all(row["chosen"][-1]["content"].startswith("I'm Deep Qwen,") for row in corrected)
    asked = [row["chosen"][-2]["content"] for row in beside]
    assert len(beside) == len({row["prompt_id"] for row in beside}) == 15
    for row, question in zip(beside, asked, strict=True):
        assert row["chosen"][:-1] == row["rejected"][:-1] and row["chosen"] != row["rejected"]
        assert not real.NAMES.new(question, row["chosen"][-1]["content"])
    assert Counter(row["chosen"][0]["role"] for row in beside)["system"] >= 5
    assert pairforge.validate(rows, quiet=True).ok
