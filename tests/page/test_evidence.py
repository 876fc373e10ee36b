"""What a run left is read as it is: all answers with their scores, the curves, the verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import write_jsonl

import pairforge
from pairforge.page.evidence import RunEvidence
from pairforge.run import Run

ANSWERS = ["a", "bbb", "cc"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    rows = [{"prompt": f"Question {number}?", "answers": ANSWERS} for number in range(3)]
    file = str(write_jsonl(folder / "answers.jsonl", rows))
    options = {"prompts": [f"Question {n}?" for n in range(3)], "replay": file, "n": 3, "output": str(folder / "out")}
    made = pairforge.onpolicy(**options, judge="length", quiet=True)
    pairforge.judge(made.run.path, judge="regex:b", quiet=True)
    return made.run


def test_all_answers_have_the_scores_of_all_judges(run: Run) -> None:
    evidence, [row, *_] = RunEvidence(run), pairforge.read_pairs(run.path)
    found = evidence.candidates(row["prompt_id"])
    assert [one["text"] for one in found] == ANSWERS
    assert [one["scores"]["length"] for one in found] == [1.0, 3.0, 2.0]
    assert [one["scores"]["regex:b"] for one in found] == [0.0, 1.0, 0.0]
    assert evidence.candidates("nothing") == []
    evidence.close()


def test_a_store_that_can_only_be_read_is_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for file in (*run.path.iterdir(), run.path.parent / "evidence.db"):
        target = tmp_path / ("evidence.db" if file.name == "evidence.db" else f"run/{file.name}")
        target.write_bytes(file.read_bytes())
        target.chmod(0o444)
    evidence = RunEvidence(Run.load(tmp_path / "run"))
    [row, *_] = pairforge.read_pairs(run.path)
    assert len(evidence.candidates(row["prompt_id"])) == 3
    evidence.close()
    assert RunEvidence(Run(tmp_path / "none" / "run", "onpolicy", {"sampling": {}})).candidates("x") == []


def test_curves_and_verdicts_are_those_of_the_models(run: Run) -> None:
    model = run.path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "verdict.json").write_text(json.dumps({"ok": False, "verdict": "FAIL", "metrics": {}}))
    write_jsonl(model / "failures.jsonl", [{"metric": "win_rate", "question": "Q", "answer": "A", "before": "B"}])
    log = [{"step": 1, "loss": 0.7}, {"step": 2, "loss": 0.5, "rewards/margins": 0.1}, {"loss": 1}, "nonsense"]
    (model / "history.json").write_text(json.dumps({"steps": 2, "log": log, "guard": {"alarm": None}}))
    [training] = RunEvidence(run).training()
    assert training["curves"] == {"loss": [[1, 0.7], [2, 0.5]], "rewards/margins": [[2, 0.1]]}
    [verdict] = RunEvidence(run).verdicts()
    assert verdict["outcome"] == "FAIL" and verdict["failed"][0]["before"] == "B" and verdict["model"] == "model"
    share = {"share": 0.5, "low": 0.4, "high": 0.6}
    said = {
        "ok": True,
        "metrics": {"x/en": share, "x": share, "y": [1]},
        "why": [3, {"why": "so", "fix": None}],
        "answers": "none",
    }
    (model / "verdict.json").write_text(json.dumps(said))
    [verdict] = RunEvidence(run).verdicts()
    assert verdict["measures"] == [{"name": "x", "texts": ["", "50.0% [40.0, 60.0]", ""], "ok": None}]
    assert (verdict["why"], verdict["answers"]) == ([{"why": "so"}], [])
    for name in ("history.json", "verdict.json", "failures.jsonl"):
        (model / name).write_text("{broken")
    assert RunEvidence(run).training()[0]["curves"] == {} and RunEvidence(run).verdicts() == []
