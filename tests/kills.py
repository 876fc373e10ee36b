"""Kills the real command again and again, and compares what it ends with to a run that was left alone.

python tests/kills.py --kills 200 [--seed N] [--spawn]

Each kill is a SIGKILL at a moment drawn uniformly between the first commit and the end of the run; several of them hit
one run, one after the other, before it is let finish. By default the command runs in a fork of this process, which has
the heavy libraries loaded; with --spawn it is a new process each time.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

COMMANDS = (
    ("correct", "--from", "Qwen", "--to", "Deep Qwen", "--limit", "150", "--batch-size", "8", "--counter", "0.2"),
    ("onpolicy", "--n", "4", "--limit", "60", "--batch-size", "16", "--max-new-tokens", "48"),
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
    """How many answers are in the store."""
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
        for file in sorted(out.glob("*/*"))
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


def torture(kills: int, seed: int = 0, spawn: bool = False, commands: Sequence[Sequence[str]] = COMMANDS) -> int:
    """Kills the commands in turn, at least so often, and asserts that each run ends as if nothing had been.

    Returns how many kills hit a living process.
    """
    draw = random.Random(seed)
    hit, turn = 0, 0
    with tempfile.TemporaryDirectory(prefix="pairforge-kills-") as folder:
        left_alone = []
        for number, command in enumerate(commands):
            out = Path(folder) / f"alone-{number}"
            finished(start(command, out, spawn))
            left_alone.append((derived(out), evidence(out)))
        while hit < kills:
            files, answers = left_alone[turn % len(commands)]
            out = Path(folder) / f"killed-{turn}"
            for at in sorted(draw.uniform(0, 1) for _ in range(min(EACH, kills - hit))):
                pid = start(commands[turn % len(commands)], out, spawn)
                hit += kill_at(pid, out, max(1, round(at * len(answers))), draw.uniform(0, 0.1))
                stored = evidence(out)
                assert set(stored) <= set(answers), "a killed run holds an answer that a whole one does not"
            finished(start(commands[turn % len(commands)], out, spawn))
            assert evidence(out) == answers, "an answer was lost or is there twice"
            assert derived(out) == files, "the files differ from those of a run that was left alone"
            shutil.rmtree(out)
            turn += 1
    return hit


def main() -> None:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spawn", action="store_true")
    given = parser.parse_args()
    begun = time.monotonic()
    if not given.spawn:
        preload()
    hit = torture(given.kills, given.seed, given.spawn)
    print(f"{hit} kills, every run ended with the same bytes; {time.monotonic() - begun:.0f} s")


def preload() -> None:
    """Imports what every run needs, and nothing that starts a thread."""
    import torch  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, Qwen2ForCausalLM  # noqa: F401

    import pairforge.cli
    import pairforge.samplers.transformers  # noqa: F401


if __name__ == "__main__":
    main()
