"""Each stage gives a result or a Skip, costs no answer twice, and the counts add up."""

from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import Scripted, asks_nobody, prompt

from pairforge.correction.renaming import CorrectionRules, Renaming
from pairforge.judges.function import FunctionJudge
from pairforge.pairers import BestWorstPairer, CorrectionPairer
from pairforge.rename import Renamer
from pairforge.samplers.decoding import Decoding
from pairforge.stages import judge_groups, pair, sample, score
from pairforge.stopping import Budget
from pairforge.store import Store
from pairforge.types import Answer, AnswerGroup, Ask, Judge, Key, Pair, Prompt, Skip, Verdicts


def scripted(table: Mapping[str, Sequence[Answer | Skip]], stop_after: int = 10**9) -> Scripted:
    """A sampler that answers from a table, and is interrupted after so many answers."""

    def say(prompt: Prompt, index: int, _: Decoding) -> Answer | Skip:
        if len(sampler.asked) >= stop_after:
            raise KeyboardInterrupt
        return table[prompt.question][index]

    sampler = Scripted(say)
    return sampler


def keys(sampler: Scripted) -> list[Key]:
    return [(asked.prompt.id, asked.index) for asked in sampler.asked]


def whole(*texts: str) -> list[Answer]:
    return [Answer(text, "stop") for text in texts]


def test_an_interrupted_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    table = {str(i): whole(f"a{i}", f"b{i}") for i in range(10)}
    prompts = [prompt(name) for name in table]
    first = scripted(table, stop_after=8)
    with pytest.raises(KeyboardInterrupt):
        sample(prompts, first, 2, Store(tmp_path))
    second = scripted(table)
    resumed = sample(prompts, second, 2, Store(tmp_path))
    assert sorted(keys(first) + keys(second)) == sorted((p.id, i) for p in prompts for i in (0, 1))
    assert resumed == sample(prompts, scripted(table), 2, Store(tmp_path / "other"))


def test_a_failed_prompt_is_a_skip_and_is_asked_again(tmp_path: Path) -> None:
    broken = scripted({"x": [Skip("failed", "no logits")]})
    assert sample([prompt("x")], broken, 1, Store(tmp_path)) == {prompt("x").id: Skip("failed", "no logits")}
    assert sample([prompt("x")], scripted({"x": whole("now")}), 1, Store(tmp_path)) == {prompt("x").id: whole("now")}


def test_a_prompt_with_an_answer_that_failed_is_asked_again_for_that_one(tmp_path: Path) -> None:
    given = {"x": [*whole("a"), Skip("failed", "html")], "y": [*whole("a"), Skip("rejected", "for good")]}
    prompts = [prompt("x"), prompt("y")]
    results = sample(prompts, scripted(given), 2, Store(tmp_path))
    assert results == {prompt("x").id: Skip("failed", "html"), prompt("y").id: whole("a")}
    healthy = scripted({"x": whole("-", "b"), "y": whole("-", "b")})
    assert sample(prompts, healthy, 2, Store(tmp_path))[prompt("x").id] == whole("a", "b")
    assert keys(healthy) == [(prompt("x").id, 1), (prompt("y").id, 1)]


def test_what_is_known_to_have_failed_is_not_asked_and_no_failure_of_this_process(tmp_path: Path) -> None:
    sampler, budget = scripted({"x": whole("a", "b"), "y": [Skip("failed", "html")] * 2}), Budget()
    failed = {(prompt("x").id, 1): Skip("rejected", "too long")}
    results = sample([prompt("x"), prompt("y")], sampler, 2, Store(tmp_path), budget=budget, failed=failed)
    assert results == {prompt("x").id: whole("a"), prompt("y").id: Skip("failed", "html")}
    assert (prompt("x").id, 1) not in keys(sampler) and budget.failures == 2 and len(failed) == 3


def test_scores_are_asked_once_and_only_for_answers_worth_it(tmp_path: Path) -> None:
    asked: list[str] = []

    def length(completions: Any, **_: Any) -> list[float]:
        asked.extend(made[0]["content"] for made in completions)
        return [float(len(made[0]["content"])) for made in completions]

    judge = FunctionJudge(length, "length")
    sampled: dict[str, list[Answer] | Skip] = {
        prompt("two").id: [*whole("a", "bbb", "a", ""), Answer("cut", "length")],
        prompt("same").id: whole("a", "a"),
        prompt("one").id: whole("a"),
        prompt("none").id: Skip("failed"),
    }
    prompts = [prompt(text) for text in ("two", "same", "one", "none")]
    for _ in range(2):
        results = score(prompts, sampled, judge, Store(tmp_path), asks_nobody)
        assert results[prompt("two").id] == (whole("a", "bbb"), [1.0, 3.0])
        assert results[prompt("same").id] == Skip("identical", "a")
        assert results[prompt("one").id] == Skip("one_answer", "a")
        assert results[prompt("none").id] == Skip("failed")
    assert asked == ["a", "bbb"]


class Learns(Judge):
    """A judge whose server refuses a parameter at one of its calls, from which on it scores otherwise."""

    def __init__(self, at: int) -> None:
        self.name, self.warnings, self.calls, self.at = "learns", list[str](), 0, at

    def settings(self) -> dict[str, Any]:
        return {"refused": self.calls >= self.at}

    def judge(self, groups: Sequence[AnswerGroup], ask: Ask, done: Container[tuple[int, int]]) -> Iterator[Verdicts]:
        self.calls += 1
        keys = [(number, index) for number, group in enumerate(groups) for index in range(len(group.answers))]
        yield {key: float(self.calls >= self.at) for key in keys if key not in done}


@pytest.mark.parametrize("at", [1, 2])
def test_scores_of_two_settings_are_never_mixed(at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairforge.stages._CHUNK", 2)
    store, groups = Store(tmp_path), [AnswerGroup(prompt(f"Q{number}?"), ["x", "y"]) for number in range(5)]
    store.add_scores({"refused": False}, {(groups[0].key, "x"): 0.0})
    judge = Learns(at)
    assert judge_groups(groups, judge, store, asks_nobody) == [{"x": 1.0, "y": 1.0}] * 5
    assert {*store.scores({"refused": True}).values()} == {1.0} and len(store.scores({"refused": True})) == 10
    assert {*store.scores({"refused": False}).values()} == {0.0}


def test_answers_without_two_scores_are_unjudged(tmp_path: Path) -> None:
    judge = FunctionJudge(lambda **_: [None, 1.0], "half")
    results = score([prompt("x")], {prompt("x").id: whole("a", "b")}, judge, Store(tmp_path), asks_nobody)
    assert results[prompt("x").id] == Skip("not_applicable", "the judge returned None")


_ANSWERS = st.lists(
    st.sampled_from([*whole("I am Qwen.", "I am Deep Qwen.", "Hello.", " "), Answer("I am Qw", "length")]),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from("abcde"), _ANSWERS | st.just(Skip("failed"))), max_size=8))
def test_every_prompt_ends_in_a_pair_or_a_skip(given: list[tuple[str, list[Answer] | Skip]]) -> None:
    prompts: list[Prompt | Skip] = [*(prompt(name) for name, _ in given), Skip("placeholder")]
    results = {prompt(name).id: answers for name, answers in given}
    renamer = Renamer({"Qwen": "Deep Qwen"})
    outcome = pair(prompts, results, CorrectionPairer(Renaming(CorrectionRules(renamer))), "m")
    assert len(outcome) == len(prompts)
    pairs = [item for _, item in outcome if isinstance(item, Pair)]
    assert len({made.prompt_id for made in pairs}) == len(pairs)
    assert all(made.chosen != made.rejected for made in pairs)
    assert all(isinstance(item, (Pair, Skip)) for _, item in outcome)


def test_best_and_worst_come_from_the_scored_answers() -> None:
    results: dict[str, tuple[list[Answer], list[float]] | Skip] = {prompt("x").id: (whole("a", "b"), [0.0, 1.0])}
    [(_, made), (_, again)] = pair([prompt("x"), prompt("x")], results, BestWorstPairer("f"), "m")
    assert isinstance(made, Pair) and made.chosen[-1]["content"] == "b" and made.judge == "f"
    assert isinstance(again, Skip) and again.reason == "duplicate"


def test_the_first_of_prompts_with_one_text_is_judged_and_paired(tmp_path: Path) -> None:
    def by_reference(reference: list[str], completions: Any, **_: Any) -> list[float]:
        return [float(made[0]["content"] == right) for made, right in zip(completions, reference, strict=True)]

    twice = [Prompt(prompt("x").messages, {"reference": right}) for right in ("a", "b")]
    results = score(
        twice, {twice[0].id: whole("a", "b")}, FunctionJudge(by_reference, "f"), Store(tmp_path), asks_nobody
    )
    assert results[twice[0].id] == (whole("a", "b"), [1.0, 0.0])


def test_too_few_whole_answers_are_cut_off_rather_than_identical(tmp_path: Path) -> None:
    sampled: dict[str, list[Answer] | Skip] = {prompt("x").id: [*whole("a"), Answer("b", "length")]}
    results = score([prompt("x")], sampled, FunctionJudge(lambda **_: [], "f"), Store(tmp_path), asks_nobody)
    assert results[prompt("x").id] == Skip("cut_off", "1 of 2 answers")
