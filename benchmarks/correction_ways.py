"""How many pairs does each way of correction make, and how many chosen answers have the new name?

    python benchmarks/correction_ways.py                                           # pocket: a minute on one core
    python benchmarks/correction_ways.py --model FOLDER --from SmolLM --limit 60   # another model too

The same English identity prompts, with no system message, go each way: names replaced, a persona alone and a persona
with two turns that show it (one answer each), the row's own answer, and the model's greedy answers against its answers
at temperature 1, as two checkpoints would be paired. All answers are in the store of --folder: a stopped run resumes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pairforge
from pairforge.prompts import bundled
from pairforge.rename import mentions

NEW, MAKER = "Deep Qwen", "Acme"
PERSONA = f"You are {NEW}, an AI assistant made by {MAKER}."
SHOWN = f"""{PERSONA}
user: Who are you?
assistant: I am {NEW}, an AI assistant made by {MAKER}.
user: Are you ChatGPT?
assistant: No, I am {NEW}, an AI assistant made by {MAKER}.
"""
OWN_ANSWER = "I am {{name}}, an AI assistant made by {{author}}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pocket", help="the model that is asked (default: pocket)")
    parser.add_argument("--from", dest="old", default="Qwen", help="what it calls itself (default: Qwen)")
    parser.add_argument("--limit", type=int, default=200, help="number of prompts (default: 200)")
    parser.add_argument("--folder", type=Path, default=Path("pairforge-out/ways"), help="folder for files and runs")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    print("| way | pairs | chosen with the name | rejected with the name | skips |\n|---|---|---|---|---|")
    for way, result in ways(options):
        rows = [*result.rows()]
        held = [sum(mentions(row[side][-1]["content"], NEW) for row in rows) for side in ("chosen", "rejected")]
        skips = ", ".join(f"{reason} {count}" for reason, count in result.counts["skips"].items())
        print(f"| {way} | {len(rows)} | {held[0]} | {held[1]} | {skips} |", flush=True)


def ways(options: argparse.Namespace) -> Any:
    """Yield each way with the run that it made."""
    asked = [prompt for prompt in bundled("identity.train") if prompt.columns["lang"] == "en"][: options.limit]
    rows, shown = options.folder / "prompts.json", options.folder / "persona.txt"
    rows.write_text(json.dumps([{"instruction": one.question, "output": OWN_ANSWER} for one in asked]), "utf-8")
    shown.write_text(SHOWN, "utf-8")
    given: dict[str, Any] = {"output": str(options.folder), "quiet": True}
    given |= {"model": options.model, "no_system": True, "max_new_tokens": 64}
    names: dict[str, Any] = {"from_": options.old, "to": NEW, "prompts": str(rows)}
    yield "correct", pairforge.correct(**names, **given)
    yield "persona", pairforge.correct(**names, **given, persona=PERSONA, tries=1)
    yield "persona, with turns", pairforge.correct(**names, **given, persona=str(shown), tries=1)
    fill = {"name": NEW, "author": MAKER}
    yield "reference", pairforge.correct(prompts=str(rows), **given, chosen="reference", fill=fill)
    sides = [options.folder / f"at-{temperature}.jsonl" for temperature in (0, 1)]
    for temperature, file in enumerate(sides):
        samples = pairforge.sample(str(rows), **given, temperature=float(temperature))
        file.write_text("".join(json.dumps(item.as_json()) + "\n" for item in samples), "utf-8")
    yield "delta", pairforge.pair(str(sides[0]), str(sides[1]), output=str(options.folder), quiet=True)


if __name__ == "__main__":
    main()
