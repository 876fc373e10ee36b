"""What can happen to a run from outside: signals, budgets, other processes, odd environments. Nothing is lost."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakeserver import Ask, FakeServer
from support import read_jsonl, write_jsonl

import pairforge
from pairforge.errors import OutsideError
from pairforge.run import Run

WHO = "I am Qwen, and my number is {}."


def command(out: Path, *more: str) -> list[str]:
    """`pairforge correct` on 40 prompts, with no other context."""
    prompts = out / "prompts.txt"
    prompts.write_text("".join(f"Who are you, number {i}?\n" for i in range(40)))
    # "answer" stands in all that the fake server says by itself.
    names = ["--from", "Qwen", "--to", "Athene", "--from", "answer", "--to", "reply", "--no-system", "--about", "any"]
    return [sys.executable, "-m", "pairforge", "correct", *names, "-p", str(prompts), "-o", str(out / "runs"), *more]


def run(out: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | environment
    return subprocess.run(command(out, *more), env=env, capture_output=True, text=True, check=False, timeout=120)


def answers(out: Path) -> list[tuple[Any, ...]]:
    store = sqlite3.connect(out / "runs" / "evidence.db")
    try:
        return store.execute("SELECT prompt, idx, text FROM answers").fetchall()
    except sqlite3.OperationalError:  # it is just being made
        return []
    finally:
        store.close()


@pytest.fixture
def replay(tmp_path: Path) -> str:
    file = tmp_path / "answers.jsonl"
    rows = ({"prompt": f"Who are you, number {i}?", "answers": [WHO.format(i)]} for i in range(40))
    write_jsonl(file, rows)
    return str(file)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Answers a quarter of the prompts at once, the others never, until told otherwise."""

    def script(ask: Ask) -> Any:
        number = int(ask.question.split()[-1].rstrip("?"))
        said = {"choices": [{"message": {"content": WHO.format(number)}, "finish_reason": "stop"}]}
        return said if number < 10 or getattr(script, "well", False) else "hang"

    with FakeServer(script) as fake:
        yield fake


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_ends_a_run_soon_and_the_same_command_goes_on(
    tmp_path: Path, server: FakeServer, number: signal.Signals, code: int, times: int
) -> None:
    process = subprocess.Popen(
        command(tmp_path, "--base-url", server.url, "-m", "fake"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not (tmp_path / "runs" / "evidence.db").exists() or len(answers(tmp_path)) < 10:
        assert process.poll() is None
        time.sleep(0.02)
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.3)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "the same command goes on where this one stopped" in said and "Traceback" not in said
    assert len(answers(tmp_path)) == 10
    server.script.well = True  # type: ignore[attr-defined]
    asked = len(server.seen)
    again = run(tmp_path, "--base-url", server.url, "-m", "fake", "--json")
    assert json.loads(again.stdout)["counts"]["pairs"] == 40, again.stderr
    assert len(answers(tmp_path)) == 40 and len(server.seen) - asked == 30


@pytest.mark.slow
def test_a_budget_stops_with_a_whole_data_set_and_the_same_command_goes_on(tmp_path: Path) -> None:
    async def later() -> None:
        await asyncio.sleep(0.2)

    with FakeServer(lambda ask: later()) as fake:
        source = ("--base-url", fake.url, "-m", "fake", "--concurrency", "2", "--json")
        first = run(tmp_path, *source, "--max-tokens", "60")
        assert first.returncode == 3, first.stderr
        said = json.loads(first.stdout)
        counts = said["counts"]
        assert counts["pairs"] > 0 < counts["skips"]["not_asked"]
        assert counts["pairs"] + sum(counts["skips"].values()) == 40
        rows = read_jsonl(Path(said["output"]))
        assert len(rows) == counts["pairs"] and said["ok"] is False
        whole = run(tmp_path, *source)
        assert whole.returncode == 0, whole.stderr
        assert json.loads(whole.stdout)["run"] == said["run"] and json.loads(whole.stdout)["counts"]["pairs"] == 40


@pytest.mark.slow
@pytest.mark.parametrize(("allowed", "code"), [("2", 3), ("20", 0)])
def test_failures_are_tolerated_up_to_their_budget(tmp_path: Path, allowed: str, code: int) -> None:
    def script(ask: Ask) -> Any:
        number = int(ask.question.split()[-1].rstrip("?"))
        return (400, {}, f"no {number}") if number % 4 == 3 else None

    with FakeServer(script) as fake:
        done = run(tmp_path, "--base-url", fake.url, "-m", "fake", "--json", "--max-failures", allowed)
    counts = json.loads(done.stdout)["counts"]
    assert counts["pairs"] + sum(counts["skips"].values()) == 40
    assert done.returncode == code, (counts, done.stderr)


@pytest.mark.slow
def test_a_run_in_use_is_told_and_the_other_goes_on(tmp_path: Path, replay: str) -> None:
    made = json.loads(run(tmp_path, "--replay", replay, "--json").stdout)
    with Run(Path(made["run"]), "correct", {}).lock():
        second = run(tmp_path, "--replay", replay)
        assert second.returncode == 2 and f"in use by process {os.getpid()} since " in second.stderr
    assert run(tmp_path, "--replay", replay).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"COLUMNS": "1"},
        {"TZ": "Nowhere/Else", "NO_COLOR": "1"},
        {"TERM": "dumb", "FORCE_COLOR": "1"},
    ],
)
def test_an_odd_environment_changes_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    asked, said = "你是谁，№ 7？", "我是Qwen，\u202e[/red]\x1b[31m"
    (tmp_path / "answers.jsonl").write_text(json.dumps({"prompt": asked, "answer": said}), "utf-8")
    (tmp_path / "one.txt").write_text(asked, "utf-8")
    env = {key: value for key, value in os.environ.items() if key != "HOME"} | environment
    words = [
        "correct",
        "--from",
        "Qwen",
        "--to",
        "Äthene",
        "--no-system",
        "--about",
        "any",
        "-p",
        str(tmp_path / "one.txt"),
    ]
    words += ["--replay", str(tmp_path / "answers.jsonl"), "-o", str(tmp_path / "runs")]
    done = subprocess.run(
        [sys.executable, "-m", "pairforge", *words], env=env, capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    assert b"\x1b[31m" not in done.stdout and b"Traceback" not in done.stderr
    [pairs] = (tmp_path / "runs").glob("correct-*/pairs.jsonl")
    assert json.loads(pairs.read_text("utf-8"))["rejected"][-1]["content"] == said


def test_a_place_that_can_t_be_written_is_told_before_any_model_is_loaded(tmp_path: Path, replay: str) -> None:
    (tmp_path / "runs").write_text("a file")
    done = run(tmp_path, "--replay", replay)
    assert done.returncode == 2 and "-o DIR" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_what_changed_since_the_last_run_is_said(tmp_path: Path, replay: str) -> None:
    run(tmp_path, "--replay", replay)
    more = run(tmp_path, "--replay", replay, "--limit", "7")
    assert "a new run: it differs from correct-" in more.stderr and " in prompts" in more.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux's")
@pytest.mark.parametrize("how", [["--json"], []])
def test_standard_output_on_a_full_disk_gets_one_line(tmp_path: Path, replay: str, how: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command(tmp_path, "--replay", replay, "-q", *how),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 4
    assert done.stderr.startswith("pairforge: disk full") and len(done.stderr.splitlines()) == 2
    assert len(answers(tmp_path)) == 40


def says(text: Any, finish: str = "stop", **more: Any) -> dict[str, Any]:
    """A reply of a server, with this text."""
    return {"choices": [{"message": {"content": text}, "finish_reason": finish}], **more}


SOMETIMES: list[Any] = [
    (429, {"Retry-After": "0.01"}), (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), 500, 503, "half", "reset",
    "close", b"",
]  # fmt: skip
"""What a server does at the first try, before it answers."""
VERDICTS = ["{}", "{}.", "Score: {}", '{{"score": {}}}', '```json\n{{"score": {}}}\n```', "<think>1 or 9?</think>{}"]
ALWAYS: list[Any] = [
    500, "hang", "drip", b"<html>Sign in</html>", b"{", says(None), says("", "content_filter"), says("8", "length"),
    says("8", model="another"), (400, {}, "no"), says("I'm sorry, I can't rate this."), says("42"), says("0"),
    says("8/10"), says("7 or 8"), says("```json\n{\"score\": "), says('{"score": null}'), says('{"score": "high"}'),
    says([8]), says('[{"id": 2, "score": 9}, {"id": 1, "score": 1}]'),
]  # fmt: skip
"""What is no verdict."""


def judged_by(server: FakeServer, folder: Path, questions: int, judge: str = "llm:fake", **more: Any) -> Any:
    """The pairs of two answers to each question, of which one says 9 and the other 2, judged by a server."""
    rows = ({"prompt": f"number {n}", "answers": [f"worth 2 of {n}", f"worth 9 of {n}"]} for n in range(questions))
    file = str(write_jsonl(folder / "answers.jsonl", rows))
    options: Any = {"prompts": file, "replay": file, "output": str(folder / "runs"), "quiet": True, **more}
    built = pairforge.onpolicy(judge=judge, judge_base_url=server.url, judge_timeout=1.0, **options)
    counts = built.counts
    assert counts["pairs"] + sum(counts["skips"].values()) == counts["prompts"] == questions
    for row in built.rows():
        assert row["chosen"][-1]["content"].startswith("worth 9"), "a wrong pair"
    return built


def judged_data(ask: Ask) -> Any:
    return json.loads(next(line for line in ask.question.split("\n") if line.startswith('{"conversation"')))


def fair(ask: Ask) -> int:
    value = int(judged_data(ask)["answer"].split()[1])
    return 10 - value if "1 means: exactly" in ask.question else value


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again at once."""
    monkeypatch.setattr("pairforge.samplers.load_balancer.backoff", lambda failures: 0.01)


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
def test_what_a_judge_s_server_does_wrong_makes_no_wrong_pair(tmp_path: Path) -> None:
    good = len(SOMETIMES) + len(VERDICTS)

    def script(ask: Ask) -> Any:
        number = int(judged_data(ask)["conversation"][0]["content"].split()[1])
        if number < len(SOMETIMES) and ask.tries == 1:
            return SOMETIMES[number]
        if number >= good:
            return ALWAYS[number - good]
        return says(VERDICTS[number % len(VERDICTS)].format(fair(ask)))

    with FakeServer(script) as server:
        built = judged_by(server, tmp_path, good + len(ALWAYS))
    assert built.counts["pairs"] == good and built.counts["skips"] == {"unjudged": len(ALWAYS)}
    assert built.ok is False and built.exit_code == 3
    details = "".join(row["detail"] for row in read_jsonl(built.run.skips))
    assert "I'm sorry, I can't rate this." in details and "no answer within 1 s" in details


@pytest.mark.usefixtures("soon")
def test_a_judge_that_always_says_the_first_decides_nothing(tmp_path: Path) -> None:
    with FakeServer(lambda ask: says("A")) as server:
        built = judged_by(server, tmp_path, 5, "pairwise:fake")
    assert built.counts["skips"] == {"tie": 5}


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(("fault", "words"), [(401, "won't answer for fake: 401"), (429, "all requests were refused")])
def test_a_judge_s_server_that_refuses_everything_ends_the_run_and_keeps_what_it_said(
    tmp_path: Path, fault: int, words: str
) -> None:
    def script(ask: Ask) -> Any:
        late = len(server.seen) > 12 and not getattr(script, "well", False)
        return fault if late else says(str(fair(ask)))

    with FakeServer(script) as server:
        with pytest.raises(OutsideError, match=words):
            judged_by(server, tmp_path, 10, judge_concurrency=2)
        asked, script.well = len(server.seen), True  # type: ignore[attr-defined]
        assert judged_by(server, tmp_path, 10, judge_concurrency=2).counts["pairs"] == 10
        assert len(server.seen) - asked <= 10 * 2 * 2 - 10, "what was said is not asked again"
