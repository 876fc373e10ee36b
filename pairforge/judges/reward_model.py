"""Score answers by a reward model: a sequence classifier that was trained to score whole conversations."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from typing import Any

from ..errors import InputError
from ..samplers.chat_template import ChatTemplate
from ..samplers.hardware import BatchSizer, pick_device, pick_dtype, release, threads
from ..samplers.model_loading import (
    commit_of,
    fingerprint,
    load_config,
    load_errors,
    load_tokenizer,
    model_source,
    out_of_memory,
)
from ..samplers.model_names import check_model
from ..text import did_you_mean, error_line, one_line
from ..types import AnswerGroup, Ask, Judge, Skip, Verdicts

EncodedAnswer = tuple[tuple[int, int], list[int]]
"""The numbers of the group and the answer, and the tokens of the conversation."""


class RewardModelJudge(Judge):
    """Judge by a model that `AutoModelForSequenceClassification` loads: the logit of its only label, or of one label.

    Answers are scored in batches of like length across prompts; the batches depend on the answers alone, not on what
    is done, so that a resumed run has the same floating-point results. A conversation that is longer than the model
    takes, or whose score is not finite, has none.

    Args:
        model: a Hub id or a folder.
        label: the name of the label, or its number; needed where the model has several.
        batch_size: rows of a batch, by default what fits in memory.

    Raises InputError or OutsideError for a model that can't be loaded, as far as that is known at once.
    """

    def __init__(self, model: str, label: str | None = None, batch_size: int | None = None) -> None:
        check_model(model)
        self.model, self.batch_size = model, batch_size
        self.warnings: list[str] = []
        self.name = f"rm:{model}" + (f":{label}" if label else "")
        self._config = load_config(model, None)
        self._label = _label_number(self._config, label, model)

    @cached_property
    def _settings(self) -> dict[str, Any]:
        return {"judge": self.name, "model": fingerprint(self.model), "label": self._label}

    def settings(self) -> dict[str, Any]:
        """Return the name, the weights by content, and the label."""
        return dict(self._settings)

    @cached_property
    def _chat(self) -> ChatTemplate:
        chat = ChatTemplate(load_tokenizer(self.model, None))
        if chat.plain:
            self.warnings.append(f"{self.model} has no chat template: a plain one (User: / Assistant:) is used")
        return chat

    @cached_property
    def _classifier(self) -> Any:
        from transformers import AutoModelForSequenceClassification

        device = pick_device("auto")
        dtype = pick_dtype("auto", device, getattr(self._config, "dtype", None))
        source = model_source(self.model)
        with load_errors(source):
            loaded, info = AutoModelForSequenceClassification.from_pretrained(
                source,
                revision=commit_of(self.model, None),
                dtype=dtype,
                output_loading_info=True,
                trust_remote_code=False,
                use_safetensors=True,
            )
        if missing := sorted(info["missing_keys"]):
            what = f"{self.model} is not a reward model: it has no weights for {missing[0]}"
            raise InputError(what, fix="give a model that was trained to score answers")
        return loaded.to(device).eval()

    def judge(self, groups: Sequence[AnswerGroup], ask: Ask, done: Container[tuple[int, int]]) -> Iterator[Verdicts]:
        """Yield the scores of one batch after another."""
        rows: list[EncodedAnswer] = []
        most = getattr(self._config, "max_position_embeddings", None) or math.inf
        refused: dict[tuple[int, int], Skip] = {}
        for number, group in enumerate(groups):
            for index, answer in enumerate(group.answers):
                ids = self._chat.encode(group.prompt, answer)
                if isinstance(ids, Skip):
                    refused[number, index] = ids
                elif len(ids) > most:
                    refused[number, index] = Skip("too_long", f"{len(ids)} tokens, the model takes {most}")
                else:
                    rows.append(((number, index), ids))
        yield refused
        rows.sort(key=lambda row: len(row[1]), reverse=True)  # what does not fit in memory shows at once
        sizer = BatchSizer.of(self._classifier, self.batch_size)
        while rows:
            count = sizer.rows_of(len(rows[0][1]))
            batch, rows = rows[:count], rows[count:]
            if any(key not in done for key, _ in batch):
                scores = self._scores([ids for _, ids in batch])
                yield {key: score for (key, _), score in zip(batch, scores, strict=True)}

    def _scores(self, rows: Sequence[list[int]]) -> list[float | Skip]:
        """Return the score of each row; where memory does not suffice, of the halves one after the other."""
        try:
            return [
                score if math.isfinite(score) else Skip("unjudged", f"{self.name}: the score is {score}")
                for score in self._logits(rows)
            ]
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            reason = error_line(error)
        release(self._classifier.device)
        if len(rows) == 1:
            return [Skip("oom", reason)]
        half = len(rows) // 2
        return self._scores(rows[:half]) + self._scores(rows[half:])

    def _logits(self, rows: Sequence[list[int]]) -> list[float]:
        import torch

        model, width = self._classifier, max(map(len, rows))
        # The model scores the last token that is not padding, so that padding must be no token at an end.
        ends = {row[-1] for row in rows}
        if self._config.pad_token_id is None:
            model.config.pad_token_id = next(token for token in range(len(ends) + 1) if token not in ends)
        pad = model.config.pad_token_id
        ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows], device=model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=model.device)
        with torch.inference_mode(), threads(model):
            logits = model(input_ids=ids, attention_mask=mask).logits[:, self._label]
        scores: list[float] = logits.float().tolist()
        return scores


def _label_number(config: Any, label: str | None, model: str) -> int:
    """Return the number of a label. Raises InputError where the model has no such one, or several and none is named."""
    names = {str(name): int(number) for number, name in (config.id2label or {}).items()}
    if label is None and len(names) == 1:
        return 0
    if label is None:
        listed = one_line(", ".join(names), 120)
        raise InputError(f"{model} has {len(names)} labels: {listed}", fix=f"name one: rm:{model}:{next(iter(names))}")
    found = names.get(label, int(label) if label.isdecimal() else -1)
    if found not in names.values():
        fix = did_you_mean(label, names) or f"it has {one_line(', '.join(names), 120)}"
        raise InputError(f"{model} has no label {label!r:.60}", fix=fix)
    return found
