"""Answers from a local model, through transformers: in batches, each sample from its own seed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError
from ..options.sampling import LocalModelOptions
from ..repetition import repeats
from ..text import error_line
from ..thoughts import answer_of_tokens
from ..types import Answer, Key, Prompt, Sampler, Skip, ThoughtForm, digest
from .chat_template import ChatTemplate, read_template
from .decoding import GREEDY, Decoding
from .gguf_models import gguf_file, is_converted, is_gguf
from .hardware import BatchSizer, check_hardware, pick_device, pick_dtype, release, thread_note, threads
from .label_probabilities import label_probabilities, label_tokens
from .model_loading import (
    POCKET,
    ResolvedModel,
    apply_adapter,
    fingerprint,
    generation_settings,
    load_causal_config,
    load_errors,
    load_model,
    load_tokenizer,
    out_of_memory,
    resolve_model,
)
from .model_names import check_model

if TYPE_CHECKING:
    from .generate import Generated


@dataclass(kw_only=True)
class LocalModel(LocalModelOptions):
    """A model with its tokenizer and chat template on a device; each part is loaded when it is first needed.

    `name` is a Hub id, a folder (also of an adapter), a GGUF file, "smollm2", or "pocket", the bundled model.
    """

    name: str
    chat_template_kwargs: Mapping[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    on_load: Callable[[], object] | None = field(default=None, repr=False, compare=False)
    """Called once, before the first part that takes long to load."""

    def _begin_to_load(self) -> None:
        if self.on_load:
            self.on_load()
        self.on_load = None

    def check(self) -> None:
        """Raise InputError or OutsideError for what is known to be wrong before anything is loaded."""
        check_model(self.name, self.revision)
        if self.adapter is not None:
            check_model(self.adapter, kind="adapter")
        check_hardware(self.device, self.dtype)
        _ = self.template

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The model by content and how it is prompted. Computed once: files are read for it."""
        resolved = self.resolved
        settings: dict[str, Any] = {"sampler": "transformers", "model": fingerprint(resolved.base, resolved.revision)}
        if is_gguf(resolved.base):
            settings["gguf"] = gguf_file(resolved.base).name
        if resolved.adapter:
            settings["adapter"] = fingerprint(str(resolved.adapter))
        if self.template is not None:
            settings["chat_template"] = digest(self.template)
        if self.chat_template_kwargs:
            settings["chat_template_kwargs"] = dict(self.chat_template_kwargs)
        if self.dtype != "auto":
            settings["dtype"] = self.dtype
        return settings

    @cached_property
    def resolved(self) -> ResolvedModel:
        """The model or adapter to load, with its revision."""
        if is_gguf(self.name) and not is_converted(self.name):
            self._begin_to_load()
        resolved = resolve_model(self.name, self.revision, self.adapter)
        if resolved.adapter and not self.adapter:
            self.warnings.append(f"{self.name} is an adapter: it is applied to {resolved.base}")
        return resolved

    @cached_property
    def template(self) -> str | None:
        """The text of the user's own chat template."""
        return None if self.chat_template is None else read_template(self.chat_template)

    @cached_property
    def chat(self) -> ChatTemplate:
        """The tokenizer and the chat template."""
        self._begin_to_load()
        chat = ChatTemplate(load_tokenizer(*self.resolved.tokenizer), self.template, self.chat_template_kwargs)
        if chat.plain:
            self.warnings.append(f"{self.name} has no chat template: a plain one (User: / Assistant:) is used")
        return chat

    @cached_property
    def config(self) -> Any:
        """The config of the base model, from which prompts can be refused before any weights are loaded."""
        return load_causal_config(self.resolved.base, self.resolved.revision)

    @cached_property
    def max_length(self) -> int | None:
        """The most tokens that a prompt and its answer may have together."""
        return getattr(self.config.get_text_config(decoder=True), "max_position_embeddings", None)

    @cached_property
    def vocabulary_size(self) -> float:
        """The number of tokens that the model knows; infinite where the config does not say."""
        return getattr(self.config.get_text_config(decoder=True), "vocab_size", None) or math.inf

    @cached_property
    def batch_plan(self) -> BatchSizer:
        """The sizer that batches are planned by. It never changes, so that a resumed run plans the same batches."""
        return BatchSizer.of(self.model, self.batch_size)

    @cached_property
    def memory_limit(self) -> BatchSizer:
        """The sizer that batches are cut by. It shrinks when memory did not suffice."""
        return replace(self.batch_plan)

    @cached_property
    def model(self) -> Any:
        """The model with its adapter on its device; of its generation settings only the end and padding tokens."""
        self._begin_to_load()
        resolved, device = self.resolved, pick_device(self.device)
        dtype = pick_dtype(self.dtype, device, getattr(self.config, "dtype", None))
        model = load_model(resolved.base, resolved.revision, dtype, self.allow_pickle)
        tokenizer, settings = self.chat.tokenizer, model.generation_config
        settings.eos_token_id = sorted({*settings.eos_token_id, tokenizer.eos_token_id} - {None})
        pads = (tokenizer.pad_token_id, *settings.eos_token_id)
        settings.pad_token_id = next((pad for pad in pads if pad is not None and pad < self.vocabulary_size), 0)
        penalty = generation_settings(resolved.base, resolved.revision).repetition_penalty
        if penalty not in (None, 1.0):
            self.warnings.append(f"{self.name} recommends a repetition penalty of {penalty}: none is used")
        if resolved.adapter:
            model = apply_adapter(model, resolved.adapter, self.allow_pickle).get_base_model()
        with load_errors(self.name):
            model = model.to(device).eval()
        self.warnings += filter(None, [thread_note(model)])
        return model


class TransformersSampler(Sampler):
    """Samples from a causal language model; nothing is loaded before it is needed. The options are those of LocalModel.

    Raises InputError or OutsideError for a model, device or template that isn't there, as far as that is known at once.

    With `labels` an answer is how probable each of them is as its first word: see `label_probabilities`.

    Samples are drawn by the Gumbel-max trick from generators seeded by (seed, prompt, index), so that a sample depends
    neither on its batch nor on its neighbours.
    """

    def __init__(self, model: str = POCKET, decoding: Decoding = GREEDY, **options: Any) -> None:
        self.local = LocalModel(name=model, **options)
        self.local.check()
        # The pairs are the adapter's. It names its base: under its own name alone it is asked and trained again.
        self.model = self.local.adapter or model
        self.revision = None if self.local.adapter else self.local.revision
        self.chat_template, self.warnings = self.local.chat_template, self.local.warnings
        self.decoding = decoding
        self.labels: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """Return the key of the store: the model by content, how it is prompted and how it is sampled."""
        return self.local.settings | ({"labels": list(self.labels)} if self.labels else self.decoding.settings())

    def takes_system(self) -> bool:
        """Return whether the chat template holds a system message."""
        return self.local.chat.takes_system()

    def thought_form(self) -> ThoughtForm:
        """Return in which form the chat template writes a thought."""
        return self.local.chat.thought_form()

    def inserted_system(self) -> str | None:
        """Return the system message that the chat template inserts where a prompt has none, e.g. that of Qwen2.5."""
        return self.local.chat.inserted_system()

    def with_decoding(self, **changes: Any) -> TransformersSampler:
        """Return a sampler of the same loaded model with another decoding."""
        other = copy.copy(self)
        other.decoding = replace(self.decoding, **changes)
        return other

    def with_labels(self, labels: Sequence[str]) -> TransformersSampler:
        """Return a sampler of the same loaded model whose answers are the probabilities of these labels."""
        other = self.with_decoding(max_new_tokens=1)
        other.labels = tuple(labels)
        return other

    @cached_property
    def _label_tokens(self) -> dict[str, list[int]]:
        return label_tokens(self.local.chat.tokenizer, self.labels, self.model)

    def sample(
        self, prompts: Sequence[Prompt], n: int, done: Container[Key], first: int = 0
    ) -> Iterator[Mapping[Key, Answer | Skip]]:
        """Yield one batch after another.

        The batches depend on the prompts, `first` and n alone, not on what is done, so that a resumed run has the same
        padding, and the same floating-point results, as one that was never stopped.
        """
        indices = range(first, n)
        if all((prompt.id, index) in done for prompt in prompts for index in indices):
            return
        rows = {prompt.id: self._encode(prompt) for prompt in prompts}
        yield {(name, index): row for name, row in rows.items() if isinstance(row, Skip) for index in indices}
        ids = {name: row for name, row in rows.items() if not isinstance(row, Skip)}
        if all((name, index) in done for name in ids for index in indices):
            return
        looping = 0
        try:
            for batch in self._batches(ids, indices):
                if any(key not in done for key in batch):
                    generated = self._generate(batch, [ids[name] for name, _ in batch])
                    answers = {key: self._read(row, ids[key[0]]) for key, row in zip(batch, generated, strict=True)}
                    new = [a for key, a in answers.items() if key not in done and isinstance(a, Answer)]
                    looping += sum(
                        answer.finish == "length" and repeats(answer.text or answer.thought) for answer in new
                    )
                    yield answers
        finally:
            if looping:
                self.warnings.append(f"answers that repeat themselves until they are cut: {looping}")

    def _batches(self, ids: Mapping[str, Sequence[int]], indices: Sequence[int]) -> Iterator[list[Key]]:
        """Yield batches: rows of similar length together, a prompt's samples in one batch.

        All rows of a batch may generate equally many tokens, so that none is cut because of its neighbours.
        """
        order = sorted(ids, key=lambda name: (len(ids[name]), name))
        for new_tokens, names in groupby(order, key=lambda name: self._max_new_tokens(ids[name])):
            batch: list[Key] = []
            for name in names:
                if batch and len(batch) + len(indices) > self.local.batch_plan.rows_of(len(ids[name]) + new_tokens):
                    yield batch
                    batch = []
                batch += [(name, index) for index in indices]
            yield batch

    def _max_new_tokens(self, ids: Sequence[int]) -> int:
        most, limit = self.decoding.max_new_tokens, self.local.max_length
        return min(most, limit - len(ids)) if limit else most

    def _encode(self, prompt: Prompt) -> list[int] | Skip:
        local = self.local
        ids = local.chat.encode(prompt)
        if isinstance(ids, Skip):
            return ids
        if self._max_new_tokens(ids) < 1:
            return Skip("too_long", f"{len(ids)} tokens, the model takes {local.max_length}")
        if max(ids) >= local.vocabulary_size:
            raise InputError(
                f"the tokenizer of {self.model} has a token {max(ids)}, the model only {local.vocabulary_size}",
                fix="the tokenizer and the weights must be of one model",
            )
        return ids

    def _generate(self, keys: Sequence[Key], ids: Sequence[list[int]]) -> list[Generated | Answer | Skip]:
        """Return one row each; where memory did not suffice before, generated in smaller parts."""
        new_tokens = self._max_new_tokens(ids[0])
        length = max(map(len, ids)) + new_tokens
        rows: list[Generated | Answer | Skip] = []
        while len(rows) < len(keys):
            part = slice(len(rows), len(rows) + self.local.memory_limit.rows_of(length))
            rows += self._attempt(keys[part], ids[part], new_tokens, length)
        return rows

    def _attempt(
        self, keys: Sequence[Key], ids: Sequence[list[int]], new_tokens: int, length: int
    ) -> Sequence[Generated | Answer | Skip]:
        """Return one row each; or, if memory does not suffice for so many, no row and smaller batches from now on."""
        from . import generate

        model, seeds = self.local.model, [self.decoding.seed_of(key) for key in keys]
        try:
            with threads(model):
                if self.labels:
                    return [Answer(text, "stop", 1) for text in label_probabilities(model, ids, self._label_tokens)]
                decoding = replace(self.decoding, max_new_tokens=new_tokens)
                return generate.generate(model, ids, seeds, decoding, self.local.chat.tokenizer)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            reason = error_line(error)
        # Not in the handler: there the error still holds the tensors.
        release(model.device)
        if len(keys) == 1:
            return [Skip("oom", reason)]
        self.local.memory_limit.shrink(len(keys), length)
        return []

    def _read(self, row: Generated | Answer | Skip, prompt: Sequence[int]) -> Answer | Skip:
        if isinstance(row, Skip | Answer):
            return row
        if row.finish == "nan":
            return Skip("nan", "the logits were not finite")
        finish: Literal["stop", "length"] = "stop" if row.finish == "stop" else "length"
        answer = answer_of_tokens(self.local.chat.tokenizer, prompt, row.tokens, finish)
        return replace(answer, text=answer.text[: self.decoding.stop_at(answer.text)].strip())
