"""onpolicy: judges as functions, objects and names; what can be known of them is said before a model is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import Scripted, read_jsonl, write_jsonl

import pairforge
from pairforge.api.onpolicy import family_warning
from pairforge.errors import InputError, OutsideError
from pairforge.judges.reference import ReferenceJudge
from pairforge.types import Prompt, Skip

QUESTIONS = [f"question {number}" for number in range(24)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs onpolicy on prompts with a scripted sampler: (prompts, judge, options) -> the result, the sampler."""
    sampler = Scripted(lambda prompt, index, _: f"{prompt.question} {'a' * index}")
    monkeypatch.setattr("pairforge.api.onpolicy.open_sampler", lambda options, quiet: sampler)

    def run(judge: Any, prompts: Any = QUESTIONS, **options: Any) -> Any:
        given = {"output": str(tmp_path), "quiet": True, "n": 3, **options}
        return pairforge.onpolicy(prompts=prompts, judge=judge, **given)

    run.sampler = sampler  # type: ignore[attr-defined]
    return run


def longer(completions: Any, **_: Any) -> list[float]:
    return [float(len(made[0]["content"])) for made in completions]


class Shorter:
    """A judge of its own."""

    name = "shorter"

    def settings(self) -> dict[str, Any]:
        return {"judge": self.name}

    def score(self, prompt: Prompt, answers: Any) -> list[float | Skip]:
        return [-float(len(answer)) for answer in answers]


class Broken(Shorter):
    name = "broken"

    def __init__(self, scores: Any) -> None:
        self.scores = scores

    def score(self, prompt: Prompt, answers: Any) -> Any:
        return self.scores(answers)


@pytest.mark.parametrize(("judge", "ends"), [(longer, " aa"), (Shorter(), " ")])
def test_a_function_or_an_object_is_a_judge(asked: Any, judge: Any, ends: str) -> None:
    built = asked(judge)
    assert built.counts["pairs"] == len(QUESTIONS)
    assert all(row["chosen"][-1]["content"].endswith(ends) for row in built.rows())
    assert asked(judge).run.path == built.run.path, "the same function and the same list are the same run"


def test_functions_that_differ_are_different_runs(asked: Any) -> None:
    judges = [lambda completions, **_: [1.0] * len(completions), lambda completions, **_: [2.0] * len(completions)]
    assert len({asked(judge).run.path for judge in judges}) == 2


@pytest.mark.parametrize(
    ("judge", "kind", "says"),
    [
        (lambda prompt, completion: 1.0, InputError, "can't be called by pairforge"),
        (lambda completions, **_: [1.0], InputError, "returned 1 score for 2"),
        (lambda completions, **_: 1 / 0, OutsideError, "raised ZeroDivisionError"),
        ("reference", InputError, r"needs a column `reference`; it has none .*--judge FILE.py:FUNCTION"),
        (Shorter, InputError, r"the judge Shorter is a class .*Shorter\(\)"),
        (7, InputError, "judge=7 is an int, not a function"),
    ],
)
def test_what_can_be_known_is_said_before_a_model_is_asked(
    asked: Any, judge: Any, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        asked(judge)
    assert not asked.sampler.asked


@pytest.mark.parametrize(
    ("scores", "kind", "says"),
    [
        (lambda answers: [1.0], InputError, "broken returned 1 score for 3 distinct answers"),
        (lambda answers: [None] * len(answers), InputError, "returned None, which is not a score"),
        (lambda answers: [float("nan")] * len(answers), InputError, "returned nan, which is not a score"),
        (lambda answers: answers[9], OutsideError, r"broken raised IndexError.* at .*test_onpolicy.py:\d+"),
    ],
)
def test_an_object_that_fails_is_named(asked: Any, scores: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        asked(Broken(scores))


def test_a_judge_that_always_raises_stops_the_run_and_the_answers_stay(
    asked: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(prompts: Any, completions: Any, **_: Any) -> list[float]:
        if "question" in completions[0][0]["content"]:
            raise ValueError("my reward broke")
        return [0.0, 0.0]

    with pytest.raises(OutsideError, match=r"my reward broke.*first 20 calls"):
        asked(fails)
    said = capsys.readouterr().err
    assert said.count("my reward broke") == 1 and "test_onpolicy.py:" in said
    answered = len(asked.sampler.asked)
    assert answered == 3 * len(QUESTIONS)
    asked(longer)
    assert len(asked.sampler.asked) == answered


def test_reasons_are_in_the_summary(asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    built = asked(lambda completions, **_: [float("nan")] * len(completions))
    Console(soft_wrap=True).print(built, markup=False)
    said = capsys.readouterr().out
    assert "unjudged, 24 prompts: not finite: nan" in said
    assert "No pairs were made: 24 of 24 prompts are skipped as unjudged. All reasons:" in said


def test_below_the_margin_is_no_tie_and_the_margins_are_shown(asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    rows = [{"prompt": question, "gap": float(number)} for number, question in enumerate(QUESTIONS)]

    def by_gap(completions: Any, gap: Any, **_: Any) -> list[float]:
        return [one * index for index, one in enumerate(gap)]

    built = asked(by_gap, rows, margin=10)
    assert built.counts["skips"] == {"below_margin": 5, "tie": 1}
    assert built.counts["pairs"] == 18
    details = [row["detail"] for row in read_jsonl(built.run.skips) if row["reason"] == "below_margin"]
    assert details[0].startswith("2 apart")
    Console(soft_wrap=True).print(built, markup=False)
    assert (
        "margins of the prompts that are not ties: 10% 6.4, median 24, 90% 41.6 (--margin 10)"
        in capsys.readouterr().out
    )


def test_a_finished_run_needs_no_judge_that_works(asked: Any) -> None:
    state = {"works": True}

    class Remote(Shorter):
        def score(self, prompt: Prompt, answers: Any) -> list[float | Skip]:
            assert state["works"]
            return super().score(prompt, answers)

    first = asked(Remote())
    state["works"] = False
    assert asked(Remote()).run.path == first.run.path


def test_a_column_may_be_named_as_the_reference(asked: Any) -> None:
    rows = [{"question": question, "answer": "aa"} for question in QUESTIONS]
    with pytest.raises(InputError, match=r"it has only question, answer \(--columns reference=answer"):
        asked("reference", rows)
    assert asked("reference", rows, columns={"reference": "answer"}).counts["pairs"] == len(QUESTIONS)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n": 1}, "--n 1 must be at least 2"),
        ({"n": 2.5}, "n=2.5 must be a whole number"),
        ({"n": True}, "must be a whole number"),
        ({"temperature": 0}, "n times the same answer"),
        ({"temperature": "hot"}, "must be a number"),
        ({"margin": float("nan")}, "must be 0 or more"),
        ({"margin": -1}, "must be 0 or more"),
        ({"system": ""}, "--system is empty .*--no-system"),
        ({"system": ["X", "X"]}, "--system 'X' is given twice"),
        ({"limit": 0}, "--limit 0 must be at least 1"),
        ({"prompts": []}, "prompts: no prompts"),
        ({"prompts": {"prompt": "x"}}, "one dict, not a list"),
        ({"prompts": None}, "None holds no rows"),
    ],
)
def test_what_can_not_be_gets_one_line(asked: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        asked(longer, **{"prompts": QUESTIONS, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("judge", "model", "warned"),
    [
        ("llm:Qwen/Qwen3-32B", "Qwen/Qwen2.5-0.5B-Instruct", True),
        ("rm:allenai/Llama-3.1-RM", "meta-llama/Llama-3.2-1B", True),
        ("llm:gpt-5", "Qwen/Qwen2.5-0.5B-Instruct", False),
        ("reference", "reference-model", False),
    ],
)
def test_a_judge_of_the_model_s_own_family_is_a_warning(judge: str, model: str, warned: bool) -> None:
    class Named(ReferenceJudge):
        name = judge

        def __init__(self) -> None:
            pass

    said = [*family_warning(Named(), model)]
    assert bool(said) is warned and all("one family" in line for line in said)


def right(completions: Any, **_: Any) -> list[float]:
    return [float(made[0]["content"].startswith("right")) for made in completions]


def test_adaptive_asks_for_more_only_where_there_is_no_pair_yet(asked: Any) -> None:
    """Of prompt k, only answer k % 5 is right: two answers make a pair for 0 and 1, four for 2 and 3, none for 4."""
    asked.sampler.say = lambda prompt, index, _: (
        f"{'right' if int(prompt.question.split()[-1]) % 5 == index else 'wrong'} {index}"
    )
    built = asked(right, n=4, adaptive=True)
    drawn = [(one.prompt.id, one.index) for one in asked.sampler.asked]
    assert len(drawn) == len(set(drawn)) == 10 * 2 + 14 * 4
    assert built.counts["pairs"] == 20 and built.counts["skips"] == {"tie": 4}
    assert "--adaptive left 20 of 96 answers out" in "\n".join(map(str, built.__rich_console__()))
    whole = asked(right, n=4)
    assert [*whole.rows()] == [*built.rows()] and whole.run.path != built.run.path
    assert len(asked.sampler.asked) == 96, "the other answers alone were asked for"
    again = pairforge.select(built.run.path, pick="best-second", quiet=True)
    assert again.run.settings["adaptive"] == "stored" and again.counts["pairs"] == 20


def test_adaptive_within_a_budget_goes_on_with_the_same_command(asked: Any) -> None:
    asked.sampler.say = lambda prompt, index, _: "same" if index < 2 else f"other {'a' * index}"
    stopped = asked(longer, n=8, adaptive=True, max_tokens=60)
    assert stopped.counts["skips"]["not_asked"] + stopped.counts["pairs"] == 24 and not stopped.ok
    built = asked(longer, n=8, adaptive=True)
    assert built.run.path == stopped.run.path and built.counts["pairs"] == 24
    assert len(asked.sampler.asked) == 24 * 4 and built.counts["diagnostics"]["saved"] == 24 * 4


def _groups(turns: list[dict[str, str]], message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each question of a tree of messages, in which people ranked the replies, with these."""
    said = [*turns, {"role": {"prompter": "user"}.get(message["role"], "assistant"), "content": message["text"]}]
    if message["role"] == "prompter" and len(message["replies"]) > 1:
        yield {"prompt": said, "answers": [{"text": one["text"], "rank": one["rank"]} for one in message["replies"]]}
    for reply in message["replies"]:
        yield from _groups(said, reply)


def test_the_best_and_the_worst_of_ranked_answers_are_those_of_the_ranks(tmp_path: Path) -> None:
    def reply(text: str, rank: int | None, *replies: Any) -> dict[str, Any]:
        return {"text": text, "role": "assistant", "rank": rank, "replies": list(replies)}

    further = {"text": "And then?", "role": "prompter", "replies": [reply("x", 1), reply("y", 0), reply("z", None)]}
    tree = {"text": "How?", "role": "prompter", "replies": [reply("b", 1, further), reply("a", 0), reply("c", 2)]}
    none = {"text": "Why?", "role": "prompter", "replies": [reply("d", None), reply("e", None)]}
    rows = [*_groups([], tree), *_groups([], none)]
    file = write_jsonl(tmp_path / "ranked.jsonl", rows)
    options: Any = {"prompts": str(file), "replay": str(file), "output": str(tmp_path), "quiet": True}
    options["history"] = "full"
    built = pairforge.onpolicy(judge="replay", **options)
    sides = [(row["chosen"][-1]["content"], row["rejected"][-1]["content"]) for row in built.rows()]
    assert sides == [("a", "c"), ("y", "x")] and built.counts["skips"] == {"not_applicable": 1}
    write_jsonl(file, [row | {"answers": [{"text": "a", "score": 1}, {"text": "b", "score": 2.5}]} for row in rows[:1]])
    [row] = pairforge.onpolicy(judge="replay", **options).rows()
    assert (row["chosen_score"], row["rejected_score"]) == (2.5, 1.0)
    write_jsonl(file, [{"prompt": "How?", "answers": ["a", {"text": "b", "score": "good"}]}])
    with pytest.raises(InputError, match="has a score or a rank"):
        pairforge.onpolicy(judge="replay", **options)
    with pytest.raises(InputError, match="no file is given"):
        pairforge.onpolicy(judge="replay", output=str(tmp_path))
