"""Models as the options name them: samplers, budgets, contexts and tokenizers, for every command that asks a model."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

from ..checks.tokenized import TokenizedChecker
from ..console import note, progress
from ..errors import InputError, PairforgeError
from ..options.common import BudgetOptions, ContextOptions
from ..options.declaration import as_tuple, part_of
from ..options.sampling import BackendOptions, LocalModelOptions, SamplerOptions
from ..run import Run
from ..samplers.backends import pick_backend, sampler_class
from ..samplers.chat_template import ChatTemplate, read_template
from ..samplers.decoding import Decoding
from ..samplers.gguf_models import is_converted, is_gguf
from ..samplers.model_loading import POCKET, generation_settings, load_tokenizer, resolve_model
from ..samplers.model_names import check_model
from ..samplers.replay import ReplaySampler
from ..stages import cost_of, sample
from ..stopping import Budget
from ..store import Store
from ..text import one_line, plural
from ..types import Answer, Ask, Key, Prompt, Sampler, Skip
from .inputs import find_run, like_a_run

HELPFUL_SYSTEM_MESSAGE = "You're a helpful assistant."
"""Besides no system message, the context in which chat models are asked. Pairs teach only the contexts they carry."""

NO_SYSTEM_ROLE = "the chat template of {} takes no system message"
"""What is said where contexts are left out for it."""

NO_MODEL = "no --model: asking the bundled pocket model, a toy of 2.7 million parameters (-m ORG/MODEL for yours)"


def open_sampler(options: SamplerOptions, quiet: bool = False) -> Sampler:
    """Return the sampler that the options name; nothing is loaded or asked yet.

    Where no model is named, and no server or file either, it is that of the bundled pocket model. Unless `quiet`, notes
    say so, and when a local model begins to load.
    Raises InputError for options that exclude each other or that would have no effect, and for a model or device that
    is not there, as far as that can be known without loading anything.
    """
    _check_combination(options)
    decoding = part_of(options, Decoding)
    named = None if options.model == POCKET else options.model
    if options.replay:
        sources = as_tuple(options.replay)
        opened = [open_replay(source, named, getattr(options, "output", None)) for source in sources]
        if len(models := {replay.model for replay in opened}) > 1:
            what = f"--replay has answers of {' and '.join(sorted(models))}: which model are the pairs for?"
            raise InputError(what, fix="name it with -m MODEL")
        return reduce(ReplaySampler.joined, opened)
    kwargs = _template_kwargs(options.chat_template_kwargs)
    if not (options.base_url or options.provider):
        local = part_of(options, LocalModelOptions, chat_template_kwargs=kwargs)
        model = POCKET if options.model is None else options.model
        if options.model is None and options.revision:
            raise InputError("--revision has no effect without --model", fix="add -m ORG/MODEL, or leave it out")
        once = ", which is converted first, once" if is_gguf(model) and not is_converted(model) else ""
        backend = pick_backend(options.backend, model, options.device)
        if options.tensor_parallel != 1 and backend != "vllm":
            what = f"--tensor-parallel has no effect with --backend {backend}"
            raise InputError(what, fix="leave it out, or add --backend vllm")
        through = "" if backend == "transformers" else f" into {backend}"
        on_load = None if quiet else partial(note, f"loading the model {model}{through}{once}")
        parallel = {"tensor_parallel": options.tensor_parallel} if backend == "vllm" else {}
        sampler = sampler_class(backend)(model, decoding, on_load=on_load, **parallel, **vars(local))
        if options.model is None and not quiet:
            note(NO_MODEL)
        return sampler
    from ..samplers.openai_server import EndpointSampler

    passed = ("base_url", "provider", "concurrency", "timeout", "served_as", "one_request")
    server = {name: getattr(options, name) for name in passed}
    key, price = _key(options.api_key_env), _price(options.price)
    return EndpointSampler(named, decoding, **server, api_key=key, price=price, chat_template_kwargs=kwargs)


def as_asked(options: SamplerOptions, known: Mapping[str, Any]) -> SamplerOptions:
    """Return the options with what is `known` of how the model was asked, where they don't say it themselves."""
    server = options.base_url or options.provider
    missing = {name: value for name, value in known.items() if not (getattr(options, name) or options.replay)}
    return replace(options, **{name: value for name, value in missing.items() if not (server and name in _LOCAL_ONLY)})


@contextmanager
def named_by(option: str) -> Iterator[None]:
    """Within the block, an error about a model names this option (`--base `, `--judge rm:`) in place of -m."""
    try:
        yield
    except PairforgeError as error:
        error.message = re.sub(r"^-m ", option, error.message)
        word = option.partition(" ")[0]
        fix = re.sub(r"^-m (?=takes )|(?<=given with )-m$", lambda found: found[0].replace("-m", word), error.fix or "")
        error.fix = re.sub(r"^-m ", option, fix) or None
        raise


_shared: ContextVar[dict[str, Sampler]] = ContextVar("_shared")


@contextmanager
def share_samplers() -> Iterator[None]:
    """Within the block, `ask` and `evaluate` open a model once: its weights are loaded once and kept until the end."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def shared_sampler(options: SamplerOptions, quiet: bool = False) -> Sampler:
    """Return `open_sampler`'s, or the sampler opened with the same options in this `share_samplers` block."""
    opened, key = _shared.get({}), repr(options)
    opened[key] = opened.get(key) or open_sampler(options, quiet)
    return opened[key]


_LOCAL_ONLY = tuple(
    one.name for one in (*fields(LocalModelOptions), *fields(BackendOptions)) if one.name != "chat_template_kwargs"
)
_SERVER_ONLY = ("api_key_env", "concurrency", "timeout", "price", "served_as", "one_request")


def _check_combination(options: SamplerOptions) -> None:
    """Refuse options that exclude each other, or that would silently have no effect."""
    named = [name for name in ("--base-url", "--provider", "--replay") if getattr(options, name[2:].replace("-", "_"))]
    if len(named) > 1:
        raise InputError(f"{' and '.join(named)} exclude each other", fix="give one of them")
    source = named[0] if named else "a local model"
    without = {"a local model": _SERVER_ONLY, "--replay": (*_LOCAL_ONLY, *_SERVER_ONLY, "chat_template_kwargs")}
    unused = without.get(source, _LOCAL_ONLY)
    defaults = {one.name: one.default for one in fields(SamplerOptions)}
    if wrong := next((name for name in unused if getattr(options, name) != defaults[name]), None):
        raise InputError(f"--{wrong.replace('_', '-')} has no effect with {source}", fix="leave it out")


def _template_kwargs(given: str | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Read the arguments of the chat template: a mapping, a JSON object, or `name=value` separated by commas."""
    if given is None or isinstance(given, Mapping):
        return given
    parts = [part.partition("=") for part in given.split(",")]
    if given.lstrip().startswith("{"):
        value = _json_or(given, None)
    elif all(sign and name.strip() for name, sign, _ in parts):
        value = {name.strip(): _json_or(value, value.strip()) for name, _, value in parts}
    else:
        value = None
    if not isinstance(value, dict):
        fix = "write name=value, e.g. --chat-template-kwargs enable_thinking=false"
        raise InputError(f"--chat-template-kwargs {given!r} is not a JSON object", fix=fix)
    return value


def _json_or(text: str, default: Any) -> Any:
    with suppress(ValueError):
        return json.loads(text)
    return default


def _price(given: str | None) -> tuple[float, float] | None:
    """Read the price of a million tokens: of input and output, or one number for both."""
    if given is None:
        return None
    with suppress(ValueError):
        prices = [float(part) for part in str(given).split("/")]
        if len(prices) <= 2 and all(0 <= one < math.inf for one in prices):
            return prices[0], prices[-1]
    raise InputError(f"--price {one_line(str(given))} is no price of a million tokens", fix="e.g. --price 0.15/0.60")


def open_budget(options: BudgetOptions) -> Budget:
    """Return the limits that the options name. Raises InputError for a cost where no price is given."""
    budget = part_of(options, Budget)
    prices = [getattr(options, name, None) for name in ("price", "judge_price")]
    if budget.max_cost is not None and not any(prices):
        raise InputError("--max-cost needs the price of a million tokens", fix="add --price IN/OUT, or --judge-price")
    return budget


def _key(variable: str | None) -> str | None:
    """Read the key from an environment variable: on the command line, others could read it."""
    key = os.environ.get(variable) if variable else None
    if variable and not key:
        raise InputError(f"--api-key-env: ${variable} is not set", fix=f"export {variable}=...")
    return key


def open_replay(source: str, model: str | None, output: str | None, option: str = "--replay") -> ReplaySampler:
    """Open the answers of a file, or those that a run was made from. Raises InputError that names the option."""
    path = find_run(source, output)
    if path is None:
        if not Path(source).exists() and (hint := like_a_run(source, output)):
            raise InputError(f"{option} {source} is neither a run nor a file", fix=hint)
        return ReplaySampler.from_file(Path(source), model, option)
    run = Run.load(path)
    with closing(Store(path.parent)) as store:
        return ReplaySampler(store.answers(run.settings["sampling"]), model or run.settings["model"])


def contexts_of(options: ContextOptions, default: list[str | None]) -> list[str | None]:
    """Return the system messages to ask under, None for none; the default where no option names one.

    Raises InputError for a blank one, and for one that is given twice.
    """
    given = as_tuple(options.system)
    if any(not text.strip() for text in given):
        raise InputError("--system is empty", fix="--no-system asks without a system message")
    if twice := next((text for text in given if given.count(text) > 1), None):
        raise InputError(f"--system '{one_line(twice, 60)}' is given twice", fix="give it once")
    return [*([None] if options.no_system else []), *given] or default


@dataclass
class AnswerCount:
    """The answers of several calls of `answer`, which are shown as one: all, done, and of these from the store."""

    total: int = 0
    done: int = 0
    stored: int = 0

    def say(self, label: str, quiet: bool) -> None:
        """Say how many there are, unless none was in the store."""
        if self.stored and not quiet:
            note(f"{label}: {plural(self.stored, 'answer')} from the store, {self.done - self.stored} asked")


def answer(
    prompts: Sequence[Prompt],
    sampler: Sampler,
    n: int,
    store: Store,
    label: str,
    quiet: bool,
    budget: Budget | None = None,
    first: int = 0,
    count: AnswerCount | None = None,
    failed: dict[Key, Skip] | None = None,
) -> dict[str, list[Answer] | Skip]:
    """Return n answers to each prompt, as `stages.sample`, with progress and the sampler's warnings on stderr.

    With `count`, it is one of several calls: they are counted together, and its owner says how many there were.
    """
    counted = count or AnswerCount()
    before, start, last = counted.done, list[tuple[int, int]](), (0, 0)

    def report(done: int, total: int, tokens: int, failed: int) -> None:
        nonlocal last
        last = done, failed
        start.extend([last] if not start else [])
        if tell:
            tell(before + done, max(before + total, counted.total), tokens, failed)

    paid = cost_of(sampler)

    def spent() -> str:
        return f"{now - paid:.4g} spent" if (now := cost_of(sampler)) > paid else ""

    with progress(label, quiet, spent) as tell:
        answers = sample(prompts, sampler, n, store, report, budget, first, failed)
    if start:
        counted.stored += start[0][0]
        counted.done += start[0][0] + sum(last) - sum(start[0])
    if count is None:
        counted.say(label, quiet)
    if not quiet and spent():
        note(f"{label}: {spent()}")
    for warning in sampler.warnings:
        note(f"warning: {warning}")
    sampler.warnings.clear()
    return answers


def asking(store: Store, label: str, quiet: bool) -> Ask:
    """Return what a judge that is a model asks with, through the store; progress is shown under the label."""
    return lambda prompts, sampler: answer(prompts, sampler, 1, store, f"{label} {sampler.model}", quiet)


@dataclass(frozen=True)
class ModelTokenizer:
    """A tokenizer with a chat template, the ids at which its model stops, and the system message it inserts."""

    tokenizer: Any
    ends: tuple[int, ...]
    inserted: str | None

    def checker(self, max_length: int) -> TokenizedChecker:
        """Return what checks rows as training on the model sees them (PF4xx)."""
        return TokenizedChecker(self.tokenizer, max_length=max_length, ends=self.ends, inserted=self.inserted)


def open_tokenizer(
    model: str, revision: str | None = None, quiet: bool = False, chat_template: str | None = None
) -> ModelTokenizer:
    """Load the tokenizer of a model (a Hub id, a folder, an adapter, a GGUF file, or "pocket"), without its weights.

    `chat_template` is a file to use in place of the model's own. A tokenizer without a chat template gets
    `types.PLAIN_TEMPLATE`, as in training. Raises InputError or OutsideError.
    """
    check_model(model, revision, "tokenizer")
    resolved = resolve_model(model, revision, None)
    template = None if chat_template is None else read_template(chat_template)
    chat = ChatTemplate(load_tokenizer(*resolved.tokenizer), template)
    if chat.plain and not quiet:
        note(f"{model} has no chat template: a plain one (User: / Assistant:) is used")
    ends = generation_settings(resolved.base, resolved.revision).eos_token_id
    stops = ends if isinstance(ends, list) else [] if ends is None else [ends]
    return ModelTokenizer(chat.tokenizer, tuple(stops), chat.inserted_system())
