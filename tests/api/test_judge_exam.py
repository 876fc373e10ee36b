"""An exam gives what the labels say, whatever the shape of the file; probes fool a judge that can be fooled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import pair, write_jsonl

import pairforge
from pairforge import InputError
from pairforge.api.judge_exam import PROBES, JudgeExam, JudgeProbes
from pairforge.run import Run

LLMBAR = [
    {"input": f"Question {n}?", "output_1": "short", "output_2": "a much longer text", "label": 1 + (n % 4 == 0)}
    for n in range(40)
]
"""In a quarter of them the longer answer is the better one."""


def written(folder: Path, rows: list[dict[str, Any]]) -> str:
    file = folder / "gold.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def examined(**options: Any) -> JudgeExam:
    found = pairforge.judge(quiet=True, **options)
    assert isinstance(found, JudgeExam)
    return found


def test_the_accuracy_is_that_of_the_labels(tmp_path: Path) -> None:
    verdicts = tmp_path / "verdicts.jsonl"
    found = examined(gold=written(tmp_path, LLMBAR), judge="length", output=str(tmp_path), verdicts=verdicts)
    assert (found.right.hits, found.right.of, found.ties) == (10, 40, 0)
    assert found.kappa[0] == pytest.approx(-0.5) and found.longer.value == 0.25
    lines = [json.loads(line) for line in verdicts.read_text().splitlines()]
    assert sum(line["chosen_score"] > line["rejected_score"] for line in lines) == 10
    said = "\n".join(str(line) for line in found.__rich_console__())
    assert "length: right in 25.0%" in said and "289 labelled pairs would give" in said
    assert found.as_json()["accuracy"]["share"] == 0.25


def test_an_exam_is_kept_with_the_runs_that_the_judge_has_judged(tmp_path: Path) -> None:
    answers = write_jsonl(tmp_path / "answers.jsonl", [{"prompt": "Q?", "answers": ["a", "bb"]}])
    stored: dict[str, Any] = {"prompts": answers, "replay": str(answers), "n": 2}
    runs = {
        judge: pairforge.onpolicy(judge=judge, output=str(tmp_path), quiet=True, **stored).run
        for judge in ("length", "regex:never")
    }
    before = runs["length"].path / "run.json"
    made = before.stat().st_mtime_ns
    examined(gold=written(tmp_path, LLMBAR), judge="length", output=str(tmp_path))
    kept, other = (Run.load(run.path).counts for run in runs.values())
    assert kept["exams"]["length"]["accuracy"]["hits"] == 10 and kept["exams"]["length"]["gold"] == "gold.jsonl"
    assert "exams" not in other and before.stat().st_mtime_ns == made
    said = "\n".join(map(str, pairforge.show_run(str(runs["length"].path)).__rich_console__()))
    assert "exam of length: right in 25.0%" in said and "judge length: " in said


def test_lists_on_both_sides_are_all_their_pairs(tmp_path: Path) -> None:
    rm_bench = [{"prompt": f"Q{n}?", "chosen": ["a", "bb", "ccc"], "rejected": ["d", "ee", "fff"]} for n in range(4)]
    found = examined(gold=written(tmp_path, rm_bench), judge="length", output=str(tmp_path))
    assert found.right.of + found.unread in (4, 12, 36) and found.right.of


PANDALM = {"instruction": "Do it.", "input": float("nan"), "response1": "A", "response2": "BB", "cmp_key": "a_b"}
AUTO_J = {"scenario": "x", "prompt": "Q?", "response 1": "A", "response 2": "BB"}
RM_BENCH = {"id": "chat/1", "prompt": "Q?", "chosen": ["A"] * 3, "rejected": ["BB", "CC", "A"], "domain": "chat"}


@pytest.mark.parametrize(
    ("rows", "right", "pairs"),
    [
        ([LLMBAR[0], LLMBAR[1], LLMBAR[2]], 1, 3),
        ([PANDALM | dict(zip(("annotator1", "annotator2", "annotator3"), votes, strict=True))
          for votes in ((2, 1, 2), (1, 1, 2), (0, 0, 1), (0, 1, 2))], 1, 2),  # the votes of the others are a tie
        ([AUTO_J | {"label": label} for label in (0, 1, 1, 2)], 2, 3),
        ([RM_BENCH], 0, 6),  # each with each; three are of the same text
    ],
)  # fmt: skip
def test_labels_are_read_as_their_file_means_them(
    rows: list[dict[str, Any]], right: int, pairs: int, tmp_path: Path
) -> None:
    found = examined(gold=written(tmp_path, rows), judge="length", output=str(tmp_path))
    assert (found.right.hits, found.right.of) == (right, pairs)


def test_a_tie_is_half_right_and_what_has_no_score_is_none(tmp_path: Path) -> None:
    (tmp_path / "j.py").write_text(
        "def j(prompts, completions, **_):\n"
        "    return [None if 'none' in t[0]['content'] else float(len(t[0]['content'])) for t in completions]\n"
    )
    rows = [pair("aa", "bb"), pair("aaa", "b"), pair("none", "b"), pair("same", "same")]
    found = examined(gold=rows, judge=f"{tmp_path}/j.py:j", output=str(tmp_path))
    assert (found.right.hits, found.right.of, found.ties) == (1.5, 2, 1)
    assert found.unjudged == {"not_applicable": 1} and found.unread == 1


def test_an_exam_needs_pairs_and_one_judge(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pairs of texts"):
        examined(gold=[pair("same", "same")], judge="length", output=str(tmp_path))
    with pytest.raises(InputError, match="judge by judge"):
        examined(gold=[pair("a", "b")], judge=["length", "reference"], output=str(tmp_path))


def test_probes_find_what_fools_a_judge(tmp_path: Path) -> None:
    asked = ["What is 2 + 3?", "What is 12 - 7?", "2加3等于多少？"]
    run = pairforge.onpolicy(prompts=asked, n=4, judge="length", output=str(tmp_path), quiet=True).run.path
    fooled = pairforge.judge(run, judge="length", probe=3, output=str(tmp_path), quiet=True)
    assert isinstance(fooled, JudgeProbes) and fooled.answers == 3 and not fooled.ok
    shares = {name: share.value for name, share in fooled.raised.items()}
    assert shares == dict.fromkeys(PROBES[:-1], 1.0) | {"empty": 0.0}
    sound = pairforge.judge(run, judge="regex:^never$", probe=3, output=str(tmp_path), quiet=True)
    assert isinstance(sound, JudgeProbes) and sound.ok and not any(s.value for s in sound.raised.values())
    assert "filler" in fooled.as_json()["raised"] and "100.0%" in fooled.brief
    said = str(list(fooled.__rich_console__())[-1])
    assert said.startswith("It raises 100.0%") and "It raises" not in str(list(sound.__rich_console__())[-1])
