"""How probable a model finds each of a few labels: by one forward pass, or as the server of its answer says.

Such an answer is written as JSON, `{"1": 0.2, "2": 0.7}`: what is missing to 1 is the probability of all else. Where
there are no probabilities, it is the text that the model wrote, in which a label may stand.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from ..errors import InputError

_FENCE = re.compile(r"```\w*\n(.*)\n```", re.DOTALL)
_NAMES = "score|rating|verdict|answer|评分|分数|回答"


def label_tokens(tokenizer: Any, labels: Sequence[str], model: str) -> dict[str, list[int]]:
    """Return the tokens that each label can be, as it is and behind a space. Raises InputError where it is several."""
    found = {}
    for label in labels:
        texts = (label, f" {label}")
        encoded = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
        found[label] = sorted({ids[0] for ids in encoded if len(ids) == 1 and tokenizer.decode(ids).strip() == label})
        if not found[label]:
            what = f"{model} can't judge here: its tokenizer has no token {label!r}"
            raise InputError(what, fix="serve the model, and name the server: --judge-base-url URL")
    return found


def label_probabilities(logits: Any, labels: Mapping[str, list[int]]) -> list[str]:
    """Return the probabilities of the labels by the logits (rows, vocabulary) of the first token, as JSON."""
    probabilities = logits.float().softmax(-1)
    rows = zip(*(probabilities[:, tokens].sum(-1).tolist() for tokens in labels.values()), strict=True)
    return [written(dict(zip(labels, row, strict=True))) for row in rows]


def written(probabilities: Mapping[str, float]) -> str:
    """Return probabilities as the text of an answer. NaN is written as it is, and read as no probabilities."""
    return json.dumps({label: round(value, 6) for label, value in probabilities.items()})


def read(text: str, labels: Sequence[str]) -> dict[str, float] | None:
    """Return the probabilities of labels in the text of an answer: as they are written, or 1 for the only label in it.

    None where it is another text.
    """
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        if isinstance(found, dict) and found and {*found} <= {*labels}:
            numbers = all(type(one) in (int, float) and 0 <= one <= 1 for one in found.values())  # NaN is not
            return {label: float(value) for label, value in found.items()} if numbers else None
    label = label_in(text, labels)
    return {label: 1.0} if label else None


def label_in(text: str, labels: Iterable[str]) -> str | None:
    """Return the label that a text is, by itself, under a name (`Score: 7`, `{"verdict": "A"}`), or in a code fence."""
    fenced = _FENCE.fullmatch(text.strip())
    text = fenced[1] if fenced else text
    if text.lstrip().startswith("{"):
        try:
            [text] = map(str, json.loads(text).values())
        except (ValueError, RecursionError):
            return None
    found = _verdict(tuple(labels)).fullmatch(text)
    return next((label for label in labels if found and label.casefold() == found[1].casefold()), None)


@cache
def _verdict(labels: tuple[str, ...]) -> re.Pattern[str]:
    scale = rf"(?:\s*/\s*{labels[-1]})?" if labels[-1].isdigit() else ""  # 7/9
    return re.compile(rf"\W*(?:(?:{_NAMES})\W*)?(?<![-−])({'|'.join(labels)}){scale}\W*", re.IGNORECASE)


def of_tokens(tokens: Any, text: str, labels: Sequence[str]) -> dict[str, float] | None:
    """Return the probabilities of labels where an answer has its label, out of what a server says of its tokens.

    Args:
        tokens: is `logprobs.content` of a chat completion, in which any part may be missing or of another type.
        text: is the answer, without the thoughts before it. The label is looked for in it alone.

    None where the text is no label, or the server does not give the probabilities.
    """
    with suppress(TypeError, KeyError, ValueError, AttributeError, OverflowError):
        said, at = label_in(text, labels), 0
        start = max("".join(one["token"] for one in tokens).rfind(text), 0)
        for one in tokens:
            at += len(one["token"])
            if at > start and said and label_in(one["token"], labels) == said:
                found = dict[str, float]()
                for other in one["top_logprobs"]:
                    if label := label_in(other["token"], labels):
                        found[label] = found.get(label, 0.0) + math.exp(other["logprob"])
                return {label: min(share, 1.0) for label, share in found.items()} if found else None
    return None
