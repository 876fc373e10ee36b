"""Answers from a local model, through transformers: in batches, each sample from its own seed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError
from ..options.sampling import LocalModelOptions
from ..repetition import repeats
from ..thoughts import answer_of_tokens
from ..types import Answer, Key, Prompt, Sampler, Skip, ThoughtForm, digest
from .chat_template import ChatTemplate, read_template
from .decoding import GREEDY, Decoding
from .gguf_models import gguf_file, is_converted, is_gguf
from .hardware import (
    BatchSizer,
    check_hardware,
    has_fast_bfloat16,
    lay_out_weights,
    parameters,
    pick_device,
    pick_dtype,
    thread_note,
    threads,
)
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
    resolve_model,
)
from .model_names import check_model

if TYPE_CHECKING:
    from .rows import Row

_COMMITS = 4  # times that answers are yielded while as many are generated as are generated at once


@dataclass(kw_only=True)
class LocalModel(LocalModelOptions):
    """A model with its tokenizer and chat template on a device; each part is loaded when it is first needed.

    `name` is a Hub id, a folder (also of an adapter), a GGUF file, "smollm2", or "pocket", the bundled model.
    """

    name: str
    chat_template_kwargs: Mapping[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    may_round: bool = True
    """Whether `dtype` "auto" may be bfloat16 on a CPU."""
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
        elif self.in_bfloat16:
            settings["dtype"] = "bfloat16"
        return settings

    @cached_property
    def in_bfloat16(self) -> bool:
        """Whether the model runs in bfloat16 on the CPU without being told. torch is imported only where it may."""
        if self.dtype != "auto" or self.name == POCKET or not has_fast_bfloat16():
            return False
        return pick_device(self.device).type == "cpu" and str(self.torch_dtype) == "torch.bfloat16"

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

    @property
    def torch_dtype(self) -> Any:
        """The type that the model is computed in."""
        size = parameters(self.config.get_text_config(decoder=True)) if self.may_round else 0
        return pick_dtype(self.dtype, pick_device(self.device), getattr(self.config, "dtype", None), size)

    @cached_property
    def model(self) -> Any:
        """The model with its adapter on its device; of its generation settings only the end and padding tokens."""
        from .engine import has_plain_cache

        self._begin_to_load()
        resolved = self.resolved
        model = load_model(resolved.base, resolved.revision, self.torch_dtype, self.allow_pickle)
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
            model = model.to(pick_device(self.device)).eval()
        lay_out_weights(model)
        self.warnings += filter(None, [thread_note(model)])
        if self.in_bfloat16:
            self.warnings.append("computed in bfloat16, which this CPU does faster (--dtype float32: more exactly)")
        if not has_plain_cache(model):
            what = "has no cache whose rows can be moved: its answers are generated in whole batches, more slowly"
            self.warnings.append(f"{self.name} {what}")
        return model


class TransformersSampler(Sampler):
    """Samples from a causal language model; nothing is loaded before it is needed. The options are those of LocalModel.

    Raises InputError or OutsideError for a model, device or template that isn't there, as far as that is known at once.

    With `labels` an answer is how probable each of them is as its first word: see `label_probabilities`.

    Each sample is drawn from a generator of its own, seeded by (seed, prompt, index), so that it depends neither on its
    batch nor on its neighbours.
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
        """Yield some answers after another, prompts of one system message and of similar length together.

        Which answers are generated beside each other depends on the prompts, `first`, n and how long the answers are,
        not on what is done, so that a resumed run has the same floating-point results as one that was never stopped.
        """
        indices = range(first, n)
        if all((prompt.id, index) in done for prompt in prompts for index in indices):
            return
        rows = {prompt.id: self._encode(prompt) for prompt in prompts}
        yield {(name, index): row for name, row in rows.items() if isinstance(row, Skip) for index in indices}
        systems = {prompt.id: prompt.messages[0]["content"] for prompt in prompts if len(prompt.messages) > 1}
        asked = {name: row for name, row in rows.items() if not isinstance(row, Skip)}
        order = sorted(asked, key=lambda name: (systems.get(name, ""), len(asked[name]), name))
        ids = {name: asked[name] for name in order}
        if all((name, index) in done for name in ids for index in indices):
            return
        looping = 0
        try:
            for answers in self._answers(ids, indices, done):
                looping += sum(
                    answer.finish == "length" and repeats(answer.text or answer.thought)
                    for answer in answers.values()
                    if isinstance(answer, Answer)
                )
                yield answers
        finally:
            if looping:
                self.warnings.append(f"answers that repeat themselves until they are cut: {looping}")

    def _answers(
        self, ids: Mapping[str, list[int]], indices: Sequence[int], done: Container[Key]
    ) -> Iterator[dict[Key, Answer | Skip]]:
        """Yield the answers that are not done, some at a time.

        Those that are done keep their places among the others, as far as `done` says how long they are.
        """
        from .engine import generate
        from .rows import Row

        local, keys = self.local, [(name, index) for name in ids for index in indices]
        found = {key: done.get(key) for key in keys} if isinstance(done, Mapping) else {}
        lengths = {key: one.tokens for key, one in found.items() if isinstance(one, Answer)}
        rows = [
            Row(key, ids[key[0]], self._max_new_tokens(ids[key[0]]), lengths.get(key))
            for key in keys
            if key not in done or key in lengths
        ]
        labels = partial(label_probabilities, labels=self._label_tokens) if self.labels else None
        generated = generate(local.model, rows, self.decoding, local.chat.tokenizer, local.memory_limit, labels)
        commit, made = max(1, local.batch_plan.rows // _COMMITS), {}
        while row := self._next(generated):
            made[row.key] = self._read(row)
            if len(made) >= commit:
                yield made
                made = {}
        yield made

    def _next(self, generated: Iterator[Row]) -> Row | None:
        with threads(self.local.model):
            return next(generated, None)

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

    def _read(self, row: Row) -> Answer | Skip:
        if row.finish == "oom":
            return Skip("oom", row.detail)
        if row.finish == "nan":
            return Skip("nan", "the logits were not finite")
        if self.labels:
            return Answer(row.detail, "stop", 1)
        finish: Literal["stop", "length"] = "stop" if row.finish == "stop" else "length"
        answer = answer_of_tokens(self.local.chat.tokenizer, row.prompt, row.tokens, finish)
        return replace(answer, text=answer.text[: self.decoding.stop_at(answer.text)].strip())
