"""Sampling as a function: lazy, in order, kept, and within its budget."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fakeserver import FakeServer
from support import prompt, write_jsonl

import pairforge
from pairforge.errors import InputError
from pairforge.types import Answer, Message


@pytest.fixture
def answers(tmp_path: Path) -> str:
    """A file with two answers to each of 3000 questions."""
    file = tmp_path / "answers.jsonl"
    rows = ({"prompt": f"question {i}", "answers": [f"answer {i}", f"other {i}"]} for i in range(3000))
    write_jsonl(file, rows)
    return str(file)


def test_prompts_are_read_only_as_far_as_answers_are_taken(tmp_path: Path, answers: str) -> None:
    taken = []

    def questions() -> Iterator[str]:
        for i in range(3000):
            taken.append(i)
            yield f"question {i}"

    samples = pairforge.sample(questions(), n=2, replay=answers, output=str(tmp_path), quiet=True)
    assert not taken
    first = next(samples)
    assert first.prompt and first.prompt.question == "question 0"
    assert first.answers == (Answer("answer 0", "stop"), Answer("other 0", "stop"))
    assert len(taken) < 100
    rest = list(samples)
    assert [item.prompt.question for item in rest if item.prompt] == [f"question {i}" for i in range(1, 3000)]
    assert samples.counts == {"prompts": 3000, "answers": 6000, "skips": 0} and samples.ok


def test_every_kind_of_prompt_is_taken_in_every_context(tmp_path: Path) -> None:
    asked = prompt("question 1")
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"prompt": [{"role": "system", "content": "S"}, *asked.messages], "answers": ["a"]}))
    prompts = ["question 1", list(asked.messages), asked]
    given = list(
        pairforge.sample(prompts, system="S", no_system=True, replay=str(file), output=str(tmp_path), quiet=True)
    )
    assert [item.skip.reason if item.skip else item.answers[0].text for item in given] == ["not_replayed", "a"] * 3
    with pytest.raises(InputError, match="prompt 0: 5 is not a prompt"):
        list(pairforge.sample([5], replay=str(file), output=str(tmp_path)))


def test_rows_are_read_as_those_of_a_file_and_lists_are_asked_whole(tmp_path: Path, answers: str) -> None:
    turns = [("user", "Hi"), ("assistant", "Hello"), ("user", "question 3")]
    whole = [Message(role=role, content=text) for role, text in turns]
    rows = [{"q": "question 2"}, whole, tuple(whole), {"q": whole}, "", "{{NAME}}"]
    given = list(pairforge.sample(rows, columns="prompt=q", replay=answers, output=str(tmp_path), quiet=True))
    assert [len(item.prompt.messages) if item.prompt else 0 for item in given] == [1, 3, 3, 1, 0, 0]
    assert [item.skip.reason if item.skip else "" for item in given] == [
        "", "not_replayed", "not_replayed", "", "empty", "placeholder",
    ]  # fmt: skip


def test_what_does_not_go_together_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exclude each other"):
        pairforge.sample(["x"], replay="a", base_url="http://localhost", output=str(tmp_path))


def test_an_iterator_may_be_taken_by_another_thread_or_left(tmp_path: Path, answers: str) -> None:
    questions = [f"question {i}" for i in range(100)]
    samples = pairforge.sample(questions, replay=answers, output=str(tmp_path), quiet=True)
    next(samples)
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(lambda: len(list(samples))).result() == 99
    left = pairforge.sample(questions, replay=answers, output=str(tmp_path), quiet=True)
    next(left)
    del left  # closes the store: a warning would be an error here


@pytest.mark.slow
def test_a_budget_that_is_spent_is_a_skip_and_the_same_call_goes_on(tmp_path: Path, answers: str) -> None:
    questions = [f"question {i}" for i in range(2000)]

    def reasons(**limits: int) -> list[str]:
        given = pairforge.sample(questions, replay=answers, output=str(tmp_path / "o"), quiet=True, **limits)  # type: ignore[arg-type]
        return [item.skip.reason if item.skip else "" for item in given]

    assert pairforge.sample(["unknown"], replay=answers, output=str(tmp_path), quiet=True).as_json()["ok"] is False
    first = reasons(max_tokens=1)
    assert set(first) == {""}  # replayed answers cost nothing
    assert reasons() == [""] * 2000


def test_what_sample_writes_replay_reads(tmp_path: Path, answers: str) -> None:
    wanted = list(pairforge.sample(["question 7", "none"], n=2, replay=answers, output=str(tmp_path), quiet=True))
    lines = pairforge.sample(["question 7", "none"], n=2, replay=answers, output=str(tmp_path), quiet=True).lines()
    (tmp_path / "written.jsonl").write_text("".join(f"{line}\n" for line in lines))
    again = pairforge.sample(
        ["question 7", "none"], n=2, replay=str(tmp_path / "written.jsonl"), output=str(tmp_path), quiet=True
    )
    assert [item.answers for item in again] == [item.answers for item in wanted]


def test_what_a_server_costs_is_said_and_ends_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The server says that each answer took 3 tokens in and 7 out."""
    asked = {"prompts": [f"Q{number}?" for number in range(20)], "output": str(tmp_path), "concurrency": 1}
    with FakeServer() as server:
        options = {"base_url": server.url, "price": "1e5/1e6", **asked}
        first = [*pairforge.sample(max_cost=30, **options)]  # type: ignore[arg-type]
        answered = sum(bool(one.answers) for one in first)
        assert 4 < answered < 20 and len(server.seen) >= answered
        assert f"sample: fake: {7.3 * answered:.4g} spent" in capsys.readouterr().err  # all that was paid for is kept
        assert {one.skip.detail for one in first if one.skip} == {"--max-cost 30"}
        [*_] = pairforge.sample(**options)  # type: ignore[arg-type]
        assert all(one.answers for one in pairforge.sample(**options))  # type: ignore[arg-type]
    said = [line for line in capsys.readouterr().err.splitlines() if "spent" in line]
    assert said == [f"sample: fake: {7.3 * (20 - answered):.4g} spent"]
    with pytest.raises(InputError, match="--max-cost needs the price"):
        pairforge.sample(base_url="http://x", max_cost=1)
    for price in ("free", "1/2/3", "-1", "nan"):
        with pytest.raises(InputError, match="is no price of a million tokens"):
            pairforge.sample(base_url="http://x", price=price)
