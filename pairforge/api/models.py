"""What the verbs that ask a model have in common: contexts, progress, warnings.

Where answers come from and at what cost: the keyword arguments of every verb that asks a model.
A model's tokenizer alone: what training on the model reads rows with.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from ..checks.tokenized import TokenizedChecker
from ..console import note, progress
from ..errors import InputError
from ..run import Run
from ..samplers.chat_template import ChatTemplate
from ..samplers.decoding import Decoding
from ..samplers.model_loading import generation_settings, load_tokenizer, model_source
from ..samplers.replay import ReplaySampler
from ..stages import sample
from ..stopping import Budget
from ..store import Store
from ..types import Answer, Prompt, Sampler, Skip


class SamplerOptions(TypedDict, total=False):
    """How a model is asked, and where: here, at a server (`base_url`, `provider`), or of a file (`replay`).

    The defaults are those of `open_sampler`.
    """

    revision: str | None
    adapter: str | None
    chat_template: str | None
    chat_template_kwargs: str | Mapping[str, Any] | None
    dtype: str
    device: str
    batch_size: int | None
    allow_pickle: bool
    base_url: str | Sequence[str]
    provider: str | None
    api_key_env: str | None
    concurrency: int
    timeout: float
    replay: str | None
    max_new_tokens: int
    top_p: float
    top_k: int
    min_p: float
    stop: str | Sequence[str]
    seed: int


class SamplingOptions(SamplerOptions, total=False):
    """The same with the model, and with what stops a run early and cleanly: see `Budget`."""

    model: str
    max_minutes: float | None
    max_tokens: int | None
    max_failures: int | None


def open_sampler(
    *,
    model: str = "pocket",
    revision: str | None = None,
    adapter: str | None = None,
    chat_template: str | None = None,
    chat_template_kwargs: str | Mapping[str, Any] | None = None,
    dtype: str = "auto",
    device: str = "auto",
    batch_size: int | None = None,
    allow_pickle: bool = False,
    base_url: str | Sequence[str] = (),
    provider: str | None = None,
    api_key_env: str | None = None,
    concurrency: int = 32,
    timeout: float = 120.0,
    replay: str | None = None,
    max_new_tokens: int = 256,
    temperature: float = 0.0,
    top_p: float = 1.0,
    top_k: int = 0,
    min_p: float = 0.0,
    stop: str | Sequence[str] = (),
    seed: int = 0,
) -> Sampler:
    """The sampler that these name; nothing is loaded or asked yet. Raises InputError for what doesn't go together."""
    given = locals()
    decoding = Decoding(max_new_tokens, temperature, top_p, top_k, min_p, as_tuple(stop), seed)
    kind = _kind(given)
    rendering = _template_kwargs(chat_template_kwargs)
    if kind == "--replay":
        return _replayed(str(replay), None if model == "pocket" else model)
    if kind == _HERE:
        from ..samplers.transformers import TransformersSampler

        local = {name: given[name] for name in _LOCAL}
        return TransformersSampler(str(model), decoding, chat_template_kwargs=rendering, **local)
    from ..samplers.openai_server import EndpointSampler

    return EndpointSampler(
        None if model == "pocket" else model,
        decoding,
        base_url=as_tuple(base_url),
        provider=provider,
        api_key=_key(api_key_env),
        concurrency=concurrency,
        timeout=timeout,
        chat_template_kwargs=rendering,
    )


_shared: ContextVar[dict[str, Sampler]] = ContextVar("_shared")


@contextmanager
def share_samplers() -> Iterator[None]:
    """Within the block, `ask` and `evaluate` open a model once: its weights are loaded once and kept until the end."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def shared_sampler(**options: Any) -> Sampler:
    """Return `open_sampler(**options)`, or the sampler opened with the same options in this `share_samplers` block."""
    opened, key = _shared.get({}), repr(sorted(options.items()))
    opened[key] = opened.get(key) or open_sampler(**options)
    return opened[key]


_HERE = "a local model"
_LOCAL = ("revision", "adapter", "chat_template", "dtype", "device", "batch_size", "allow_pickle")
_REMOTE = ("api_key_env", "concurrency", "timeout")


def _kind(given: Mapping[str, Any]) -> str:
    """Where answers come from. Raises for options that exclude each other, or that it would silently not heed."""
    named = [option for option in ("--base-url", "--provider", "--replay") if given[option[2:].replace("-", "_")]]
    if len(named) > 1:
        raise InputError(f"{' and '.join(named)} exclude each other", fix="give one of them")
    kind = named[0] if named else _HERE
    unheeded: tuple[str, ...] = _LOCAL
    if kind == _HERE:
        unheeded = _REMOTE
    elif kind == "--replay":
        unheeded = (*_LOCAL, *_REMOTE, "chat_template_kwargs")
    defaults = {name: option.default for name, option in inspect.signature(open_sampler).parameters.items()}
    if wrong := next((name for name in unheeded if given[name] != defaults[name]), None):
        raise InputError(f"--{wrong.replace('_', '-')} means nothing to {kind}", fix="leave it out")
    return kind


def as_tuple(values: str | Sequence[str]) -> tuple[str, ...]:
    """What may be given once or more often; a lone text is no sequence of letters."""
    return (values,) if isinstance(values, str) else tuple(values)


def _template_kwargs(given: str | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What the chat template is told: a mapping, a JSON object, or `name=value` with commas between."""
    if given is None or isinstance(given, Mapping):
        return given
    try:
        if not given.lstrip().startswith("{"):
            return dict(_named(part) for part in given.split(","))
        value = json.loads(given)
        if isinstance(value, dict):
            return value
    except ValueError:
        pass
    raise InputError(f"--chat-template-kwargs {given!r} is no JSON object", fix="e.g. enable_thinking=false")


def _named(part: str) -> tuple[str, Any]:
    name, sign, value = part.partition("=")
    if not (sign and name.strip()):
        raise ValueError(part)
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()


def _key(variable: str | None) -> str | None:
    """The key that an environment variable holds: never on the command line, where others can read it."""
    if variable is None:
        return None
    if key := os.environ.get(variable):
        return key
    raise InputError(f"--api-key-env: ${variable} is not set", fix=f"export {variable}=...")


def _replayed(source: str, model: str | None) -> ReplaySampler:
    """The answers of a file, or those that a run was made from."""
    path = Path(source)
    if not path.is_dir():
        return ReplaySampler.from_file(path, model)
    run = Run.load(path)
    store = Store(path.parent)
    answers = store.answers(run.settings["sampling"])
    store.close()
    return ReplaySampler(answers, model or run.settings["model"])


def open_sampling(temperature: float, sampling: Mapping[str, Any]) -> tuple[Sampler, Budget]:
    """The sampler and the budget that keyword arguments name."""
    limits = {
        name: sampling[name] for name in SamplingOptions.__annotations__ if name.startswith("max_") and name in sampling
    }
    limits.pop("max_new_tokens", None)
    source: Any = {name: value for name, value in sampling.items() if name not in limits}
    return open_sampler(temperature=temperature, **source), Budget(**limits)


_CONFIGS = ("config.json", "adapter_config.json")  # what training writes last
HELPFUL = "You're a helpful assistant."
"""Beside no system message, the context in which chat models are asked. Pairs teach only the contexts they carry."""


def contexts_of(system: str | Sequence[str], no_system: bool, default: list[str | None]) -> list[str | None]:
    """The system messages to ask under, None for none of one's own; the default where nothing is said."""
    return [*([None] if no_system else []), *as_tuple(system)] or default


def answer(
    prompts: Sequence[Prompt],
    sampler: Sampler,
    n: int,
    store: Store,
    label: str,
    quiet: bool,
    budget: Budget | None = None,
) -> dict[str, list[Answer] | Skip]:
    """Samples with progress on stderr, and passes on what the sampler warns of."""
    with progress(label, quiet) as tell:
        answers = sample(prompts, sampler, n, store, tell, budget)
    for warning in sampler.warnings:
        note(f"warning: {warning}")
    sampler.warnings.clear()
    return answers


def tuned_on(run: Run) -> str | None:
    """The model, or the adapter, that was trained on a run, where a whole one stands in it."""
    folder = run.path / "model"
    return str(folder) if any((folder / name).exists() for name in _CONFIGS) else None


@dataclass(frozen=True)
class ModelTokenizer:
    """A tokenizer with a chat template, the ids at which its model stops, and the system message it inserts."""

    tokenizer: Any
    ends: tuple[int, ...]
    inserted: str | None

    def watch(self, max_length: int) -> TokenizedChecker:
        """Looks at rows for PF4xx while they go by."""
        return TokenizedChecker(self.tokenizer, max_length=max_length, ends=self.ends, inserted=self.inserted)


def open_tokenizer(model: str, revision: str | None = None, quiet: bool = False) -> ModelTokenizer:
    """The tokenizer of a model: a Hub id, a folder, or "pocket". No weights are loaded.

    One without a chat template gets `types.PLAIN_TEMPLATE`, as in training. Raises InputError or OutsideError.
    """
    source = model_source(model)
    chat = ChatTemplate(load_tokenizer(source, revision))
    if chat.plain and not quiet:
        note(f"{model} has no chat template: a plain one (User: / Assistant:) is used")
    ends = generation_settings(source, revision).eos_token_id
    stops = ends if isinstance(ends, list) else [] if ends is None else [ends]
    return ModelTokenizer(chat.tokenizer, tuple(stops), chat.inserted_system())
