"""The data types of pairforge, and the protocols of what can be plugged in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypedDict, cast

from .errors import InputError
from .text import plural

Side: TypeAlias = Literal["chosen", "rejected"]
SIDES: tuple[Side, Side] = ("chosen", "rejected")
Row: TypeAlias = Mapping[str, Any]
"""A row of a data set, by column."""
Severity: TypeAlias = Literal["error", "warning", "info"]
Key: TypeAlias = tuple[str, int]
"""(prompt id, index of the sample): names one answer within one sampling setting."""

ProgressCallback: TypeAlias = Callable[[int, int, int, int], None]
"""Called with the progress of a stage: answers done, of how many, tokens made and answers failed in this process."""


class _Turn(TypedDict):
    role: str
    content: str


class Message(_Turn, total=False):
    """One ChatML turn. A plain dict, so that it is JSON without conversion. An answer may have a thought beside it."""

    reasoning_content: str


def digest(value: Any, length: int = 16, default: Callable[[Any], Any] | None = None) -> str:
    """Return the hex digest of a value's canonical JSON (sorted keys, no spaces, UTF-8).

    `default` converts what JSON lacks, such as dates; without it that is a TypeError.
    """
    return hashlib.sha256(_canonical(value, default)).hexdigest()[:length]


def digest_of_all(values: Iterable[Any], length: int = 16) -> str:
    """Return the `digest` of the list of these values, of which one at a time is held."""
    made, before = hashlib.sha256(b"["), b""
    for value in values:
        made.update(before + _canonical(value))
        before = b","
    made.update(b"]")
    return made.hexdigest()[:length]


def _canonical(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    encoder = _ENCODER if default is None else json.JSONEncoder(**_CANONICAL, default=default)
    return encoder.encode(value).encode("utf-8", "surrogatepass")


_CANONICAL: dict[str, Any] = {"sort_keys": True, "ensure_ascii": False, "separators": (",", ":")}
_ENCODER = json.JSONEncoder(**_CANONICAL)


@dataclass(frozen=True)
class Prompt:
    """A conversation that ends where the model is to answer, or to go on with an answer that is begun.

    `columns` holds what a judge may need beside the text (`reference`, `task` ...); it is not part of the identity.
    """

    messages: tuple[Message, ...]
    columns: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @cached_property
    def id(self) -> str:
        """The hash of the messages: resume, dedupe and every join use it, never the position."""
        return digest(self.messages)

    @property
    def question(self) -> str:
        """The last user turn."""
        return self.messages[-1]["content"]

    @property
    def begun(self) -> str:
        """The beginning of the answer, where the prompt ends with it, else empty."""
        return self.messages[-1]["content"] if self.messages[-1]["role"] == "assistant" else ""

    @property
    def system(self) -> str | None:
        """The system message, if there is one."""
        return self.messages[0]["content"] if self.messages[0]["role"] == "system" else None

    def in_context(self, system: str | None) -> Prompt:
        """Return the same conversation under a system message; one that already has its own keeps it."""
        if system is None or self.system is not None:
            return self
        return Prompt(({"role": "system", "content": system}, *self.messages), self.columns)


@dataclass(frozen=True)
class Answer:
    """An answer of the model, `tokens` long; `finish` is "stop" for a whole answer, "length" for a cut one.

    `thought` is what the model wrote before it, without the marks around it: no part of the answer.
    """

    text: str
    finish: Literal["stop", "length"]
    tokens: int = field(default=0, compare=False)
    thought: str = ""


@dataclass(frozen=True)
class Skip:
    """No result for this prompt, and why: the only failure that does not end a run.

    `reason` is one of a small set, counted in the outcome table; `detail` is for a reader.
    """

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        """Return why there is no result, for a reader: (cut off: the answer was cut at 256 tokens)."""
        return f"({self.reason.replace('_', ' ')}: {self.detail})"


@dataclass(frozen=True)
class Pair:
    """One training row; the fields are the columns, in order. `chosen` and `rejected` are whole conversations with the
    same context. Scores are the judge's; a correction scores 1.0 against 0.0 by its rule. No column is ever null.
    `confidence`, of pairs of a jury alone, is the share of judges that find chosen better.
    """

    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    id: str
    prompt_id: str
    method: str
    model: str
    judge: str
    chosen_score: float
    rejected_score: float
    confidence: float | None = None

    @classmethod
    def of(
        cls, prompt: Prompt, chosen: str, rejected: str, thoughts: tuple[str, str] = ("", ""), **columns: Any
    ) -> Pair:
        """Return the pair of two answers to one prompt, with what was thought before each; its id is their hash."""
        sides: list[tuple[Message, ...]] = []
        for text, thought in zip((chosen, rejected), thoughts, strict=True):
            answer = Message(role="assistant", content=text)
            if thought:
                answer["reasoning_content"] = thought
            sides.append((*prompt.messages, answer))
        return cls(sides[0], sides[1], id=digest(sides), prompt_id=prompt.id, **columns)

    def row(self) -> dict[str, Any]:
        """Return the pair as a plain dict, ready for JSON."""
        row = {**vars(self), "chosen": [*map(dict, self.chosen)], "rejected": [*map(dict, self.rejected)]}
        return {name: value for name, value in row.items() if value is not None}


TEXT_COLUMNS = ("id", "prompt_id", "method", "model", "judge")
NUMBER_COLUMNS = ("chosen_score", "rejected_score", "confidence")
"""The columns of a `Pair` beside its sides: those that hold texts, and those that hold numbers."""


@dataclass(frozen=True)
class ThoughtForm:
    """Where a chat template reads the thought of a message: under a key, or in its content between two marks.

    Without a key the template leaves thoughts out. `empty` is what it writes before an answer without one.
    """

    key: str = "reasoning_content"
    begin: str = ""
    end: str = ""
    empty: str = ""

    def of(self, message: Message) -> Message:
        """Return a message that has its thought as `reasoning_content` in this form."""
        made: dict[str, Any] = {"role": message["role"], "content": message["content"]}
        if (thought := message.get("reasoning_content")) and self.key:
            inside = self.key == "content"
            made[self.key] = f"{self.begin}{thought}{self.end}{message['content']}" if inside else thought
        return cast("Message", made)

    def pair(self, pair: Pair) -> Pair:
        """Return a pair with its thoughts in this form."""
        sides = [(*side[:-1], self.of(side[-1])) for side in (pair.chosen, pair.rejected)]
        return replace(pair, chosen=sides[0], rejected=sides[1], id=digest(sides))


@dataclass(frozen=True)
class Finding:
    """A finding of a check. `row` counts from 0 (None: the whole data set), `path` is a JSON pointer into the row."""

    code: str
    severity: Severity
    message: str
    row: int | None = None
    path: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the finding as one flat JSON object."""
        values = asdict(self)
        more: dict[str, Any] = values.pop("more")
        return values | more


class Sampler(Protocol):
    """A source of answers: a local model, a server, a file.

    `model` is the name that the pairs carry, `revision` its branch, tag or commit, `chat_template` the user's own file;
    `warnings` are lines for the user, emptied by whoever prints them. A class that inherits from this one gets what is
    not overridden.
    """

    model: str
    warnings: list[str]
    revision: str | None = None
    chat_template: str | None = None

    @property
    def cost(self) -> float | None:
        """What was paid for answers in this process, by the price that the user gave; None without one."""
        return None

    def settings(self) -> dict[str, Any]:
        """Return all that an answer depends on beside prompt and index: the answer's key in the evidence store."""

    def sample(
        self, prompts: Sequence[Prompt], n: int, done: Container[Key], first: int = 0
    ) -> Iterator[Mapping[Key, Answer | Skip]]:
        """Give each prompt the answers `first` to n - 1, except what is `done`, yielding one commit after another."""

    def same_settings(self) -> Sequence[Mapping[str, Any]]:
        """Return other keys of the store whose answers count as this sampler's."""
        return ()

    def inserted_system(self) -> str | None:
        """Return the system message that the chat template inserts where a prompt has none, as far as is known."""
        return None

    def takes_system(self) -> bool:
        """Return False where it is known that the chat template can't hold a system message."""
        return True

    def thought_form(self) -> ThoughtForm:
        """Return in which form the chat template writes a thought, as far as is known."""
        return ThoughtForm()

    def with_decoding(self, **changes: Any) -> Sampler:
        """Return a sampler of the same model, loaded once for both, with these fields of its `Decoding` changed.

        Raises InputError where no new answers can be drawn, as from a file.
        """
        raise InputError(f"{self.model} holds stored answers and can't give others", fix="leave --replay out")

    def with_labels(self, labels: Sequence[str]) -> Sampler:
        """Return a sampler whose answers are the probabilities of these labels as JSON, or else one of them."""
        return self

    def with_schema(self, schema: Mapping[str, Any]) -> Sampler:
        """Return a sampler whose answers are JSON of this schema, where it can see to that."""
        return self


Answers: TypeAlias = Mapping[str, "list[Answer] | Skip"]
"""The answers to prompts, or why there are none, by the id of the prompt."""
Ask: TypeAlias = Callable[[Sequence[Prompt], Sampler], Answers]
"""Asks a model one answer to each prompt, through the evidence store and within the budget; by the prompt's id."""


class AnswerGroup(NamedTuple):
    """Distinct answers to one prompt, which a judge sees together."""

    prompt: Prompt
    answers: Sequence[str]

    @property
    def key(self) -> str:
        """The prompt with the columns that the judge is given, of which a score depends, too."""
        return digest([self.prompt.id, self.prompt.columns])

    @property
    def joint_key(self) -> str:
        """The key with the answers: what a score depends on where the judge compares them."""
        return digest([self.key, sorted(self.answers)])


Verdicts: TypeAlias = Mapping[tuple[int, int], "float | Skip"]
"""Finite scores, or why there is none, by the number of the group and the number of the answer in it."""


class Judge(Protocol):
    """A scorer of answers: a reward function, a reference, a reward model, an LLM, a human. Higher is better.

    A judge of single prompts overrides `score`, one that works on many at once `judge`. `warnings` are lines for the
    user, emptied by whoever prints them. `groupwise`: a score depends on the other answers of the group; None of
    one whose scores are stored, and looked for in both ways.
    """

    name: str
    warnings: list[str]
    groupwise: bool | None = False

    def settings(self) -> dict[str, Any]:
        """Return all that a score depends on beside prompt and answer: the score's key in the evidence store."""

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """Return a finite score or a Skip for each answer, in order."""
        does = f"{type(self).__name__} judges many answers at once: call its `judge`"
        raise NotImplementedError(does)

    def judge(self, groups: Sequence[AnswerGroup], ask: Ask, done: Container[tuple[int, int]]) -> Iterator[Verdicts]:
        """Yield verdicts on all answers that are not `done`, as they come, in any order.

        The groups are the same after an interruption, so that batches can be. `ask` is for judges that are models.
        """
        for number, (prompt, answers) in enumerate(groups):
            open_ = [index for index in range(len(answers)) if (number, index) not in done]
            scores = self.score(prompt, [answers[index] for index in open_]) if open_ else ()
            if len(scores) != len(open_):
                counts = f"{plural(len(scores), 'score')} for {plural(len(open_), 'distinct answer')}"
                raise InputError(f"the judge {self.name} returned {counts}", fix="return one for each answer, in order")
            yield {(number, index): score for index, score in zip(open_, scores, strict=True)}


class Pairer(Protocol):
    """A pure function from the answers to one prompt (and their scores) to pairs."""

    def settings(self) -> dict[str, Any]:
        """Return all that the pairs depend on beside the answers."""

    def fitted(self, scores: Sequence[float]) -> Pairer:
        """Return the pairer for a set, given all its scores."""
        return self

    def pair(
        self, prompt: Prompt, answers: Sequence[Answer], scores: Sequence[float], model: str
    ) -> Pair | Sequence[Pair] | Skip:
        """Return the pairs of these answers, or why there is none. `scores` is empty without a judge."""


PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].capitalize() }}: {{ message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' and eos_token else '' }}\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""The chat template for a model that has none: `User: ...`, `Assistant: ...`, a line each."""
