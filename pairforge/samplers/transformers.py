"""Answers from a local model, through transformers: batched, left-padded, each sample from a seed of its own."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

from ..errors import InputError
from ..resources import resource
from ..types import PLAIN_TEMPLATE, Answer, Key, Prompt, Skip, digest
from .loading import fingerprint, load_config, load_model, load_tokenizer, one_line, out_of_memory

POCKET = "pocket"
_SMALL = 50_000_000  # parameters; below, a second thread costs more than it gives


class TransformersSampler:
    """Samples a causal language model: a Hub id, a folder, or "pocket", the bundled one.

    Greedy at temperature 0. Else each sample is drawn by the Gumbel-max trick from a generator seeded by (seed, prompt,
    index), so that it depends neither on its batch nor on its neighbours.
    """

    def __init__(
        self,
        model: str = POCKET,
        *,
        revision: str | None = None,
        max_new_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
        batch_size: int = 64,
    ) -> None:
        if max_new_tokens < 1 or not 0 <= temperature < math.inf:
            raise InputError(
                "--max-new-tokens must be at least 1, --temperature a number of at least 0", fix="see --help"
            )
        self.model = model
        self.revision = revision
        self.max_new_tokens = max_new_tokens
        self.temperature = temperature
        self.seed = seed
        self.batch_size = batch_size
        self.warnings: list[str] = []

    @property
    def source(self) -> str:
        """What `from_pretrained` is given."""
        return str(resource("data", "pocket")) if self.model == POCKET else self.model

    @cached_property
    def fingerprint(self) -> str:
        """The weights and the tokenizer by content: a commit on the Hub, a hash of the files in a folder."""
        return fingerprint(self.source, self.revision)

    def settings(self) -> dict[str, Any]:
        """Key of the store: the model by content and how it is sampled."""
        drawn = {"temperature": self.temperature, "seed": self.seed} if self.temperature else {"temperature": 0.0}
        return {"sampler": "transformers", "model": self.fingerprint, "max_new_tokens": self.max_new_tokens, **drawn}

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
        for batch in self._batches(ids, n):
            if any(key not in done for key in batch):
                yield dict(zip(batch, self._answer(batch, [ids[name] for name, _ in batch]), strict=True))

    def _batches(self, ids: Mapping[str, Sequence[int]], n: int) -> Iterator[list[Key]]:
        """Rows of like length together, but only those with the same room: none is cut for its neighbours' sake."""
        order = sorted(ids, key=lambda name: (len(ids[name]), name))
        for _, names in groupby(order, key=lambda name: self._room(ids[name])):
            keys = [(name, index) for name in names for index in range(n)]
            yield from (keys[start : start + self.batch_size] for start in range(0, len(keys), self.batch_size))

    def _room(self, ids: Sequence[int]) -> int:
        """How many new tokens a prompt leaves room for."""
        return min(self.max_new_tokens, self._limit - len(ids)) if self._limit else self.max_new_tokens

    def _encode(self, prompt: Prompt) -> list[int] | Skip:
        """The prompt's tokens, or why it can't be asked."""
        text = self._render(prompt)
        if isinstance(text, Skip):
            return text
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        if not ids:
            return Skip("template", "nothing is left of the prompt")
        if self._room(ids) < 1:
            return Skip("too_long", f"{len(ids)} tokens, the model takes {self._limit}")
        return ids

    def _render(self, prompt: Prompt) -> str | Skip:
        """The prompt by the chat template, up to where the assistant is to speak."""
        from jinja2 import TemplateError

        contents = [message["content"] for message in prompt.messages]
        if lone := next((sign for sign in "".join(contents) if "\ud800" <= sign <= "\udfff"), None):
            return Skip("encoding", f"the prompt holds a lone surrogate, U+{ord(lone):04X}")
        for token in self._tokenizer.all_special_tokens:
            if any(token in content for content in contents):
                return Skip("special_tokens", f"the prompt holds {token}")
        try:
            text: str = self._tokenizer.apply_chat_template(
                list(prompt.messages), tokenize=False, add_generation_prompt=True
            )
        except (TemplateError, TypeError, ValueError) as error:
            return Skip("template", one_line(error))
        return text

    def _answer(self, keys: Sequence[Key], ids: Sequence[list[int]]) -> list[Answer | Skip]:
        """One answer each; half a batch at a time where memory does not suffice for the whole."""
        import torch

        try:
            return self._generate(keys, ids)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            reason = one_line(error)
        # Not in the handler: there the error still holds the tensors.
        torch.cuda.empty_cache()
        if len(keys) == 1:
            return [Skip("oom", reason)]
        half = len(keys) // 2
        return self._answer(keys[:half], ids[:half]) + self._answer(keys[half:], ids[half:])

    def _generate(self, keys: Sequence[Key], ids: Sequence[list[int]]) -> list[Answer | Skip]:
        import torch
        from transformers import GenerationConfig, LogitsProcessorList

        from .draw import Draw

        width = max(map(len, ids))
        inputs = torch.tensor([[self._pad] * (width - len(row)) + row for row in ids], device=self._model.device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids], device=self._model.device)
        draw = Draw(self.temperature, [int(digest([self.seed, *key], 15), 16) for key in keys])
        decoding = GenerationConfig(
            max_new_tokens=self._room(ids[0]),
            do_sample=False,
            num_beams=1,
            num_return_sequences=1,
            eos_token_id=sorted(self._ends) or None,
            pad_token_id=self._pad,
        )
        with torch.inference_mode():
            output = self._model.generate(
                inputs, attention_mask=mask, generation_config=decoding, logits_processor=LogitsProcessorList([draw])
            )
        rows = output[:, width:].tolist()
        return [
            Skip("failed", "the logits were not finite") if bad else self._read(row)
            for row, bad in zip(rows, draw.bad, strict=True)
        ]

    def _read(self, ids: list[int]) -> Answer:
        end = next((i for i, token in enumerate(ids) if token in self._ends), None)
        text = self._tokenizer.decode(ids[:end], skip_special_tokens=True)
        # Whatever the tokenizer gives, it can be written as UTF-8: lone surrogates become U+FFFD.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return Answer(text.strip(), "length" if end is None else "stop", len(ids) if end is None else end)

    @cached_property
    def _tokenizer(self) -> Any:
        tokenizer = load_tokenizer(self.source, self.revision)
        if not tokenizer.chat_template:
            self.warnings.append(f"{self.model} has no chat template: a plain one (User: / Assistant:) is used")
            tokenizer.chat_template = PLAIN_TEMPLATE
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        import torch

        cuda = torch.cuda.is_available()
        model = load_model(self.source, self.revision, torch.bfloat16 if cuda else torch.float32)
        if not cuda and model.num_parameters() < _SMALL:
            torch.set_num_threads(1)
        return model.to(torch.device("cuda" if cuda else "cpu")).eval()

    @cached_property
    def _limit(self) -> int | None:
        """The most tokens a prompt and its answer may have; by the config, so that no weights are loaded for it."""
        config = load_config(self.source, self.revision).get_text_config(decoder=True)
        return getattr(config, "max_position_embeddings", None)

    @cached_property
    def _ends(self) -> set[int]:
        tokens = [*(self._model.generation_config.eos_token_id or []), self._tokenizer.eos_token_id]
        return {token for token in tokens if token is not None}

    @cached_property
    def _pad(self) -> int:
        tokenizer = self._tokenizer
        return next((token for token in (tokenizer.pad_token_id, tokenizer.eos_token_id) if token is not None), 0)
