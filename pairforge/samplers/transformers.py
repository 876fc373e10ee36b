"""Answers from a local model, through transformers: batched, each sample from a seed of its own."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..text import error_line
from ..types import Answer, Key, Prompt, Skip, digest
from .chat_template import ChatTemplate, read_template
from .decoding import GREEDY, Decoding, repeats
from .hardware import BatchSizer, pick_device, pick_dtype, release, threads
from .model_loading import (
    POCKET,
    Weights,
    apply,
    fingerprint,
    generation_settings,
    load_config,
    load_model,
    load_tokenizer,
    loading,
    model_source,
    out_of_memory,
    resolve,
)

if TYPE_CHECKING:
    from .generate import Generated


class TransformersSampler:
    """Samples a causal language model: a Hub id, a folder (of an adapter too), or "pocket", the bundled one.

    Samples are drawn by the Gumbel-max trick from generators seeded by (seed, prompt, index), so that one depends
    neither on its batch nor on its neighbours. `adapter` is a LoRA folder or Hub id, `chat_template` a Jinja file in
    place of the model's own, `chat_template_kwargs` what the template is told. `dtype`, `device` and `batch_size` (the
    most rows at once) follow the hardware unless said. Nothing is loaded before it is needed.
    """

    def __init__(
        self,
        model: str = POCKET,
        decoding: Decoding = GREEDY,
        *,
        revision: str | None = None,
        adapter: str | None = None,
        chat_template: str | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        dtype: str = "auto",
        device: str = "auto",
        batch_size: int | None = None,
        allow_pickle: bool = False,
    ) -> None:
        self.model = model
        self.decoding = decoding
        self.revision = revision
        self.adapter = adapter
        self.chat_template = chat_template
        self.chat_template_kwargs = dict(chat_template_kwargs or {})
        self.dtype = dtype
        self.device = device
        self.batch_size = batch_size
        self.allow_pickle = allow_pickle
        self.warnings: list[str] = []

    @property
    def source(self) -> str:
        """What `from_pretrained` is given."""
        return model_source(self.model)

    def settings(self) -> dict[str, Any]:
        """Key of the store: the model by content, how it is prompted and how it is sampled."""
        asked: dict[str, Any] = {"sampler": "transformers", **self._identity}
        if self._template is not None:
            asked["chat_template"] = digest(self._template)
        if self.chat_template_kwargs:
            asked["chat_template_kwargs"] = self.chat_template_kwargs
        if self.dtype != "auto":
            asked["dtype"] = self.dtype
        return asked | self.decoding.settings()

    def inserted_system(self) -> str | None:
        """The system message that the chat template puts in where a prompt has none, e.g. that of Qwen2.5."""
        return self._chat.inserted_system()

    def sample(self, prompts: Sequence[Prompt], n: int, done: Container[Key]) -> Iterator[Mapping[Key, Answer | Skip]]:
        """Yields one batch after another.

        The batches depend on the prompts alone, not on what is done, so that a resumed run sees the same padding, and
        the same floating point, as one that was never stopped.
        """
        if all((prompt.id, index) in done for prompt in prompts for index in range(n)):
            return
        rows = {prompt.id: self._encode(prompt) for prompt in prompts}
        yield {(name, index): row for name, row in rows.items() if isinstance(row, Skip) for index in range(n)}
        ids = {name: row for name, row in rows.items() if not isinstance(row, Skip)}
        if all((name, index) in done for name in ids for index in range(n)):
            return
        looping = 0
        try:
            for batch in self._batches(ids, n):
                if any(key not in done for key in batch):
                    made = dict(zip(batch, self._generate(batch, [ids[name] for name, _ in batch]), strict=True))
                    looping += sum(_loops(row) for key, row in made.items() if key not in done)
                    yield {key: self._read(row) for key, row in made.items()}
        finally:
            if looping:
                self.warnings.append(f"answers that repeat themselves until they are cut: {looping}")

    def _batches(self, ids: Mapping[str, Sequence[int]], n: int) -> Iterator[list[Key]]:
        """Rows of like length together, a prompt's n samples in one batch; all of a batch have the same room, so that
        none is cut for its neighbours' sake.
        """
        order = sorted(ids, key=lambda name: (len(ids[name]), name))
        for room, names in groupby(order, key=lambda name: self._room(ids[name])):
            batch: list[Key] = []
            for name in names:
                if batch and len(batch) + n > self._plan.rows_of(len(ids[name]) + room):
                    yield batch
                    batch = []
                batch += [(name, index) for index in range(n)]
            yield batch

    def _room(self, ids: Sequence[int]) -> int:
        """How many new tokens a prompt leaves room for."""
        most = self.decoding.max_new_tokens
        return min(most, self._limit - len(ids)) if self._limit else most

    def _encode(self, prompt: Prompt) -> list[int] | Skip:
        ids = self._chat.encode(prompt)
        if isinstance(ids, Skip):
            return ids
        if self._room(ids) < 1:
            return Skip("too_long", f"{len(ids)} tokens, the model takes {self._limit}")
        if max(ids) >= self._vocabulary:
            raise InputError(
                f"the tokenizer of {self.model} has a token {max(ids)}, the model only {self._vocabulary}",
                fix="the tokenizer and the weights must be of one model",
            )
        return ids

    def _generate(self, keys: Sequence[Key], ids: Sequence[list[int]]) -> list[Generated | Skip]:
        """One row each; where memory did not suffice before, in parts that it may suffice for."""
        room = self._room(ids[0])
        length = max(map(len, ids)) + room
        made: list[Generated | Skip] = []
        while len(made) < len(keys):
            part = slice(len(made), len(made) + self._size.rows_of(length))
            made += self._attempt(keys[part], ids[part], room, length)
        return made

    def _attempt(
        self, keys: Sequence[Key], ids: Sequence[list[int]], room: int, length: int
    ) -> Sequence[Generated | Skip]:
        """One row each, or nothing, and smaller batches from now on, if memory does not suffice for so many."""
        from . import generate

        seeds = [self.decoding.seed_of(key) for key in keys]
        try:
            with threads(self._model):
                decoding = replace(self.decoding, max_new_tokens=room)
                return generate.generate(self._model, ids, seeds, decoding, self._chat.decode)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            reason = error_line(error)
        # Not in the handler: there the error still holds the tensors.
        release(self._model.device)
        if len(keys) == 1:
            return [Skip("oom", reason)]
        self._size.shrink(len(keys), length)
        return []

    def _read(self, row: Generated | Skip) -> Answer | Skip:
        if isinstance(row, Skip):
            return row
        if row.finish == "nan":
            return Skip("nan", "the logits were not finite")
        text = self._chat.decode(row.tokens)
        return Answer(
            text[: self.decoding.stop_at(text)].strip(), "stop" if row.finish == "stop" else "length", len(row.tokens)
        )

    @cached_property
    def _identity(self) -> dict[str, str]:
        """The model by content. Files are read for it, so it is asked once: settings are asked again and again."""
        weights = self._weights
        adapter = {"adapter": fingerprint(str(weights.adapter))} if weights.adapter else {}
        return {"model": fingerprint(weights.base, weights.revision), **adapter}

    @cached_property
    def _weights(self) -> Weights:
        weights = resolve(self.source, self.revision, self.adapter)
        if weights.adapter and not self.adapter:
            self.warnings.append(f"{self.model} is an adapter: it is put on {weights.base}")
        return weights

    @cached_property
    def _template(self) -> str | None:
        return None if self.chat_template is None else read_template(self.chat_template)

    @cached_property
    def _chat(self) -> ChatTemplate:
        chat = ChatTemplate(load_tokenizer(*self._weights.tokenizer), self._template, self.chat_template_kwargs)
        if chat.plain:
            self.warnings.append(f"{self.model} has no chat template: a plain one (User: / Assistant:) is used")
        return chat

    @cached_property
    def _config(self) -> Any:
        """Of the base model; by it prompts can be refused before any weights are loaded."""
        return load_config(self._weights.base, self._weights.revision)

    @cached_property
    def _limit(self) -> int | None:
        """The most tokens a prompt and its answer may have."""
        return getattr(self._config.get_text_config(decoder=True), "max_position_embeddings", None)

    @cached_property
    def _vocabulary(self) -> float:
        """How many tokens the model knows; the config need not say."""
        return getattr(self._config.get_text_config(decoder=True), "vocab_size", None) or math.inf

    @cached_property
    def _plan(self) -> BatchSizer:
        """By which batches are planned: it stays, so that a resumed run plans the same."""
        return BatchSizer.of(self._model, self.batch_size)

    @cached_property
    def _size(self) -> BatchSizer:
        """By which batches are cut into parts: it shrinks where memory did not suffice."""
        return replace(self._plan)

    @cached_property
    def _model(self) -> Any:
        """Loaded, adapted and on its device; of its generation settings the end tokens and the padding alone."""
        weights, device = self._weights, pick_device(self.device)
        dtype = pick_dtype(self.dtype, device, getattr(self._config, "dtype", None))
        model = load_model(weights.base, weights.revision, dtype, self.allow_pickle)
        tokenizer, settings = self._chat.tokenizer, model.generation_config
        settings.eos_token_id = sorted({*settings.eos_token_id, tokenizer.eos_token_id} - {None})
        pads = (tokenizer.pad_token_id, *settings.eos_token_id)
        settings.pad_token_id = next((pad for pad in pads if pad is not None and pad < self._vocabulary), 0)
        penalty = generation_settings(weights.base, weights.revision).repetition_penalty
        if penalty not in (None, 1.0):
            self.warnings.append(f"{self.model} asks for a repetition penalty of {penalty}: none is used")
        if weights.adapter:
            model = apply(model, weights.adapter, self.allow_pickle)
        with loading(self.model):
            return model.to(device).eval()


def _loops(row: Generated | Skip) -> bool:
    return not isinstance(row, Skip) and row.finish == "length" and repeats(row.tokens)
