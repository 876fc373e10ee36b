"""Measure how CPU time and memory of each stage grow with the prompts.

    python benchmarks/scale.py 10000 100000 [--stages push] [--work DIR]

Prompts and their answers, one each for `correct` and four each for `onpolicy`, are generated from a seed, so no model
takes time. What earlier calls made in the working folder is measured again only where it is named: --stages push.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
JUDGE = """
from zlib import crc32


def score(completions, **_):
    return [crc32(one[0]["content"].encode()) % 1000 for one in completions]
"""
WORDS = (ROOT / "LICENSE").read_text("utf-8").lower().split()
N = 4


def sentence(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, k=words)).capitalize() + "."


def answered(count: int) -> Iterator[dict[str, Any]]:
    """Yield prompts with answers that hold the name "Qwen" and differ in length."""
    draw = random.Random(0)
    for number in range(count):
        answers = [f"I am Qwen. {sentence(draw, draw.randint(8, 40))}" for _ in range(N)]
        yield {"prompt": f"{number}: {sentence(draw, 12)[:-1]}?", "answers": answers}


def generate(count: int, folder: Path) -> None:
    """Write the prompts, the answers, and the first answer to each."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "judge.py").write_text(JUDGE)
    with ExitStack() as stack:
        names = ("prompts", "answers", "first")
        files = [stack.enter_context((folder / f"{name}.jsonl").open("w")) for name in names]
        for row in answered(count):
            for file, one in zip(
                files, ({"prompt": row["prompt"]}, row, row | {"answers": row["answers"][:1]}), strict=True
            ):
                print(json.dumps(one), file=file)


def stages(folder: Path) -> dict[str, list[str]]:
    """Return the command of each stage, in the order in which they can run."""
    asked = ["-p", str(folder / "prompts.jsonl"), "--no-system", "--replay"]
    made, judged = ["-o", str(folder / "correct")], ["-o", str(folder / "onpolicy")]
    correct = ["correct", "--from", "Qwen", "--to", "Deep Qwen", *asked, str(folder / "first.jsonl"), *made]
    judge = f"{folder / 'judge.py'}:score"
    onpolicy = ["onpolicy", "--n", str(N), "--judge", judge, *asked, str(folder / "answers.jsonl"), *judged]
    return {
        "correct": correct,
        "correct again": correct,
        "correct, in shards": [*correct[:-1], str(folder / "sharded"), "--executor", "local"],
        "validate": ["validate", "latest", *made],
        "validate, no near-duplicates": ["validate", "latest", "--ignore", "PF206", "--ignore", "PF207", *made],
        "shortcuts": ["shortcuts", "latest", *made],
        "push": ["push", "latest", *made],
        "onpolicy": onpolicy,
        "onpolicy again": onpolicy,
        "select": ["select", "latest", "--pick", "matched", *judged],
        "push onpolicy": ["push", "latest", *judged],
    }


def measure(command: list[str], log: Path) -> dict[str, Any]:
    """Run a command of pairforge and return its CPU seconds, its peak memory in MB, and its exit code."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), "HF_TOKEN": ""}
    # Modules are compiled once, as in an installation: the first call of all takes longer.
    environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(log.parent.parent / "modules")}
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, "-m", "pairforge", *command], env=environ, stdout=out, stderr=out)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {"cpu": round(used.ru_utime + used.ru_stime, 1), "mb": used.ru_maxrss >> 10, "code": process.returncode}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--stages", nargs="*", default=[*stages(Path())])
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "pairforge-scale")
    given = parser.parse_args()
    for count in given.counts:
        folder = given.work / str(count)
        if not (folder / "first.jsonl").exists():
            generate(count, folder)
        for name in given.stages:
            found = measure(stages(folder)[name], folder / f"{name}.log")
            line = f"{count:>8}  {name:<28} {found['cpu']:>7} CPU s {found['mb']:>6} MB  exit {found['code']}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
