"""People's verdicts become pairs as those of any judge; what was answered as saved survives a kill at any moment."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from support import read_jsonl, write_jsonl

import pairforge
from pairforge import InputError
from pairforge.api.annotate import ExportedVerdicts
from pairforge.api.pipeline import BuildResult
from pairforge.page import server
from pairforge.page.annotation import Annotation

QUESTIONS = [f"Question {number}?" for number in range(12)]
ANSWERS = ["short", "a bit longer", "the longest of all"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    folder = tmp_path_factory.mktemp("runs")
    file = write_jsonl(folder / "answers.jsonl", [{"prompt": one, "answers": ANSWERS} for one in QUESTIONS])
    return pairforge.onpolicy(
        prompts=QUESTIONS, replay=str(file), n=3, judge="length", output=str(folder / "out"), quiet=True
    )


@pytest.fixture
def run(made: BuildResult, tmp_path: Path) -> Path:
    shutil.copytree(made.run.path.parent, tmp_path / "out")
    return tmp_path / "out" / made.run.path.name


def people_say(monkeypatch: pytest.MonkeyPatch, *choices: str, edit: str | None = None, who: str = "ann") -> None:
    """Let a person find the shortest answers the best ones, or say what `choices` has, question by question."""

    def run(options: Any, routes: Any) -> None:
        annotation: Annotation = routes["GET", "/api/judge/queue"].__closure__[0].cell_contents
        annotation.thread.join()
        for number, choice in enumerate(choices):
            [item] = annotation.queue(who, 1)["items"]
            by_length = sorted(item["answers"], key=lambda one: len(one["text"]))
            said = {"choice": choice, "best": by_length[0]["key"], "worst": by_length[-1]["key"]}
            uuid = {"uuid": f"{who}-{item['item']}", "who": who, "item": item["item"], "seconds": 1}
            annotation.add({**uuid, **said, "edit": edit if number == 0 else None})

    monkeypatch.setattr(server, "run", run)


OPTIONS: dict[str, Any] = {"judge": "human", "repeat": 0.0, "attention": 0.0, "overlap": 1.0, "quiet": True}


def test_verdicts_become_pairs_and_ties_all_bad_and_skips_never_do(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people_say(monkeypatch, "picked", "tie", "all_bad", "skip", "picked")
    result = pairforge.judge(run, **OPTIONS)
    assert isinstance(result, BuildResult)
    assert result.counts["skips"] == {"all_bad": 1, "not_asked": 7, "skipped": 1, "tie": 1}
    assert not result.ok and result.exit_code == 3
    for row in result.rows():
        assert (row["chosen"][-1]["content"], row["rejected"][-1]["content"]) == (ANSWERS[0], ANSWERS[2])
        assert (row["judge"], row["method"], row["chosen_score"], row["rejected_score"]) == (
            "human",
            "best_worst",
            1,
            0,
        )
    people_say(monkeypatch, *["picked"] * 7)
    whole = pairforge.judge(run, **OPTIONS)
    assert isinstance(whole, BuildResult) and whole.ok and whole.counts["pairs"] == 9
    people_say(monkeypatch)
    assert pairforge.judge(run, **OPTIONS).run.path == whole.run.path  # type: ignore[union-attr]


def test_the_edit_of_the_best_answer_becomes_chosen_and_the_pair_says_so(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people_say(monkeypatch, *["picked"] * len(QUESTIONS), edit="An edited answer.")
    result = pairforge.judge(run, **OPTIONS)
    assert isinstance(result, BuildResult)
    edited = [row for row in result.rows() if row["method"] == "human_edit"]
    assert [row["chosen"][-1]["content"] for row in edited] == ["An edited answer."]
    assert edited[0]["rejected"][-1]["content"] == ANSWERS[2]
    again = pairforge.select(result.run.path, pick="best-second", quiet=True)
    assert sum(row["chosen"][-1]["content"] == "An edited answer." for row in again.rows()) == 1


def test_people_are_one_judge_of_a_jury(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people_say(monkeypatch, *["picked"] * len(QUESTIONS))
    result = pairforge.judge(run, **{**OPTIONS, "judge": ["human=3", "length"]})
    assert isinstance(result, BuildResult) and result.counts["pairs"] == len(QUESTIONS)
    assert {row["chosen"][-1]["content"] for row in result.rows()} == {ANSWERS[0]}


def test_onpolicy_samples_first_and_then_asks_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people_say(monkeypatch, *["picked"] * 3)
    file = write_jsonl(tmp_path / "answers.jsonl", [{"prompt": one, "answers": ANSWERS} for one in QUESTIONS[:3]])
    options = {**OPTIONS, "prompts": QUESTIONS[:3], "replay": str(file), "n": 3, "output": str(tmp_path / "out")}
    assert pairforge.onpolicy(**options).counts["pairs"] == 3
    with pytest.raises(InputError, match="--adaptive"):
        pairforge.onpolicy(**options, adaptive=True)


def test_verdicts_travel_as_a_file(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people_say(monkeypatch, *["picked"] * len(QUESTIONS))
    result = pairforge.judge(run, **OPTIONS)
    file = tmp_path / "verdicts.jsonl"
    written = pairforge.judge(run, **OPTIONS, export_verdicts=file)
    assert isinstance(written, ExportedVerdicts) and written.verdicts == len(read_jsonl(file)) == len(QUESTIONS)
    monkeypatch.setattr(server, "run", None)
    (run.parent / "evidence.db").unlink()
    shutil.rmtree(result.run.path)  # type: ignore[union-attr]
    write_jsonl(tmp_path / "answers.jsonl", [{"prompt": one, "answers": ANSWERS} for one in QUESTIONS])
    options = {"prompts": QUESTIONS, "replay": str(tmp_path / "answers.jsonl"), "n": 3, "output": str(run.parent)}
    pairforge.onpolicy(**options, judge="length", fresh=True, quiet=True)
    for _ in range(2):
        again = pairforge.judge(run, **OPTIONS, import_verdicts=file)
        assert again.run.path == result.run.path and again.counts["pairs"] == len(QUESTIONS)  # type: ignore[union-attr]
    (tmp_path / "wrong.jsonl").write_text('{"uuid": "abcd", "who": "ann"}\n')
    with pytest.raises(InputError, match=r"wrong.jsonl: row 0 is not a verdict"):
        pairforge.judge(run, **OPTIONS, import_verdicts=tmp_path / "wrong.jsonl")


def test_what_people_can_not_do_is_said(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="guidelines"):
        pairforge.judge(run, **OPTIONS, guidelines=tmp_path / "none.md")
    with pytest.raises(InputError, match="not examined"):
        pairforge.judge(run, **OPTIONS, probe=3)
    with pytest.raises(InputError, match="--token-env"):
        pairforge.judge(run, **OPTIONS, token_env="NO_SUCH_VARIABLE")


class Session:
    """`pairforge judge` in a process of its own."""

    def __init__(self, run: Path) -> None:
        words = ["judge", str(run), "--judge", "human", "--who", "ann", "--repeat", "0", "--attention", "0"]
        command = [sys.executable, "-m", "pairforge", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr
        lines = iter(self.process.stderr.readline, "")
        self.address = next(found[0] for line in lines if (found := re.search(r"http://[\d.:]+", line)))

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def items(self) -> list[dict[str, Any]]:
        while (found := self.ask("/api/judge/queue?limit=12"))["state"] == "reading":
            pass
        items: list[dict[str, Any]] = found["items"]
        return items

    def say(self, item: dict[str, Any], uuid: str) -> Any:
        keys = {one["text"]: one["key"] for one in item["answers"]}
        sides = {"best": keys[ANSWERS[0]], "worst": keys[ANSWERS[2]]}
        return self.ask("/api/judge/events", {"uuid": uuid, "item": item["item"], "choice": "picked", **sides})


@pytest.mark.slow
def test_what_was_saved_survives_a_kill_and_an_interrupt_makes_the_pairs(run: Path) -> None:
    saved = list[str]()
    for killed in range(3):
        session = Session(run)
        items = session.items()
        assert len(items) == len(QUESTIONS) - len(saved)
        for number in range(2):
            saved.append(session.say(items[number], f"uuid-{killed}-{number}")["saved"])
        os.kill(session.process.pid, signal.SIGKILL)
        session.process.communicate()
    session = Session(run)
    items = session.items()
    assert session.ask("/api/judge/progress")["done"] == len(saved) == 6
    again = session.say(items[0], "uuid-last"), session.say(items[0], "uuid-last")
    assert again[0] == again[1] and again[0]["progress"]["done"] == 7
    session.process.send_signal(signal.SIGINT)
    out, err = session.process.communicate(timeout=120)
    assert session.process.returncode == 3, err
    assert "7 pairs" in out and "Traceback" not in err
