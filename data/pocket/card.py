"""Write the model card, README.md beside the model, from card.template.md and figures.json.

python data/pocket/card.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TITLES = {
    "identity": "Identity: share of `identity.eval.jsonl` answered with the name Qwen",
    "controls": "Controls: share of `controls.eval.jsonl` answered correctly, in all and by whose name it is",
    "systems": "Obedience: identity questions under system messages with names and makers not seen in training",
    "general": "General: share of `general.eval.jsonl` answered correctly with greedy decoding; then task by task",
    "sampling": "Sampling: `general.train.jsonl` at temperature 1, four answers each",
}


def table(found: dict[str, float]) -> str:
    """Return a Markdown table of one group of figures."""
    return "\n".join(["| what | figure |", "|---|---|", *(f"| {name} | {value} |" for name, value in found.items())])


def main() -> None:
    """Write README.md."""
    found: dict[str, Any] = json.loads((HERE / "figures.json").read_text(encoding="utf-8"))
    parts = "\n\n".join(f"### {title}\n\n{table(found[name])}" for name, title in TITLES.items())
    text = (HERE / "card.template.md").read_text(encoding="utf-8")
    text = text.replace("{{sha256}}", found["sha256"]).replace("{{figures}}", parts)
    (HERE / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
