"""Fuzz `pairforge validate` with atheris: python benchmarks/fuzz_validate.py [SECONDS]

The random bytes either become a file, or they choose the content of rows that are almost valid pairs. Reading and
checking must end with findings or with one clear error. After a crash, the input is in a file `crash-...`.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
with atheris.instrument_imports(include=["pairforge"]):
    from pairforge.api.validate import validate
    from pairforge.checks import check
    from pairforge.errors import PairforgeError

NAMES = [".jsonl", ".json", ".csv", "", ".jsonl.gz", ".parquet"]
PIECES = [
    "<think>", "</think>", "<|im_end|>", "Error: ", "I'm sorry, ", "{{name}}", "```", "\u200b", "None",
    "### Response:\n",
    " ", "I can't help with that", '{"error": 1}', "<html><title>502", "an error occurred", "rate limit ",
    "&nbsp;",
    "the ", "。",
]  # fmt: skip
ROLES = ["system", "user", "assistant", "tool", "human", ""]
FOLDER = Path(tempfile.mkdtemp())


def text(data: Any) -> str:
    parts = []
    for _ in range(data.ConsumeIntInRange(0, 4)):
        parts.append(data.PickValueInList(PIECES) if data.ConsumeBool() else data.ConsumeUnicode(12))
    return "".join(parts) * data.PickValueInList([1, 1, 1, 1, 50])


def value(data: Any, depth: int = 0) -> Any:
    kind = data.ConsumeIntInRange(0, 7 if depth < 3 else 5)
    if kind == 6:
        return [value(data, depth + 1) for _ in range(data.ConsumeIntInRange(0, 3))]
    if kind == 7:
        return {text(data): value(data, depth + 1) for _ in range(data.ConsumeIntInRange(0, 3))}
    simple = (None, data.ConsumeBool(), data.ConsumeInt(9), data.ConsumeFloat(), text(data), data.ConsumeUnicode(5))
    return simple[kind]


def turns(data: Any) -> Any:
    if data.ConsumeIntInRange(0, 15) == 0:
        return value(data)
    return [
        {"role": data.PickValueInList(ROLES), "content": text(data) if data.ConsumeIntInRange(0, 9) else value(data)}
        for _ in range(data.ConsumeIntInRange(0, 4))
    ]


def row(data: Any) -> Any:
    made = {"chosen": turns(data), "rejected": turns(data)}
    for name in ("prompt", "chosen_score", "rejected_score", "id", "chosen_finish_reason", "other"):
        if data.ConsumeIntInRange(0, 5) == 0:
            made[name] = turns(data) if name == "prompt" and data.ConsumeBool() else value(data)
    return made if data.ConsumeIntInRange(0, 15) else value(data)


def one(data: bytes) -> None:
    recipe = atheris.FuzzedDataProvider(data)
    if recipe.ConsumeBool():
        found = list(check([row(recipe) for _ in range(recipe.ConsumeIntInRange(0, 6))]))
        assert all(finding.message and "\n" not in finding.message for finding in found)
        return
    path = FOLDER / f"rows{recipe.PickValueInList(NAMES)}"
    path.write_bytes(recipe.ConsumeBytes(4096))
    with contextlib.suppress(PairforgeError):
        validate(path, quiet=True).as_json()


if __name__ == "__main__":
    seconds = sys.argv[1] if len(sys.argv) > 1 else "300"
    atheris.Setup(
        [sys.argv[0], f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=3000", "-max_len=4096"], one
    )
    atheris.Fuzz()
