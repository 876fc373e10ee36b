"""Kills the real command again and again, and compares what it ends with to a run that was left alone.

python tests/kills.py --kills 200 [--seed N] [--spawn] [--judge | --tasks]

Each kill is a SIGKILL at a moment drawn uniformly between the first commit and the end of the run; several of them hit
one run, one after the other, before it is let finish. By default the command runs in a fork of this process, which has
the heavy libraries loaded; with --spawn it is a new process each time. With --judge the command asks a language model
on a server to judge stored answers, and what is stored of it may not be asked again. With --tasks three tasks of an
array race for the shards, and all of them are killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SHARDED = ("--executor", "local", "--shard-size", "10")
COMMANDS = (
    ("correct", "--from", "Qwen", "--to", "Deep Qwen", "--limit", "150", "--batch-size", "8", "--counter", "0.2"),
    ("onpolicy", "--n", "4", "--limit", "60", "--batch-size", "16", "--max-new-tokens", "48"),
    ("onpolicy", "--n", "6", "--limit", "60", "--batch-size", "16", "--max-new-tokens", "48", "--adaptive"),
    ("correct", "--from", "Qwen", "--to", "Q", "--limit", "150", "--batch-size", "8", *SHARDED),
)
EACH = 5  # kills of one run
Evidence = list[tuple[object, ...]]


def start(command: Sequence[str], out: Path, spawn: bool) -> int:
    """The process id of the command, writing under `out`."""
    arguments = [*command, "-o", str(out), "--quiet"]
    if (pid := os.fork()) != 0:
        return pid
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2) if not spawn else (0, 1):
        os.dup2(null, stream)
    if spawn:
        os.execv(sys.executable, [sys.executable, "-m", "pairforge", *arguments])
    code = 1
    try:
        from pairforge.cli import main

        main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


def committed(out: Path) -> int:
    """How many answers are in the store; of a run in shards, at least as many as are in whole shards."""
    if shards := [*out.glob("shards/*/*.parquet")]:
        return 10 * len(shards)
    with suppress(sqlite3.Error):
        store = sqlite3.connect(f"file:{out / 'evidence.db'}?mode=ro", uri=True)
        try:
            return int(store.execute("SELECT COUNT(*) FROM answers").fetchone()[0])
        finally:
            store.close()
    return 0


def evidence(out: Path) -> Evidence:
    """Every stored answer."""
    store = sqlite3.connect(out / "evidence.db")
    rows = store.execute("SELECT settings, prompt, idx, text, finish, tokens FROM answers ORDER BY 1, 2, 3").fetchall()
    store.close()
    return rows


def derived(out: Path) -> dict[str, bytes]:
    """The bytes of every file that a run leaves, but the lock."""
    return {
        str(file.relative_to(out)): file.read_bytes()
        for file in sorted({*out.glob("*/*"), *out.glob("shards/*/*")})
        if file.is_file() and file.name != ".lock"
    }


def finished(pid: int) -> None:
    """Waits for the command; it must end well."""
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 3), f"the command ended with {os.waitstatus_to_exitcode(status)}"


def kill_at(pid: int, out: Path, count: int, delay: float) -> bool:
    """Kills the process once so many answers are stored, and a moment later; False where it had ended before."""
    while committed(out) < count:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
        time.sleep(0.002)
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) == -signal.SIGKILL


class Asked:
    """What a server was asked, by the ids of the prompts, as its log has it."""

    def __init__(self, log: Path) -> None:
        self.log, self.read = log, 0

    def new(self) -> set[str]:
        """What was asked since the last call."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.read, new = len(lines), lines[self.read :]
        return set(new)


def serve(log: Path) -> None:
    """Serves a judge that likes an answer by its length, until the standard input ends."""
    from fakeserver import Ask, FakeServer

    from pairforge.types import Prompt

    def rate(ask: Ask) -> object:
        with log.open("a") as file:
            file.write(Prompt(tuple(ask.body["messages"])).id + "\n")
        data = json.loads(next(line for line in ask.question.split("\n") if line.startswith('{"conversation"')))
        value = len(data["answer"]) % 9 + 1
        said = str(10 - value if "1 means: exactly" in ask.question else value)
        return {"choices": [{"index": 0, "message": {"content": said}, "finish_reason": "stop"}]}

    with FakeServer(rate) as server:
        print(server.url, flush=True)
        sys.stdin.read()


@contextmanager
def judged(folder: Path) -> Iterator[Sequence[str]]:
    """The command that judges 4 answers to each of 40 prompts, while its server runs."""
    rows = ({"prompt": f"Question {n}?", "answers": [f"{n}" + "x" * (n * i % 7) for i in range(4)]} for n in range(40))
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = [sys.executable, __file__, "--serve", str(folder / "log")]
    server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    stored = ("-p", str(folder / "answers.jsonl"), "--replay", str(folder / "answers.jsonl"))
    try:
        url = server.stdout.readline().strip()
        yield ("onpolicy", *stored, "--n", "4", "--judge", "llm:fake", "--judge-base-url", url)
    finally:
        server.communicate()


def torture(
    kills: int,
    seed: int = 0,
    spawn: bool = False,
    commands: Sequence[Sequence[str]] = COMMANDS,
    log: Path = Path(os.devnull),
) -> int:
    """Kills the commands in turn, at least so often, and asserts that each run ends as if nothing had been.

    Nothing that was stored when a run was killed is in the `log` of what was asked after that. Returns how many kills
    hit a living process.
    """
    draw, asked = random.Random(seed), Asked(log)
    hit, turn = 0, 0
    with tempfile.TemporaryDirectory(prefix="pairforge-kills-") as folder:
        left_alone = []
        for number, command in enumerate(commands):
            out = Path(folder) / f"alone-{number}"
            finished(start(command, out, spawn))
            left_alone.append((derived(out), evidence(out)))
        while hit < kills:
            files, answers = left_alone[turn % len(commands)]
            out, known = Path(folder) / f"killed-{turn}", set[object]()
            asked.new()
            for at in sorted(draw.uniform(0, 1) for _ in range(min(EACH, kills - hit))):
                pid = start(commands[turn % len(commands)], out, spawn)
                hit += kill_at(pid, out, max(1, round(at * len(answers))), draw.uniform(0, 0.1))
                stored = evidence(out)
                assert set(stored) <= set(answers), "a killed run holds an answer that a whole one does not"
                assert not known & asked.new(), "what was stored was asked again"
                known = {prompt for _, prompt, *_ in stored}
            finished(start(commands[turn % len(commands)], out, spawn))
            assert not known & asked.new(), "what was stored was asked again"
            assert evidence(out) == answers, "an answer was lost or is there twice"
            assert derived(out) == files, "the files differ from those of a run that was left alone"
            shutil.rmtree(out)
            turn += 1
    return hit


def torture_tasks(kills: int, seed: int = 0, spawn: bool = False, count: int = 3) -> int:
    """Kills the tasks of an array, which race for the same shards, then lets them end; returns how many were hit."""
    draw, hit, command = random.Random(seed), 0, (*COMMANDS[-1], "--limit", "40")
    tasks = [(*command, "--executor", "array", "--part", f"{part}/{count}") for part in range(1, count + 1)]
    with tempfile.TemporaryDirectory(prefix="pairforge-kills-") as folder:
        alone = Path(folder) / "alone"
        finished(start(command, alone, spawn))
        answers = evidence(alone)
        while hit < kills:
            out, before = Path(folder) / f"killed-{hit}", hit
            while hit < min(kills, before + EACH):
                running, at = [start(task, out, spawn) for task in tasks], draw.uniform(0, 1)
                for number, pid in enumerate(running):
                    hit += kill_at(pid, out, max(1, round(at * len(answers))), number * draw.uniform(0, 0.1))
                if committed(out) >= len(answers):
                    break
            for pid in [start(task, out, spawn) for task in tasks]:
                finished(pid)
            finished(start(command, out, spawn))
            assert evidence(out) == answers, "an answer was lost or is there twice"
            assert derived(out) == derived(alone), "the files differ from those of a run that was left alone"
            shutil.rmtree(out)
    return hit


def main() -> None:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spawn", action="store_true")
    parser.add_argument("--judge", action="store_true")
    parser.add_argument("--tasks", action="store_true")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return
    begun = time.monotonic()
    if not given.spawn:
        preload()
    if given.judge:
        with tempfile.TemporaryDirectory() as folder, judged(Path(folder)) as command:
            hit = torture(given.kills, given.seed, given.spawn, [command], Path(folder) / "log")
    else:
        hit = (torture_tasks if given.tasks else torture)(given.kills, given.seed, given.spawn)
    print(f"{hit} kills, every run ended with the same bytes; {time.monotonic() - begun:.0f} s")


def preload() -> None:
    """Imports what every run needs, and nothing that starts a thread."""
    import torch  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, Qwen2ForCausalLM  # noqa: F401

    import pairforge.cli
    import pairforge.samplers.transformers  # noqa: F401


if __name__ == "__main__":
    main()
