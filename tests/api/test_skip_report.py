"""Why there are no pairs: in words that say what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pairforge.api.skip_report import SkipReport
from pairforge.run import Run


def report(folder: Path, answers: list[tuple[str, str]], pairs: int = 0, **settings: Any) -> SkipReport:
    """Return the report of a run with these skips: reason and detail."""
    run = Run(folder, "correct", {"model": "pocket", "rules": {"Llama": "Athene"}, **settings})
    counts: dict[str, int] = {}
    for reason, _ in answers:
        counts[reason] = counts.get(reason, 0) + 1
    rows = [
        {"prompt_id": "", "reason": reason, "detail": detail, "prompt": [{"role": "user", "content": f"Q{number}?"}]}
        for number, (reason, detail) in enumerate(answers)
    ]
    run.finish([], rows, {"prompts": len(rows) + pairs, "contexts": 1, "pairs": pairs, "skips": counts})
    return SkipReport(run)


def test_the_name_that_the_model_says_is_named(tmp_path: Path) -> None:
    made = report(
        tmp_path, [("nothing_to_correct", text) for text in ("I'm Qwen.", "我叫Qwen。", "I am Bob.", "Hello!")]
    )
    assert next(iter(made.lines())) == "skipped as nothing to correct: 'Q0?' -> 'I'm Qwen.'"
    assert [*made.conclusion()] == [
        f"No pairs were made: 4 of 4 answers don't contain 'Llama'. All reasons: {tmp_path / 'skips.jsonl'}",
        "pocket never says 'Llama'; it says 'Qwen' in 2, 'Bob' in 1 of 4 answers",
        "  -> --from Qwen, or -m YOUR-MODEL",
    ]


def test_a_name_in_one_of_a_hundred_answers_is_not_the_model_s(tmp_path: Path) -> None:
    said = [("nothing_to_correct", "Yes.")] * 100 + [("nothing_to_correct", "I am Bob.")]
    assert [*report(tmp_path, said, model="org/x").names()] == [
        "org/x never says 'Llama'",
        '  -> --persona "You are Athene", or --chosen reference',
    ]


def test_a_persona_that_no_answer_fits_gets_advice(tmp_path: Path) -> None:
    *_, advice = report(
        tmp_path, [("persona_failed", "it refuses: No.")] * 3, persona={"text": "You are X."}
    ).conclusion()
    assert advice.startswith("  -> show how it answers") and "--chosen reference" in advice


def test_another_spelling_is_named(tmp_path: Path) -> None:
    made = report(tmp_path, [("nothing_to_correct", "I'm Qwen.")] * 3, rules={"qwen": "Athene"})
    assert [*made.names()] == ["the model writes 'Qwen', not 'qwen'", "  -> --from Qwen, or --case smart"]


def test_a_name_within_a_longer_word_is_no_other_spelling(tmp_path: Path) -> None:
    made = report(tmp_path, [("nothing_to_correct", "No questions.")] * 3, rules={"question": "Athene"})
    assert next(made.names()).startswith("pocket never says 'question'")


@pytest.mark.parametrize(
    ("answers", "pairs", "settings"),
    [
        ([("nothing_to_correct", "I'm Bob.")], 2, {}),
        ([("about_another", "Qwen is a model.")], 0, {}),
        ([("nothing_to_correct", "I'm Bob.")], 0, {"match": "regex"}),
    ],
)
def test_no_name_is_guessed_where_most_answers_hold_it_or_it_is_a_pattern(
    tmp_path: Path, answers: Any, pairs: int, settings: Any
) -> None:
    assert [*report(tmp_path, answers, pairs, **settings).names()] == []


def test_a_model_without_its_name_gets_the_other_ways_for_advice(tmp_path: Path) -> None:
    said = [("nothing_to_correct", "I am Elena."), ("cut_off", "I am Elena, and"), ("repeated", "Akua")]
    made = report(tmp_path, said, model="org/x\x1b[1m")
    assert [*made.names()] == [
        "org/x\\x1b[1m never says 'Llama'; it says 'Elena' in 2 of 3 answers",
        '  -> --from Elena, or --persona "You are Athene", or --chosen reference',
    ]
    assert not [*report(tmp_path, said, persona={}).names()]
    replayed = report(tmp_path, said, model="a.jsonl", sampling={"sampler": "replay"})
    assert [*replayed.names()][1] == '  -> --from Elena, or -m MODEL --persona "You are Athene", or --chosen reference'


def test_prompts_without_an_answer_say_nothing_of_the_name(tmp_path: Path) -> None:
    silent = [("not_replayed", "no stored answer to this prompt"), ("template", "no system role"), ("failed", "500")]
    made = report(tmp_path, [("nothing_to_correct", "I am Elena."), *silent * 2], model="org/x")
    assert next(made.names()) == "org/x never says 'Llama'; it says 'Elena' in 1 of 1 answer"


def test_the_most_frequent_errors_come_first(tmp_path: Path) -> None:
    answers = [("failed", "timeout")] * 3 + [("failed", f"error {n}") for n in range(4)] + [("unjudged", "boom\n")]
    said = [*report(tmp_path, answers).lines()]
    assert said[0] == "failed, 3 prompts: timeout"
    assert "failed: 2 other reasons" in said and said[-1] == "unjudged, 1 prompt: boom"


def test_too_many_failures_are_counted(tmp_path: Path) -> None:
    line, fix = report(tmp_path, [("failed", "timeout")] * 3, pairs=7).conclusion()
    assert line.startswith("Too many prompts failed: 3 of 10. All reasons:")
    assert fix == "  -> correct the cause and run the same command again: what was made is kept"


def test_a_run_without_its_skips_says_what_its_counts_say(tmp_path: Path) -> None:
    made = report(tmp_path, [("cut_off", "I am")])
    (tmp_path / "skips.jsonl").unlink()
    again = SkipReport(Run.load(tmp_path))
    assert json.loads((tmp_path / "run.json").read_text())["counts"]["skips"] == {"cut_off": 1}
    assert [*again.lines()] == [] and "1 of 1 prompts are skipped as cut off" in next(made.conclusion())


def test_a_judge_that_gives_every_answer_the_same_score_is_named(tmp_path: Path) -> None:
    made = report(tmp_path, [("tie", "2 different answers, all scored -1")] * 2, n=4)
    assert next(iter(made.lines())) == "skipped as tie: 'Q0?' -> '2 different answers of 4, all scored -1'"
    why, judge = made.conclusion()
    assert "2 of 2 prompts are skipped as tie" in why
    assert judge == 'the judge gave every answer -1: does it read completion[0]["content"]?'
    (tmp_path / "b").mkdir()
    ties = [("tie", f"2 different answers, all scored {score}") for score in (0, 1)]
    assert len([*report(tmp_path / "b", ties).conclusion()]) == 1
