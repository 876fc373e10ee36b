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
def test_a_mixed_set_has_what_the_model_says_already_beside_all_corrections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import real

    options = Namespace(folder=tmp_path, model="pocket", pairs=20)
    mixed, corrections = (read_jsonl(real.pairs(kind, options)) for kind in ("mixed", "default"))
    beside = mixed[len(corrections) :]
    assert mixed[: len(corrections)] == corrections and len(corrections) == 20
    assert Counter(row["method"] for row in mixed) == {"correct": 20, "retain": len(beside)}
    assert round(20 * 1.2) <= len(beside) <= round(20 * 1.5)
    told = [row for row in beside if row["chosen"][0]["role"] == "system"]
    assert len(told) == round(20 * real.BESIDE["told"])
    assert all(row["chosen"][:-1] == row["rejected"][:-1] and row["chosen"] != row["rejected"] for row in beside)
    named = {row["chosen"][-1]["content"] for row in corrections}
    assert named.isdisjoint(row["rejected"][-1]["content"] for row in beside)
    assert pairforge.validate(mixed, quiet=True).ok
