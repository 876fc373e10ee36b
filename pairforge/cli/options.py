"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click


def options(*given: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several option decorators as one."""
    return lambda command: functools.reduce(lambda made, option: option(made), reversed(given), command)


PRINTED = options(
    click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else there."),
    click.option("-q", "--quiet", is_flag=True, help="No progress and no notes."),
    click.option("-v", "--verbose", is_flag=True, help="Warnings of the libraries below as well."),
)
WHERE = click.option(
    "-o", "--output", metavar="DIR", help="Where runs live.  [default: $PAIRFORGE_OUT, pairforge-out/]"
)
DATA = click.argument("data", required=False, metavar="[RUN|FILE]")
MODEL = click.option(
    "-m", "--model", default="pocket", show_default=True, help="Hub id, folder, or the bundled pocket model."
)
CONTEXTS = options(
    click.option("--system", multiple=True, metavar="TEXT", help="Ask under this system message (repeatable)."),
    click.option("--no-system", is_flag=True, help="Ask with no system message."),
)
LIMIT = click.option("--limit", type=click.IntRange(min=1), help="Use the first N prompts.")
FRESH = click.option("--fresh", is_flag=True, help="Set the stored answers aside and start anew.")
SOURCE = options(
    click.option(
        "--base-url", multiple=True, metavar="URL", help="Ask this OpenAI-compatible server (repeatable: replicas)."
    ),
    click.option("--provider", metavar="NAME", help="Ask a Hugging Face inference provider."),
    click.option("--api-key-env", metavar="VARIABLE", help="Environment variable that holds the server's key."),
    click.option("--concurrency", default=32, show_default=True, help="At most N requests at once."),
    click.option("--timeout", default=120.0, show_default=True, metavar="SECONDS", help="Deadline of one request."),
    click.option("--replay", metavar="RUN|FILE", help="Take the answers from a run, or from what `sample` wrote."),
    click.option("--seed", default=0, show_default=True),
    click.option("--max-new-tokens", default=256, show_default=True),
    click.option("--top-p", default=1.0, show_default=True),
    click.option("--top-k", default=0, show_default=True, help="0: all tokens."),
    click.option("--min-p", default=0.0, show_default=True),
    click.option("--stop", multiple=True, metavar="TEXT", help="Ends an answer (repeatable)."),
    click.option("--chat-template", metavar="FILE", help="Jinja file to use in place of the model's own."),
    click.option("--chat-template-kwargs", metavar="JSON", help="For the chat template: enable_thinking=false."),
    click.option("--revision", help="Branch, tag or commit of a Hub model."),
    click.option("--adapter", metavar="DIR", help="LoRA adapter, a folder or Hub id, on top of the model."),
    click.option("--dtype", default="auto", show_default=True, help="bfloat16, float16, float32; auto: by hardware."),
    click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps; auto: by hardware."),
    click.option("--batch-size", type=click.IntRange(min=1), help="Rows at once.  [default: by memory]"),
    click.option("--allow-pickle", is_flag=True, help="Load a model that has no safetensors; it can run code."),
)
BUDGET = options(
    click.option("--max-minutes", type=float, help="Stop after so long, with what there is (exit 3)."),
    click.option("--max-tokens", type=int, help="Stop after so many new tokens (exit 3)."),
    click.option("--max-failures", type=int, help="Stop when more answers than this have failed (exit 3)."),
)
SAMPLING = options(MODEL, CONTEXTS, LIMIT, BUDGET, SOURCE)
NAMES = options(
    click.option("--from", "from_", multiple=True, metavar="NAME", help="Name to replace (repeatable)."),
    click.option("--to", multiple=True, metavar="NAME", help="What to put in its place, one for each --from."),
    click.option("--rules", metavar="FILE", help="Names and what replaces them: JSON, CSV, TSV, or lines old -> new."),
    click.option(
        "--case",
        type=click.Choice(["exact", "smart"]),
        default="exact",
        show_default=True,
        help="smart: QWEN and qwen too, the new name in the same case.",
    ),
    click.option(
        "--match",
        type=click.Choice(["literal", "regex"]),
        default="literal",
        show_default=True,
        help="regex: --from is a regular expression.",
    ),
    click.option("--fold-width", is_flag=True, help="Full-width forms are the same name."),
    click.option("--article", is_flag=True, help="Put an English a or an before a name right."),
    click.option("--inside", multiple=True, metavar="KIND", help="Also inside: url, path, code ... (repeatable)."),
    click.option(
        "--about",
        type=click.Choice(["self", "any"]),
        default="self",
        show_default=True,
        help="any: correct also what is said of others.",
    ),
    click.option(
        "--thinking",
        type=click.Choice(["keep", "strip", "edit"]),
        default="keep",
        show_default=True,
        help="<think> blocks stand in both sides as they are, in neither, or are corrected too.",
    ),
)
REVISE = options(
    click.option("--revise", metavar="TEXT", help="Have a model rewrite the answers by this instruction."),
    click.option("--revise-model", metavar="MODEL", help="Which one.  [default: the one that is asked]"),
    click.option("--revise-base-url", metavar="URL", help="At this OpenAI-compatible server."),
    click.option("--revise-api-key-env", metavar="VARIABLE", help="Environment variable that holds its key."),
    click.option(
        "--max-edit",
        type=click.FloatRange(0, 1, min_open=True),
        default=0.3,
        show_default=True,
        help="Share of an answer that a revision may change.",
    ),
)
TURNS = options(
    click.option(
        "--columns", multiple=True, metavar="NAME=COLUMN", help="Where a part of the prompt is: prompt=my_column."
    ),
    click.option(
        "--history",
        type=click.Choice(["last", "full"]),
        default="last",
        show_default=True,
        help="Of a conversation ask the last user turn, or all turns up to it.",
    ),
)
BESIDE = options(
    click.option(
        "--counter",
        type=click.FloatRange(0, 1),
        default=0.0,
        show_default=True,
        metavar="FRACTION",
        help="Counter-pairs to add for each pair, in which the new name is wrong.",
    ),
    click.option(
        "--retain",
        type=click.FloatRange(0, 1),
        default=0.0,
        show_default=True,
        metavar="FRACTION",
        help="On-policy pairs on general prompts to add for each pair.",
    ),
)
