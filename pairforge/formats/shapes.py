"""The table of shapes: how pairs are written elsewhere, how each is recognised, and how a row of it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..chat_text import form_of
from ..conversation import CHAT_ROLES, role_of
from ..options.pairs import Pick
from ..text import common_prefix, kind_of
from ..types import SIDES, Row
from . import kto, trees
from .candidates import (
    Candidates,
    answer_in,
    answers_in,
    list_of_answers,
    lists_on_a_side,
    of_list,
    of_two_lists,
    picked,
    ranked,
)
from .columns import QUESTIONS, SYSTEMS, Names
from .context import TALKS, Cells, MisfitError, context_of, has_talk, is_talk, is_whole, side, text_in
from .shape_readers import (
    Read,
    begun_alike,
    is_templated,
    last_of_messages,
    speaker,
    speakers,
    templated_prompt,
    two_and_verdict,
    two_sides,
    within,
)  # fmt: skip
from .verdicts import two_answers, verdict_of

_CALLS = ("tool_calls", "function_call")


def _has(row: Row, **kinds: Any) -> bool:
    return all(isinstance(row.get(name), kind) for name, kind in kinds.items())


def _are_turns(row: Row, plain: bool = False) -> bool:
    """Return whether both sides are lists of messages of known roles as trainers take them; plain: of texts."""
    for name in SIDES:
        turns = row.get(name)
        if not isinstance(turns, list) or not turns:
            return False
        for turn in turns:
            if not isinstance(turn, Mapping) or not isinstance(role := turn.get("role"), str) or role not in CHAT_ROLES:
                return False
            content = turn.get("content")
            if isinstance(content, str) or any(turn.get(key) for key in _CALLS):
                continue
            if plain or not isinstance(content, list) or not all(isinstance(part, Mapping) for part in content):
                return False
    return True


def _native(row: Row, plain: bool = False) -> bool:
    return _are_turns(row, plain) and not any(row.get(name) for name in SYSTEMS)


def _readable(value: Any) -> bool:
    return isinstance(value, str) or is_talk(value) or _object(value)


def _object(value: Any) -> bool:
    return isinstance(value, Mapping) and text_in(value) is not None


def _both(row: Row, test: Callable[[Any], bool]) -> bool:
    return all(test(row.get(name)) for name in SIDES)


def _are_answers(row: Row) -> bool:
    """Return whether both sides are answers (a text, a message, a list that begins with one), not conversations."""
    return _both(row, lambda value: _readable(value) and not is_whole(value))


def are_texts(row: Row) -> bool:
    """Return whether both sides are texts."""
    return _both(row, lambda value: isinstance(value, str))


def _asks(row: Row) -> bool:
    return any(isinstance(row.get(name), str) or _object(row.get(name)) for name in (*QUESTIONS, "input", "context"))


def _asked_of(row: Row, answers: tuple[str, list[Any]] | None) -> bool:
    """Return whether a row says what is asked, beside the answers or as their beginning."""
    asked = _asks(row) or has_talk(row, *TALKS) or bool(row.get("history"))
    return asked or (answers is not None and all(is_whole(answer_in(answer)) for answer in answers[1]))


def _has_speakers(row: Row) -> bool:
    turns: list[Any] = next(
        (row[name] for name in ("conversations", "messages") if isinstance(row.get(name), list)), []
    )
    who = {speaker(turn)[:6] for turn in turns}
    return {"chosen", "reject"} <= who or within(turns[-1:]) is not None


def _implicit(row: Row) -> bool:
    if not are_texts(row) or any(
        isinstance(value, str) and " " in value.strip() for name, value in row.items() if name not in SIDES
    ):
        return False
    shared = row["chosen"][: common_prefix(row["chosen"], row["rejected"])]
    return bool(shared.strip()) and any(space in shared.lstrip() for space in " \n")


@dataclass(frozen=True, eq=False)
class Shape:
    """One way to write pairs: `what` names it for a reader.

    A row is of this shape where `test` is true; `read` reads it. A check looks at `native` rows unchanged: their sides
    are lists of messages. `many`: a row may hold several pairs. `names` are the columns of the set that is read, set
    when it is recognised, and so is what `read` needs of the set.
    """

    name: str
    what: str
    test: Callable[[Row], bool]
    read: Read = two_sides
    native: bool = False
    many: bool = False
    templated: bool = False
    names: Names = field(default_factory=Names)

    @property
    def known(self) -> bool:
        """Return whether this is a shape of pairs, not `UNKNOWN`."""
        return self.name != UNKNOWN.name

    def of(self, rows: Sequence[Row], names: Names) -> Shape:
        """Return the shape as it is in a set that begins with these rows."""
        read, native = self.read, self.native and not (names.parts or names.lifted)
        if self.name == "verdict":
            found = verdict_of(rows) or next(filter(None, (verdict_of([row]) for row in rows)))
            read = partial(two_and_verdict, verdict=found[0], spent=found[1])
        return replace(self, read=read, names=names, native=native)

    def pairs(self, row: Any, lost: set[str], pick: Pick = "all-pairs") -> list[dict[str, Any]]:
        """Return the pairs in a row, with whole conversations as `chosen` and `rejected`; none where all is a tie.

        What such a pair can't hold is added to `lost`. Raises MisfitError, which says why, for a row that can't be
        read.
        """
        if not isinstance(row, Mapping):
            raise MisfitError(f"the row is {kind_of(row)}, not an object", "row")
        if not self.known:
            raise MisfitError(self.what, "row")
        cells = Cells(self.names.view(row), self.names, lost)
        if self.name == trees.NAME:
            return trees.pairs(cells, pick)
        try:
            made = self.read(cells)
            if not isinstance(made, Candidates):
                return [_with_scores(cells) | {"chosen": made[0], "rejected": made[1]}]
            return _of_candidates(cells, made, pick)
        except RecursionError as error:
            raise MisfitError("nested too deeply", "row") from error


_TURNS = ("messages", "system", "role", "content")
"""What an object as a side holds of the conversation itself."""


def _with_scores(cells: Cells) -> dict[str, Any]:
    """Return the other columns, with the scores that objects as sides bring, and a count of what else they bring."""
    cells.lost.update(cells.names.name(name) for name in SIDES if name in cells.row and name not in cells.spent)
    cells.spent.update(SIDES)
    rest = cells.rest()
    for name in SIDES:
        value = cells.row.get(name)
        if type(value) is not str and isinstance(value, Mapping) and role_of(value) is None and name in cells.spent:
            for key, held in value.items():
                if key in ("score", "rating") and isinstance(held, (int, float)) and f"{name}_{key}" not in rest:
                    rest[f"{name}_{key}"] = held
                elif held and held != text_in(value) and not (key in _TURNS and is_talk(value)):
                    cells.lost.add(f"{cells.names.name(name)}.{key}")
    return rest


def _of_candidates(cells: Cells, found: Candidates, pick: Pick) -> list[dict[str, Any]]:
    context = [] if all(is_whole(answer) for answer in found.answers) else context_of(cells)
    templated = templated_prompt(cells.row)
    sides = [side(cells, answer, "an answer", context, templated) for answer in found.answers]
    rest = {name: value for name, value in cells.rest().items() if name not in SIDES}
    made = []
    for one, other in picked(found.scores, pick):
        if sides[one] != sides[other]:
            shown = {
                f"{name}_{key}": values[at]
                for key, values in found.shown.items()
                for name, at in zip(SIDES, (one, other), strict=True)
                if values[at] is not None
            }
            made.append(rest | shown | {"chosen": sides[one], "rejected": sides[other]})
    return made


SHAPES = (
    Shape(
        "chosen_messages",
        "message lists named chosen_messages and rejected_messages",
        lambda row: has_talk(row, "chosen_messages") and has_talk(row, "rejected_messages"),
        partial(two_sides, chosen="chosen_messages", rejected="rejected_messages"),
    ),
    Shape(
        "ms-swift",
        "messages and rejected_messages (ms-swift)",
        lambda row: has_talk(row, "messages") and has_talk(row, "rejected_messages"),
        partial(two_sides, chosen="messages", rejected="rejected_messages"),
    ),
    Shape(
        "ms-swift-response",
        "messages and rejected_response (ms-swift)",
        lambda row: has_talk(row, "messages", "conversations")
        and answers_in(row.get("rejected_response")) is not None
        and "response" not in row,
        last_of_messages,
    ),
    Shape(
        "query-response",
        "query, response and rejected_response (ms-swift)",
        lambda row: _has(row, response=str, rejected_response=str) and (_asks(row) or has_talk(row, *TALKS)),
        partial(two_sides, chosen="response", rejected="rejected_response"),
    ),
    Shape(
        "lists",
        "lists of answers as chosen or rejected",
        lambda row: lists_on_a_side(row) and (_asks(row) or has_talk(row, *TALKS)),
        of_two_lists,
        many=True,
    ),
    Shape(
        "openai",
        "input.messages, with a preferred and a non-preferred output (OpenAI)",
        lambda row: _has(row, input=Mapping) and is_talk(row["input"].get("messages")) and _are_answers(row),
    ),
    Shape(
        "speakers",
        "conversations that hold both answers as turns, or in the last turn",
        _has_speakers,
        speakers,
    ),
    Shape(
        "sharegpt",
        "ShareGPT conversations with chosen and rejected answers (LLaMA-Factory)",
        lambda row: has_talk(row, "conversations") and not is_talk(row.get("prompt")) and _are_answers(row),
    ),
    Shape(
        "trl-explicit",
        "a prompt list, and what follows it as chosen and rejected (TRL, explicit prompt)",
        lambda row: _has(row, prompt=list) and _native(row) and _are_turns(dict.fromkeys(SIDES, row["prompt"])),
        native=True,
    ),
    Shape(
        "axolotl",
        "messages with chosen and rejected answers (axolotl)",
        lambda row: has_talk(row, "messages") and not is_talk(row.get("prompt")) and _are_answers(row),
    ),
    Shape(
        "trl-text-prompt",
        "a prompt text beside lists of messages",
        lambda row: _has(row, prompt=str) and not is_talk(row["prompt"]) and _native(row),
        native=True,
    ),
    Shape(
        "trl",
        "whole conversations as chosen and rejected (TRL)",
        lambda row: _native(row, plain=True) and not isinstance(row.get("prompt"), (list, Mapping))
        and (_both(row, is_whole) or not (_asks(row) or has_talk(row, *TALKS, "history"))),
        native=True,
    ),
    Shape(
        "prompt-list",
        "a prompt list, and answers of another form than message lists as chosen and rejected",
        lambda row: has_talk(row, "prompt", "context", "input", "question", "history") and _both(row, _readable),
    ),
    Shape(
        "sharegpt-lists",
        "whole ShareGPT conversations (from, value) as chosen and rejected",
        lambda row: _both(row, lambda side: _has({"side": side}, side=list) and is_whole(side) and "value" in side[0]),
    ),
    Shape(
        "typed",
        "whole conversations with typed content, other roles, or as JSON texts",
        lambda row: _both(row, lambda side: is_whole(side) and is_talk(side)) or (_are_turns(row) and not _asks(row)),
    ),
    Shape(
        "hh",
        "transcripts (Human: ... Assistant: ...)",
        lambda row: are_texts(row) and _both(row, lambda text: bool(form_of(text)) and not is_templated(text)),
    ),
    Shape(
        "templated",
        "whole conversations written out in a chat template",
        lambda row: are_texts(row) and _both(row, is_whole),
        templated=True,
    ),
    Shape(
        "templated-prompt",
        "a prompt written out in a chat template, with chosen and rejected texts",
        lambda row: are_texts(row) and templated_prompt(row),
        templated=True,
    ),
    Shape(
        "alpaca",
        "alpaca (instruction, input, chosen, rejected)",
        lambda row: _has(row, instruction=str) and are_texts(row),
    ),
    Shape(
        "texts",
        "texts (prompt or question, chosen, rejected)",
        lambda row: are_texts(row) and _asks(row),
    ),
    Shape(
        "answers",
        "a question, with messages or objects that hold a text as chosen and rejected",
        lambda row: _both(row, _readable) and _asks(row),
    ),
    Shape(
        "alpaca-outputs",
        "alpaca with several outputs, the best first (instruction, input, output)",
        lambda row: _has(row, instruction=str, output=list)
        and len(row["output"]) > 1
        and all(isinstance(text, str) for text in row["output"])
        and not ranked(row),
        of_list,
        many=True,
    ),
    Shape(
        "ranked",
        "several answers with scores or ranks",
        lambda row: "rejected" not in row and ranked(row) and _asked_of(row, list_of_answers(row)),
        of_list,
        many=True,
    ),
    Shape(
        "verdict",
        "two answers, and which of them is better",
        lambda row: "rejected" not in row
        and (pair := two_answers(row)) is not None
        and verdict_of([row]) is not None
        and _asked_of(row, (pair[0], [row[pair[0]]])),
        many=True,
    ),
    Shape(trees.NAME, "trees of messages with ranked replies (Open Assistant)", trees.fits, many=True),
    Shape(
        "implicit-texts",
        "texts that begin alike as chosen and rejected (TRL, implicit prompt)",
        _implicit,
        begun_alike,
    ),
    Shape(kto.NAME, "answers with labels (prompt, completion, label: KTO)", kto.fits),
)  # fmt: skip
"""Every shape: its name, what it is, how it is recognised, how it is read. The first that fits a row is its shape."""
UNKNOWN = Shape("unknown", "no shape of pairs that is known", lambda row: False)
