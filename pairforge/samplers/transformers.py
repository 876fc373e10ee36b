"""Answers from a local model, through transformers: batched, left-padded, each sample from a seed of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import InputError, OutsideError
from ..resources import resource
from ..types import PLAIN_TEMPLATE, Answer, Key, Prompt, Skip, digest

POCKET = "pocket"
_SMALL = 50_000_000  # parameters; below, a second thread costs more than it gives
_WHOLE = 64 * 2**20  # bytes; larger weight files are known by size, time and header, not read through


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
        if max_new_tokens < 1 or temperature < 0:
            raise InputError("--max-new-tokens must be at least 1 and --temperature at least 0", fix="see --help")
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
        folder = Path(self.source)
        if folder.is_dir():
            return _folder_digest(folder)
        if folder.is_absolute() or self.source.startswith(("./", "../", "~")):
            raise InputError(f"no model folder {self.source}", fix="check the path given with --model")
        from transformers import AutoConfig

        with _Loading(self.source):
            config = AutoConfig.from_pretrained(self.source, revision=self.revision, trust_remote_code=False)
        return str(getattr(config, "_commit_hash", None) or digest(config.to_dict()))

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
        texts = {prompt.id: self._render(prompt) for prompt in prompts}
        yield {(name, index): text for name, text in texts.items() if isinstance(text, Skip) for index in range(n)}
        ids = {
            name: self._tokenizer(text, add_special_tokens=False).input_ids
            for name, text in texts.items()
            if isinstance(text, str)
        }
        order = sorted(ids, key=lambda name: (len(ids[name]), name))
        keys = [(name, index) for name in order for index in range(n)]
        for start in range(0, len(keys), self.batch_size):
            batch = keys[start : start + self.batch_size]
            if any(key not in done for key in batch):
                yield dict(zip(batch, self._answer(batch, [ids[name] for name, _ in batch]), strict=True))

    def _render(self, prompt: Prompt) -> str | Skip:
        """The prompt by the chat template, up to where the assistant is to speak."""
        for token in self._tokenizer.all_special_tokens:
            if any(token in message["content"] for message in prompt.messages):
                return Skip("special_tokens", f"the prompt holds {token}")
        text: str = self._tokenizer.apply_chat_template(
            list(prompt.messages), tokenize=False, add_generation_prompt=True
        )
        return text

    def _answer(self, keys: Sequence[Key], ids: Sequence[list[int]]) -> list[Answer | Skip]:
        import torch
        from transformers import LogitsProcessorList

        from .draw import Draw

        width = max(map(len, ids))
        limit = getattr(self._model.config, "max_position_embeddings", None)
        room = min(self.max_new_tokens, limit - width) if limit else self.max_new_tokens
        if room < 1:
            return [Skip("too_long", f"{width} tokens, the model takes {limit}")] * len(keys)
        inputs = torch.tensor([[self._pad] * (width - len(row)) + row for row in ids], device=self._model.device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids], device=self._model.device)
        draw = Draw(self.temperature, [int(digest([self.seed, *key], 15), 16) for key in keys])
        with torch.inference_mode():
            output = self._model.generate(
                inputs,
                attention_mask=mask,
                max_new_tokens=room,
                do_sample=False,
                logits_processor=LogitsProcessorList([draw]),
            )
        rows = output[:, width:].tolist()
        return [
            Skip("failed", "the logits were not finite") if bad else self._read(row)
            for row, bad in zip(rows, draw.bad, strict=True)
        ]

    def _read(self, ids: list[int]) -> Answer:
        end = next((i for i, token in enumerate(ids) if token in self._ends), None)
        text = self._tokenizer.decode(ids[:end], skip_special_tokens=True)
        return Answer(text.strip(), "length" if end is None else "stop", len(ids) if end is None else end)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        with _Loading(self.source):
            tokenizer = AutoTokenizer.from_pretrained(self.source, revision=self.revision, trust_remote_code=False)
        if not tokenizer.chat_template:
            self.warnings.append(f"{self.model} has no chat template: a plain one (User: / Assistant:) is used")
            tokenizer.chat_template = PLAIN_TEMPLATE
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        cuda = torch.cuda.is_available()
        dtype = torch.bfloat16 if cuda else torch.float32
        with _Loading(self.source):
            model = AutoModelForCausalLM.from_pretrained(
                self.source, revision=self.revision, dtype=dtype, use_safetensors=True, trust_remote_code=False
            )
        if not cuda and model.num_parameters() < _SMALL:
            torch.set_num_threads(1)
        model.generation_config.pad_token_id = self._pad
        model.generation_config.max_length = None
        return model.to(torch.device("cuda" if cuda else "cpu")).eval()

    @cached_property
    def _ends(self) -> set[int]:
        given = self._model.generation_config.eos_token_id
        tokens = given if isinstance(given, list) else [given]
        return {token for token in (*tokens, self._tokenizer.eos_token_id) if token is not None}

    @cached_property
    def _pad(self) -> int:
        tokenizer = self._tokenizer
        return next((token for token in (tokenizer.pad_token_id, tokenizer.eos_token_id) if token is not None), 0)


class _Loading:
    """What can go wrong when a model is loaded, as one line."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, (OSError, ValueError)):
            return
        line = str(error).strip().split("\n")[0]
        if Path(self.source).is_dir():
            raise InputError(
                f"{self.source} is no model folder that can be used: {line}",
                fix="it needs config.json, a tokenizer and safetensors",
            ) from error
        raise OutsideError(
            f"can't load the model {self.source}: {line}", fix="check the id, `hf auth login`, or go online once"
        ) from error


def _folder_digest(folder: Path) -> str:
    """Hash of names and contents of the files that make the model; of very large ones size, time and first MB."""
    total = hashlib.sha256()
    kinds = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")
    files = {file for kind in kinds for file in folder.glob(kind)} - {folder / "verdict.json"}
    for file in sorted(files):
        stat = file.stat()
        total.update(f"{file.name} {stat.st_size}".encode())
        if stat.st_size <= _WHOLE:
            total.update(file.read_bytes())
        else:
            total.update(f"{stat.st_mtime_ns}".encode())
            with open(file, "rb") as head:
                total.update(head.read(2**20))
    return total.hexdigest()[:16]
