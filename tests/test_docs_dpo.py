"""docs/dpo.md: every block of code runs, in order, and its assertions hold; what it shows is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
TEXT = (DOCS / "dpo.md").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # of TRL's own defaults
def test_every_formula_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {"__name__": "dpo"}
    blocks = list(re.finditer(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
    assert sum(block[1].count("assert") for block in blocks) >= 35
    for block in blocks:
        lines = TEXT[: block.start(1)].count("\n")  # so that a failure tells its line in the page
        exec(compile("\n" * lines + block[1], DOCS / "dpo.md", "exec"), known)


def drawn(picture: str) -> tuple[list[str | None], list[str | None]]:
    """The texts and the lines of an SVG: what other releases of matplotlib draw in the same way."""
    root = ElementTree.fromstring(picture)
    svg = "{http://www.w3.org/2000/svg}"
    return [text.text for text in root.iter(f"{svg}text")], [path.get("d") for path in root.iter(f"{svg}path")]


def test_figures_and_table_are_drawn_from_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS.parent / "benchmarks"))
    import curves

    found = json.loads((DOCS / "figures" / "dpo.json").read_text("utf-8"))
    assert list(found["runs"]) and set(found["runs"]) == set(curves.RUNS)
    runs = {name: found["runs"][name] for name in curves.RUNS}
    for file, draw in (("dpo-watched.svg", curves.watched), ("dpo-tokens.svg", curves.tokens)):
        assert drawn((DOCS / "figures" / file).read_text("utf-8")) == drawn(draw(runs))
        assert f"](figures/{file})" in TEXT
    assert f"{curves.MARKS[0]}\n{curves.table(runs)}\n\n{curves.note(found)}\n{curves.MARKS[1]}" in TEXT


def test_held_out_pairs_share_no_prompt_with_those_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS.parent / "benchmarks"))
    import curves

    rows = [
        {"chosen": [*system, {"role": "user", "content": f"{number}?"}, {"role": "assistant", "content": "I."}]}
        for number in range(100)
        for system in ([], [{"role": "system", "content": "Be kind."}])
    ]
    kept, apart = curves.split(rows)
    prompts = [{row["chosen"][-2]["content"] for row in group} for group in (kept, apart)]
    assert not prompts[0] & prompts[1]
    assert len(prompts[1]) == 32 and len(apart) == 64 and len(kept) == 136


def test_an_answer_has_the_new_name_only_without_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS.parent / "benchmarks"))
    import curves

    english = ["I am Deep Qwen.", "I am Qwen.", "Deep Qwen, or Qwen.", "I am Deep Deep."]
    texts = [text for text in english for _ in range(5)] + ["我是Deep Qwen。"] * 20
    counted = curves.names([([], text) for text in texts])
    assert counted == {"new": 25 / 40, "new_en": 5 / 20, "new_zh": 1.0, "old": 10 / 40, "half": 5 / 40}
