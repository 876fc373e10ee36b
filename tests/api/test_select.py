"""judge and select make the runs that onpolicy would have made, and ask the model nothing."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fakeserver import FakeServer

import pairforge
from pairforge import InputError, Judge, Prompt, Skip
from pairforge.api.build_result import BuildResult
from pairforge.api.difficulty import difficulty

QUESTIONS = ["What is 2 + 3?", "What is 12 - 7?", "Give the opposite of happy.", "What is 9 + 9?"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "length.py").write_text(
        "def length(prompts, completions, **_):\n    return [float(len(t[0]['content'])) for t in completions]\n"
    )
    return pairforge.onpolicy(
        prompts=QUESTIONS, n=4, judge=f"{folder}/length.py:length", output=str(folder), quiet=True
    )


def count(result: BuildResult) -> int:
    counts = result.counts
    return int(counts["pairs"]) + sum(counts["skips"].values())


def test_select_picks_again_without_a_model(run: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairforge.samplers.transformers.TransformersSampler.sample", None)
    for pick in ("sigma", "best-random", "best-second", "matched"):
        made = pairforge.select(run.run.path, pick=pick, quiet=True)  # type: ignore[arg-type]
        assert count(made) == len(QUESTIONS) and made.run.path.parent == run.run.path.parent
        for row, old in zip(made.rows(), run.rows(), strict=True):
            assert row["method"] == pick.replace("-", "_") and row["chosen"] == old["chosen"]
            assert old["rejected_score"] <= row["rejected_score"] < row["chosen_score"]


def test_select_with_the_options_of_the_run_finds_that_run(run: BuildResult) -> None:
    before = run.run.pairs.read_bytes()
    assert pairforge.select(run.run.path, quiet=True).run.path == run.run.path
    assert run.run.pairs.read_bytes() == before


class LongestWins(Judge):
    """A judge that compares the answers of a group, and whose name does not say so."""

    name, groupwise = "longest", True

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def settings(self) -> dict[str, Any]:
        return {"judge": self.name}

    def score(self, prompt: Prompt, answers: Sequence[str]) -> list[float | Skip]:
        return [float(sum(len(one) > len(other) for other in answers)) for one in answers]


def test_select_finds_the_scores_of_a_judge_that_compares_answers(run: BuildResult) -> None:
    made = pairforge.judge(run.run.path, judge=LongestWins(), quiet=True)
    again = pairforge.select(made.run.path, pick="best-second", quiet=True)
    assert again.counts["pairs"] == made.counts["pairs"] > 0 and "unjudged" not in again.counts["skips"]


def test_several_pairs_of_a_prompt(run: BuildResult) -> None:
    made = pairforge.select(run.run.path, pick="all-pairs", per_prompt=3, quiet=True)
    per_prompt = Counter(row["prompt_id"] for row in made.rows())
    assert max(per_prompt.values()) <= 3 and made.counts["pairs"] == sum(per_prompt.values()) > len(per_prompt)
    assert made.counts["paired"] == len(per_prompt)
    assert made.counts["paired"] + sum(made.counts["skips"].values()) == len(QUESTIONS)


def test_a_margin_in_deviations(run: BuildResult) -> None:
    none = pairforge.select(run.run.path, margin="100sd", quiet=True)
    assert none.counts["pairs"] == 0 and none.counts["skips"]["below_margin"] >= 1
    assert "(--margin 100sd)" in "\n".join(str(part) for part in none.__rich_console__())
    with pytest.raises(InputError, match="--margin lots must be 0 or more"):
        pairforge.select(run.run.path, margin="lots", quiet=True)


def test_another_judge_makes_the_run_that_onpolicy_would_have_made(run: BuildResult, tmp_path: Path) -> None:
    (tmp_path / "short.py").write_text(
        "def short(prompts, completions, **_):\n    return [-float(len(t[0]['content'])) for t in completions]\n"
    )
    name = f"{tmp_path}/short.py:short"
    made = pairforge.judge(run.run.path, judge=name, quiet=True)
    direct = pairforge.onpolicy(prompts=QUESTIONS, n=4, judge=name, output=str(tmp_path), quiet=True)
    assert made.run.path.name == direct.run.path.name
    assert made.run.pairs.read_bytes() == direct.run.pairs.read_bytes()
    assert made.run.skips.read_bytes() == direct.run.skips.read_bytes()


def test_a_language_model_on_a_server_judges(run: BuildResult) -> None:
    def rates(ask: Any) -> Any:
        text = ask.question
        answer = json.loads(next(line for line in text.split("\n") if line.startswith('{"conversation"')))["answer"]
        score = min(9, 1 + len(answer) // 4)
        said = str(10 - score if "1 means: exactly" in text else score)
        message = {"role": "assistant", "content": said}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

    with FakeServer(rates) as server:
        made = pairforge.judge(run.run.path, judge="llm:fake", judge_base_url=server.url, quiet=True)
        asked = len(server.seen)
        assert asked > 2 * len(QUESTIONS)
        again = pairforge.judge(run.run.path, judge="llm:fake", judge_base_url=server.url, quiet=True)
        assert len(server.seen) == asked and again.run.path == made.run.path
    assert count(made) == len(QUESTIONS)
    for row in made.rows():
        assert row["judge"] == "llm:fake" and row["chosen_score"] > row["rejected_score"]


@pytest.mark.parametrize(("says", "pairs"), [("A", 0), ("longer", None)])
def test_pairs_are_confirmed_in_both_orders(run: BuildResult, says: str, pairs: int | None, tmp_path: Path) -> None:
    def compares(ask: Any) -> Any:
        data = json.loads(next(line for line in ask.question.split("\n") if line.startswith('{"conversation"')))
        said = "A" if says == "A" or len(data["A"]) > len(data["B"]) else "B"
        return {"choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}]}

    with FakeServer(compares) as server:
        (tmp_path / "long.py").write_text((run.run.path.parent / "length.py").read_text())
        name = f"{tmp_path}/long.py:length"
        made = pairforge.judge(run.run.path, judge=name, confirm="llm:fake", judge_base_url=server.url, quiet=True)
    assert made.counts["pairs"] == (run.counts["pairs"] if pairs is None else pairs)
    assert count(made) == len(QUESTIONS)


def test_a_run_without_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run"):
        pairforge.select("nothing", output=str(tmp_path))
    corrected = pairforge.correct("Qwen", "Deep Qwen", limit=3, output=str(tmp_path), quiet=True)
    with pytest.raises(InputError, match="has one answer to each prompt"):
        pairforge.select(corrected.run.path)
    with pytest.raises(InputError, match="no judge is named"):
        pairforge.judge(corrected.run.path)


def test_a_run_whose_prompts_are_gone_says_so(run: BuildResult, tmp_path: Path) -> None:
    copy = tmp_path / run.run.path.name
    shutil.copytree(run.run.path, copy)
    (copy / "prompts.jsonl").unlink()
    with pytest.raises(InputError, match=r"prompts.jsonl can't be read") as raised:
        pairforge.select(copy)
    assert raised.value.fix == "run the command that made the run again"


@pytest.mark.parametrize("per_prompt", [1, 3])
def test_hard_pairs_are_left_out(run: BuildResult, per_prompt: int) -> None:
    options: Any = {"pick": "all-pairs", "per_prompt": per_prompt, "quiet": True}
    every = [*pairforge.select(run.run.path, **options).rows()]
    made = pairforge.select(run.run.path, drop_hard=0.5, **options)
    hardest = difficulty(every).riskiest(len(every) // 2)
    assert [*made.rows()] == [row for number, row in enumerate(every) if number not in hardest]
    left = {row["prompt_id"] for row in made.rows()}
    gone = {row["prompt_id"] for row in every} - left
    assert made.counts["skips"].get("hard", 0) == len(gone)
    assert len(left) + sum(made.counts["skips"].values()) == len(QUESTIONS)
    assert pairforge.select(run.run.path, drop_hard=0.5, model="pocket", **options).run.path == made.run.path


def test_a_model_is_only_for_hard_pairs(run: BuildResult) -> None:
    with pytest.raises(InputError, match="--model has no effect without --drop-hard"):
        pairforge.select(run.run.path, model="pocket")
