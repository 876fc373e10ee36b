"""How probable a model finds each of a few labels as the first word of its answer: no sampling.

Such an answer is written as JSON, `{"1": 0.2, "2": 0.7}`: what is missing to 1 is the probability of all else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..errors import InputError


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
    """Return the probabilities of labels in the text of an answer; None where it is another text."""
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        if isinstance(found, dict) and found and {*found} <= {*labels}:
            numbers = all(type(one) in (int, float) and 0 <= one <= 1 for one in found.values())  # NaN is not
            return {label: float(value) for label, value in found.items()} if numbers else None
    return None
