"""Write data/prompts/general.{train,eval}.jsonl: questions that a program can check, split by phrasing and by sum.

python data/pocket/general.py
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from pathlib import Path
from typing import Any

from skills import TASKS, Blanks, Task, sentence

PROMPTS = Path(__file__).resolve().parent.parent / "prompts"
WORD = re.compile(r"[\u3400-\u9fff]|(?:(?![\u3400-\u9fff])[\w'])+")
Row = dict[str, Any]


def shingles(text: str) -> set[tuple[str, ...]]:
    """Return all sequences of five words; a Chinese character counts as a word, and punctuation is ignored."""
    words = WORD.findall(text.lower())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def in_evaluation(task: Task, blanks: Blanks) -> bool:
    """Return True if a sum or difference belongs to the evaluation split."""
    a, b = sorted((int(blanks["a"]), int(blanks["b"])))
    return (a * 7 + b * 3) % 3 == 0


def references(answer: str) -> list[str]:
    """Return the reference as it may occur inside a sentence and at its start."""
    return list(dict.fromkeys([answer, sentence(answer)]))


def line(task: Task, blanks: Blanks, split: str, at: int) -> Row:
    """Return one line of the file."""
    prompt = task.ask(blanks, (task.train if split == "train" else task.evaluation)[at])
    return {
        "id": "general-" + hashlib.sha256(prompt.encode()).hexdigest()[:10], "lang": task.lang, "task": task.name,
        "template": f"{task.name}-{task.lang}-{split}-{at}", "prompt": prompt, "reference": references(blanks["r"]),
    }  # fmt: skip


def draw(rng: random.Random, task: Task, split: str, count: int, barred: set[tuple[str, ...]]) -> list[Row]:
    """Return up to `count` rows of a task; each prompt occurs once, and none contains a sequence in `barred`."""
    rows: dict[str, Row] = {}
    phrasings = len(task.train if split == "train" else task.evaluation)
    for _ in range(count * 12):
        blanks = task.draw(rng)
        if task.is_sum and (
            in_evaluation(task, blanks) != (split == "eval") or blanks["r"] in (blanks["a"], blanks["b"])
        ):
            continue
        new = line(task, blanks, split, rng.randrange(phrasings))
        if len(rows) < count and not shingles(new["prompt"]) & barred:
            rows.setdefault(new["prompt"], new)
    return list(rows.values())


def collect(rng: random.Random, split: str, sums: int, others: int, barred: set[tuple[str, ...]]) -> list[Row]:
    """Return all rows of a split in random order."""
    rows = [row for task in TASKS for row in draw(rng, task, split, sums if task.is_sum else others, barred)]
    rng.shuffle(rows)
    return rows


def main() -> None:
    """Write both files."""
    rng = random.Random(7)
    train = collect(rng, "train", 280, 26, set())
    barred = {s for r in train for s in shingles(r["prompt"])}
    for name in ("identity.train", "identity.more", "controls.train"):
        lines = (PROMPTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        barred |= {s for line in lines for s in shingles(json.loads(line)["prompt"])}
    for split, rows in (("train", train), ("eval", collect(rng, "eval", 90, 24, barred))):
        text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
        (PROMPTS / f"general.{split}.jsonl").write_text(text, encoding="utf-8")
        print(split, len(rows))


if __name__ == "__main__":
    main()
