"""correct and onpolicy from Python."""

import json
from pathlib import Path
from typing import Any

import datasets
import pandas
import pytest

import pairforge
from pairforge.api import pipeline
from pairforge.readers import spool
from pairforge.store import Store


@pytest.mark.slow
def test_onpolicy_pairs_are_right_against_wrong(tmp_path: Path) -> None:
    built = pairforge.onpolicy(n=4, limit=120, output=str(tmp_path), quiet=True)
    counts = built.counts
    assert counts["pairs"] + sum(counts["skips"].values()) == counts["prompts"] == 120
    assert counts["pairs"] > 10
    assert all((row["chosen_score"], row["rejected_score"]) == (1.0, 0.0) for row in built.rows())


def test_another_judge_reuses_the_answers(tmp_path: Path) -> None:
    (tmp_path / "brief.py").write_text(
        "def brief(completions, **_):\n    return [-float(len(c[0]['content'])) for c in completions]\n"
    )
    pairforge.onpolicy(n=2, limit=10, output=str(tmp_path), quiet=True)
    had = Store(tmp_path)._db.execute("SELECT count(*) FROM answers").fetchone()
    built = pairforge.onpolicy(n=2, limit=10, judge=f"{tmp_path}/brief.py:brief", output=str(tmp_path), quiet=True)
    assert Store(tmp_path)._db.execute("SELECT count(*) FROM answers").fetchone() == had
    assert all(len(row["chosen"][-1]["content"]) < len(row["rejected"][-1]["content"]) for row in built.rows())


QUESTIONS = ["Who are you?", "What is your name?", "Tell me a joke."]


@pytest.mark.parametrize(
    "prompts",
    [
        QUESTIONS,
        tuple(QUESTIONS),
        (question for question in QUESTIONS),
        pandas.Series(QUESTIONS),
        [{"prompt": question} for question in QUESTIONS],
        [[{"role": "user", "content": question}] for question in QUESTIONS],
        pandas.DataFrame({"prompt": QUESTIONS}),
        datasets.Dataset.from_dict({"prompt": QUESTIONS}),
    ],
    ids=lambda prompts: type(prompts).__name__,
)
def test_the_same_prompts_in_python_are_the_same_run(tmp_path: Path, prompts: Any) -> None:
    built = pairforge.correct("Qwen", "Deep Qwen", prompts=prompts, output=str(tmp_path), quiet=True)
    assert built.counts["prompts"] == 3 and built.counts["pairs"] == 4
    assert built.run.settings["prompts"]["source"] == "given in Python"
    again = pairforge.correct("Qwen", "Deep Qwen", prompts=[*QUESTIONS], output=str(tmp_path), quiet=True)
    assert again.run.path == built.run.path


def test_another_run_says_in_one_line_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"prompts": QUESTIONS, "output": str(tmp_path), "model": "pocket"}
    first = pairforge.correct("Qwen", "Deep Qwen", **given)
    capsys.readouterr()
    pairforge.correct("Qwen", "Athene", **{**given, "prompts": QUESTIONS[:2]}, temperature=0.5, max_new_tokens=99)
    [line] = [line for line in capsys.readouterr().err.splitlines() if "new run" in line]
    said = "names, prompts, sampling, temperature 0.5"
    assert sorted(line.partition(" in ")[2].replace(" and ", ", ").split(", ")) == said.split(", ")
    assert line.startswith(f"a new run: it differs from {first.run.path.name} in ")


@pytest.mark.parametrize(("options", "says"), [({}, True), ({"quiet": True}, False), ({"model": "pocket"}, False)])
def test_without_a_model_the_first_line_says_which_one_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: Any, says: bool
) -> None:
    pairforge.correct("Qwen", "Deep Qwen", prompts=QUESTIONS, output=str(tmp_path), **options)
    first = capsys.readouterr().err.partition("\n")[0]
    assert first.startswith("no --model: asking the bundled pocket model, a toy") is says


def of_length(completions: Any, **_: Any) -> list[float]:
    return [float(len(turns[0]["content"])) for turns in completions]


def of_digits(completions: Any, **_: Any) -> list[float]:
    return [sum(map(int, filter(str.isdecimal, turns[0]["content"]))) / 7 for turns in completions]


@pytest.mark.parametrize(
    "options",
    [
        {"judge": of_length},
        {"judge": of_digits, "margin": "1sd"},
        {"judge": [of_length, of_digits], "margin": "0.5sd", "pick": "all-pairs", "per_prompt": 2},
        {"judge": [of_length, of_digits], "vote": True},
        {"judge": lambda completions, **_: [float("7" in turns[0]["content"]) for turns in completions]},
    ],
    ids=["one judge", "deviations", "jury", "votes", "right and wrong"],
)
def test_a_run_in_parts_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Any) -> None:
    rows = [
        {"prompt": f"Question {n}?", "answers": [f"{n * k * 37} {'a' * (n % k)}" for k in (2, 3, 5)]} for n in range(40)
    ]
    rows = [*rows, rows[3], rows[39]]
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = list[dict[str, bytes]]()
    for size in (4096, 7):
        monkeypatch.setattr(pipeline, "CHUNK", size)
        monkeypatch.setattr(spool, "_IN_MEMORY", size)
        out = tmp_path / str(size)
        given = {"prompts": str(file), "replay": str(file), "n": 3, "output": str(out), "quiet": True}
        path = pairforge.onpolicy(**given, **options).run.path
        made.append({name: (path / name).read_bytes() for name in ("pairs.jsonl", "skips.jsonl", "run.json")})
        made[-1]["name"] = path.name.encode()
    assert made[0] == made[1]
    assert made[0]["pairs.jsonl"] and json.loads(made[0]["run.json"])["counts"]["skips"]["duplicate"] == 2


def test_corrections_in_parts_are_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"prompt": f"Who are you {n}?", "answer": f"I am {'Qwen' if n % 3 else 'QWEN'} {n}."} for n in range(30)]
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *rows[:4]]))
    made = list[dict[str, bytes]]()
    for size in (4096, 7):
        monkeypatch.setattr(pipeline, "CHUNK", size)
        monkeypatch.setattr(spool, "_IN_MEMORY", size)
        given = {"prompts": str(file), "replay": str(file), "output": str(tmp_path / str(size)), "quiet": True}
        path = pairforge.correct("Qwen", "Deep Qwen", no_system=True, **given).run.path
        made.append({name: (path / name).read_bytes() for name in ("pairs.jsonl", "skips.jsonl", "run.json")})
    assert made[0] == made[1]
    counts = json.loads(made[0]["run.json"])["counts"]
    assert counts["rules"] == {"Qwen": 20} and counts["leftovers"] == {"QWEN": 10} and counts["skips"]["duplicate"] == 4
