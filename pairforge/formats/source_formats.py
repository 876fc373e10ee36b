"""The shapes in: how pairs are written elsewhere, recognised from many rows, and each row as pairs.

`SHAPES` is the table: the name of each shape, how it is recognised, and how a row of it is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from typing import Any, TypeAlias

from ..chat_text import form_of
from ..conversation import MESSAGE_ROLES, role_of
from ..errors import InputError
from ..text import common_prefix, one_line
from ..types import Message, Skip
from . import columns, kto, trees
from .candidates import (
    Candidates,
    Verdict,
    lists_on_both_sides,
    of_list,
    of_two_lists,
    picked,
    ranked,
    two_answers,
    verdict_of,
)  # fmt: skip
from .columns import QUESTIONS, SIDES, SYSTEMS, Names, Row
from .context import (
    TALKS,
    Cells,
    MisfitError,
    context_of,
    decoded,
    is_talk,
    is_whole,
    of_text,
    side,
    text_in,
    turns_in,
    under_system,
)  # fmt: skip

LOOKED_AT = 100
"""How many rows decide on the shape of a set."""
_CALLS = ("tool_calls", "function_call")

# How a row is read: to the context of its answers and to them, or to both conversations ----------------------------

Pair: TypeAlias = "tuple[list[Message], list[Message]]"
Read: TypeAlias = Callable[[Cells], "Pair | Candidates"]


def _sides(cells: Cells, chosen: str = "chosen", rejected: str = "rejected") -> Pair:
    """Read two sides: whole conversations, or answers behind the context that other columns hold."""
    values = [cells.take(name) for name in (chosen, rejected)]
    if all(map(is_whole, values)) and not is_talk(cells.row.get("prompt")):
        made = [side(cells, value, name, []) for name, value in zip((chosen, rejected), values, strict=True)]
        _set_apart(cells, made[0])
        return under_system(cells, made[0]), under_system(cells, made[1])
    context = context_of(cells)
    context = _before_the_answer(cells, context, values[0])
    templated = _templated_prompt(cells.row)
    return tuple(side(cells, v, n, context, templated) for n, v in zip((chosen, rejected), values, strict=True))  # type: ignore[return-value]


def _before_the_answer(cells: Cells, context: list[Message], chosen: Any) -> list[Message]:
    """Return the context without the chosen answer, where it ends with that."""
    if len(context) > 1 and context[-1]["role"] == "assistant":
        turns = side(Cells(cells.row, cells.names), chosen, "chosen", [])
        if turns == context[-1:] or (
            isinstance(chosen, str) and chosen.strip() == str(context[-1].get("content")).strip()
        ):
            return context[:-1]
    return context


def _set_apart(cells: Cells, turns: Sequence[Mapping[str, Any]]) -> None:
    """Drop a `prompt` text beside whole conversations, which repeat or contradict it."""
    prompt = cells.row.get("prompt")
    if not isinstance(prompt, str):
        return
    cells.spent.add("prompt")
    asked = [turn.get("content") for turn in turns if turn["role"] != "assistant"]
    said = [one.strip() for one in asked if isinstance(one, str)]
    parts = of_text(prompt) if form_of(prompt) else [Message(role="user", content=prompt)]
    whole = cells.row.get("chosen")
    begins = isinstance(whole, str) and whole.strip().startswith(prompt.strip())
    if not begins and any(part["content"].strip() not in ("", *said) for part in parts if part["role"] == "user"):
        cells.lost.add(cells.names.name("prompt"))


def _beside_lists(cells: Cells) -> Pair:
    """Read lists beside a prompt text: it stands before lists that hold only the answers."""
    if is_whole(cells.row.get("chosen")) or is_whole(cells.row.get("rejected")):
        sides = [side(cells, cells.take(name), name, []) for name in SIDES]
        _set_apart(cells, sides[0])
        return sides[0], sides[1]
    return _sides(cells)


def _last_of_messages(cells: Cells) -> Pair:
    """Read `messages`, whose last turn is the chosen answer, beside a rejected one."""
    name = next(name for name in ("messages", "conversations") if cells.row.get(name) is not None)
    turns = turns_in(cells.take(name), cells, cells.called(name))
    if len(turns) < 2 or turns[-1]["role"] != "assistant":
        raise MisfitError(f"{cells.called(name)} does not end with an answer", "side", name)
    turns = under_system(cells, turns)
    return turns, side(cells, cells.take("rejected_response"), "rejected_response", turns[:-1])


def _speakers(cells: Cells) -> Pair:
    """Read conversations in which speakers of the names `chosen...` and `rejected...` give the two answers."""
    name = next(name for name in ("conversations", "messages", "conversation") if isinstance(cells.row.get(name), list))
    turns, sides = [], dict[str, Any]()
    for turn in cells.take(name):
        who = _speaker(turn)
        if who.startswith(("chosen", "rejected")):
            held = {
                key: value for key, value in turn.items() if value != turn.get("role") and value != turn.get("from")
            }
            sides[who[:6]] = {"role": "assistant", **held}
        else:
            turns.append(turn)
    before = turns_in(turns, cells, cells.called(name)) if turns else []
    context = under_system(cells, before)
    made = [side(cells, sides.get(key), key, context) for key in ("chosen", "reject")]
    return made[0], made[1]


def _speaker(turn: Any) -> str:
    return str((isinstance(turn, Mapping) and (turn.get("from") or turn.get("role"))) or "").lower()


def _candidates(cells: Cells, read: Callable[[Cells], Candidates]) -> Candidates:
    return read(cells)


def _two_and_verdict(cells: Cells, verdict: Verdict, spent: Sequence[str]) -> Candidates:
    pair = two_answers(cells.row)
    if pair is None:
        raise MisfitError("one of the two answers is missing")
    said = verdict(cells.row)
    if said is None:
        names = " and ".join(cells.called(name) for name in spent if cells.row.get(name) is None) or cells.called(
            spent[0]
        )
        raise MisfitError(f"{names} does not say which answer is better")
    cells.spent.update(spent)
    answers = [decoded(cells.take(name)) for name in pair]
    return Candidates(answers, [float(said > 0), float(said < 0)])


def _begun_alike(cells: Cells) -> Pair:
    """Read texts that begin alike: what they share, up to a space, is the prompt (as TRL does)."""
    texts = [cells.take(name) for name in SIDES]
    for name, text in zip(SIDES, texts, strict=True):
        if not isinstance(text, str):
            side(cells, text, name, [])
            raise MisfitError(f"{cells.called(name)} is not a text", "side", name)
    shared = texts[0][: common_prefix(*texts)]
    start = shared[: max(shared.rfind(space) for space in " \n") + 1]
    if not start.strip():
        raise MisfitError(
            "the texts have no beginning in common, and there is no prompt: name its column with --columns"
        )
    prompt = [Message(role="user", content=start.strip())]
    made = [[*prompt, Message(role="assistant", content=text[len(start) :])] for text in texts]
    return under_system(cells, made[0]), under_system(cells, made[1])


# How rows are recognised ------------------------------------------------------------------------------------------


def _has(row: Row, **kinds: Any) -> bool:
    return all(isinstance(row.get(name), kind) for name, kind in kinds.items())


def _are_turns(row: Row, plain: bool = False) -> bool:
    """Return whether both sides are lists of messages of known roles as trainers take them; plain: of texts."""
    for name in SIDES:
        turns = row.get(name)
        if not isinstance(turns, list) or not turns:
            return False
        for turn in turns:
            if not isinstance(turn, Mapping) or turn.get("role") not in _NATIVE_ROLES:
                return False
            content = turn.get("content")
            if not isinstance(content, str) and not any(turn.get(key) for key in _CALLS):
                if plain or not isinstance(content, list) or not all(isinstance(part, Mapping) for part in content):
                    return False
    return True


_NATIVE_ROLES = MESSAGE_ROLES | {"developer"}


def _no_system(row: Row) -> bool:
    return not any(row.get(name) for name in SYSTEMS)


def _native(row: Row, plain: bool = False) -> bool:
    return _are_turns(row, plain) and _no_system(row)


def _readable(value: Any) -> bool:
    return isinstance(value, str) or bool(is_talk(value)) or role_of(value) is not None or _object(value)


def _object(value: Any) -> bool:
    return isinstance(value, Mapping) and text_in(value) is not None


def _both(row: Row, test: Callable[[Any], bool]) -> bool:
    return all(test(row.get(name)) for name in SIDES)


def _are_answers(row: Row) -> bool:
    """Return whether both sides are answers (a text, a message, a list that begins with one), not conversations."""
    return _both(row, lambda value: _readable(value) and not is_whole(value))


def _talk_in(row: Row, *names: str) -> bool:
    return any(isinstance(row.get(name), (list, str, Mapping)) and is_talk(row[name]) for name in names)


def _texts(row: Row) -> bool:
    return _both(row, lambda value: isinstance(value, str))


def _asks(row: Row) -> bool:
    return any(isinstance(row.get(name), str) or _object(row.get(name)) for name in (*QUESTIONS, "input", "context"))


def _templated(value: Any) -> bool:
    form = form_of(value) if isinstance(value, str) else None
    return form is not None and (form.tokens or form.name.startswith("### Instr"))


def _templated_prompt(row: Row) -> bool:
    return any(_templated(row.get(name)) for name in QUESTIONS)


def _openai(row: Row) -> bool:
    held = row.get("input")
    return isinstance(held, Mapping) and is_talk(held.get("messages")) and _are_answers(row)


def _has_speakers(row: Row) -> bool:
    turns = next((row[name] for name in ("conversations", "messages") if isinstance(row.get(name), list)), [])
    who = {_speaker(turn)[:6] for turn in turns}
    return {"chosen", "reject"} <= who


def _implicit(row: Row) -> bool:
    if not _texts(row) or any(
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
    read: Read = _sides
    native: bool = False
    many: bool = False
    templated: bool = False
    names: Names = Names()

    def fits(self, row: Row) -> bool:
        """Return whether a row is of this shape."""
        return self.test(row)

    def of(self, rows: Sequence[Row], names: Names) -> Shape:
        """Return the shape as it is in a set that begins with these rows."""
        read, native = self.read, self.native and not (names.parts or names.lifted)
        if self.name == "verdict" and (found := verdict_of(rows)):
            read = partial(_two_and_verdict, verdict=found[0], spent=found[1])
        return replace(self, read=read, names=names, native=native)

    def pairs(self, row: Any, lost: set[str], pick: str = "all-pairs") -> list[dict[str, Any]]:
        """Return the pairs in a row, with whole conversations as `chosen` and `rejected`; none where all is a tie.

        What such a pair can't hold is added to `lost`. Raises MisfitError, which says why, for a row that can't be read.
        """
        if not isinstance(row, Mapping):
            raise MisfitError(f"the row is {_kind(row)}, not an object", "row")
        if self.name == UNKNOWN.name:
            raise MisfitError(self.what, "row")
        cells = Cells(self.names.view(row), self.names, lost)
        if self.name == trees.NAME:
            return trees.pairs(cells, pick)
        try:
            made = self.read(cells)
            if not isinstance(made, Candidates):
                return [_with_scores(cells) | {"chosen": made[0], "rejected": made[1]}]
            return _of_candidates(cells, made, pick)
        except (RecursionError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise MisfitError(f"can't be read: {one_line(error, 80)}", "row") from error

    def pair(self, row: Any, lost: set[str]) -> dict[str, Any] | None:
        """Return the first pair in a row, the best against the worst; None where the row is not of this shape."""
        try:
            return next(iter(self.pairs(row, lost, "best-worst")), None)
        except MisfitError:
            return None


def _with_scores(cells: Cells) -> dict[str, Any]:
    """Return the other columns, with the scores that objects as sides bring, and a count of what else they bring."""
    rest = {name: value for name, value in cells.rest().items() if name not in SIDES}
    cells.lost.update(cells.names.name(name) for name in SIDES if name in cells.row and name not in cells.spent)
    for name in SIDES:
        value = cells.row.get(name)
        if isinstance(value, Mapping) and role_of(value) is None and name in cells.spent:
            for key, held in value.items():
                if key == "score" and isinstance(held, (int, float)) and f"{name}_score" not in rest:
                    rest[f"{name}_score"] = held
                elif held != text_in(value) and held is not None:
                    cells.lost.add(f"{cells.names.name(name)}.{key}")
    return rest


def _of_candidates(cells: Cells, found: Candidates, pick: str) -> list[dict[str, Any]]:
    context = [] if all(is_whole(answer) for answer in found.answers) else context_of(cells)
    templated = _templated_prompt(cells.row)
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


def _kind(value: Any) -> str:
    kinds = {
        list: "a list",
        str: "a text",
        bool: "true or false",
        type(None): "null",
        int: "a number",
        float: "a number",
    }
    return kinds.get(type(value), type(value).__name__)


SHAPES = (
    Shape(
        "chosen_messages",
        "message lists named chosen_messages and rejected_messages",
        lambda row: _talk_in(row, "chosen_messages") and _talk_in(row, "rejected_messages"),
        partial(_sides, chosen="chosen_messages", rejected="rejected_messages"),
    ),
    Shape(
        "ms-swift",
        "messages and rejected_messages (ms-swift)",
        lambda row: _talk_in(row, "messages") and _talk_in(row, "rejected_messages"),
        partial(_sides, chosen="messages", rejected="rejected_messages"),
    ),
    Shape(
        "ms-swift-response",
        "messages and rejected_response (ms-swift)",
        lambda row: _talk_in(row, "messages", "conversations") and _readable(row.get("rejected_response")) and "response" not in row,
        _last_of_messages,
    ),
    Shape(
        "query-response",
        "query, response and rejected_response (ms-swift)",
        lambda row: _has(row, response=str, rejected_response=str) and (_asks(row) or _talk_in(row, *TALKS)),
        partial(_sides, chosen="response", rejected="rejected_response"),
    ),
    Shape(
        "lists",
        "lists of good and of bad answers as chosen and rejected",
        lambda row: lists_on_both_sides(row) and (_asks(row) or _talk_in(row, *TALKS)),
        of_two_lists,
        many=True,
    ),
    Shape(
        "openai",
        "input.messages, with a preferred and a non-preferred output (OpenAI)",
        _openai,
    ),
    Shape(
        "speakers",
        "conversations in which chosen_gpt and rejected_gpt speak",
        _has_speakers,
        _speakers,
    ),
    Shape(
        "sharegpt",
        "ShareGPT conversations with chosen and rejected answers (LLaMA-Factory)",
        lambda row: _talk_in(row, "conversations") and not is_talk(row.get("prompt")) and _are_answers(row),
    ),
    Shape(
        "trl-explicit",
        "a prompt list, and what follows it as chosen and rejected (TRL, explicit prompt)",
        lambda row: _has(row, prompt=list) and _native(row) and _are_turns({"chosen": row["prompt"], "rejected": row["prompt"]}),
        native=True,
    ),
    Shape(
        "axolotl",
        "messages with chosen and rejected answers (axolotl)",
        lambda row: _talk_in(row, "messages") and not is_talk(row.get("prompt")) and _are_answers(row),
    ),
    Shape(
        "trl-text-prompt",
        "a prompt text beside lists of messages",
        lambda row: _has(row, prompt=str) and not is_talk(row["prompt"]) and _native(row),
        _beside_lists,
        native=True,
    ),
    Shape(
        "trl",
        "whole conversations as chosen and rejected (TRL)",
        lambda row: _native(row, plain=True) and not is_talk(row.get("prompt")),
        native=True,
    ),
    Shape(
        "prompt-list",
        "a prompt list, and answers of another form than message lists as chosen and rejected",
        lambda row: _talk_in(row, "prompt", "context", "input", "question", "history") and _both(row, _readable),
    ),
    Shape(
        "sharegpt-lists",
        "whole ShareGPT conversations (from, value) as chosen and rejected",
        lambda row: _both(row, lambda side: is_whole(side) and isinstance(side, list) and all("value" in turn for turn in side)),
    ),
    Shape(
        "typed",
        "whole conversations with typed content, other roles, or as JSON texts",
        lambda row: _both(row, lambda side: is_whole(side) and is_talk(side)) or (_are_turns(row) and not _asks(row)),
    ),
    Shape(
        "hh",
        "transcripts (Human: ... Assistant: ...)",
        lambda row: _texts(row) and _both(row, lambda text: bool(form_of(text)) and not _templated(text)),
    ),
    Shape(
        "templated",
        "whole conversations written out in a chat template",
        lambda row: _texts(row) and _both(row, lambda text: is_whole(text)),
        templated=True,
    ),
    Shape(
        "templated-prompt",
        "a prompt written out in a chat template, with chosen and rejected texts",
        lambda row: _texts(row) and _templated_prompt(row),
        templated=True,
    ),
    Shape(
        "alpaca",
        "alpaca (instruction, input, chosen, rejected)",
        lambda row: _has(row, instruction=str) and _texts(row),
    ),
    Shape(
        "texts",
        "texts (prompt or question, chosen, rejected)",
        lambda row: _texts(row) and _asks(row),
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
        lambda row: "rejected" not in row and ranked(row),
        of_list,
        many=True,
    ),
    Shape(
        "verdict",
        "two answers, and which of them is better",
        lambda row: "rejected" not in row and two_answers(row) is not None and verdict_of([row]) is not None,
        many=True,
    ),
    Shape(trees.NAME, "trees of messages with ranked replies (Open Assistant)", trees.fits, many=True),
    Shape(
        "implicit-texts",
        "texts that begin alike as chosen and rejected (TRL, implicit prompt)",
        _implicit,
        _begun_alike,
    ),
    Shape(kto.NAME, "answers with labels (prompt, completion, label: KTO)", kto.fits),
)  # fmt: skip
"""Every shape: its name, what it is, how it is recognised, how it is read. The first that fits a row is its shape."""
UNKNOWN = Shape("unknown", "no shape of pairs that is known", lambda row: False)


def _what_else(rows: Sequence[Row]) -> tuple[str, bool]:
    """Return what rows hold that are not pairs of a known shape, and whether naming the columns may help."""
    row = rows[0]
    named = ", ".join(repr(str(name)[:30]) for name in list(row)[:8]) or "none"
    if "instruction" in row and isinstance(row.get("output"), str):
        return "answers without a counterpart (instruction, output)", False
    if isinstance(row.get("prompt"), Mapping) and "replies" in row["prompt"]:
        return "message trees without ranked replies", False
    if not {*SIDES} & row.keys() and (_talk_in(row, "conversations", "messages")) and len(columns.guessed(rows)) < 3:
        return "conversations without a rejected answer", False
    if _texts(row) and not any(isinstance(value, str) for name, value in row.items() if name not in SIDES):
        return "chosen and rejected texts without a prompt", True
    return f"the columns {named}", True


def shape_of(rows: Iterable[Any], by_hand: Names | None = None) -> Shape:
    """Return the shape of most of the first rows; `UNKNOWN`, with what was found as `what`, where none has any.

    `by_hand` are the columns that the user named. Raises InputError for one that is not there.
    """
    seen = [row for row in islice(rows, LOOKED_AT) if isinstance(row, Mapping)]
    if not seen:
        return replace(UNKNOWN, what="no rows")
    if by_hand and by_hand.parts:
        _check(seen, by_hand)
        seen = [by_hand.view(row) for row in seen]
    tried = [Names()]
    if (known := columns.known_names(seen)).parts:
        tried.insert(0, known)
    if lifted := columns.nested(seen):
        inner = Names(lifted=lifted)
        tried += [Names(columns.known_names([inner.view(row) for row in seen]).parts, lifted)]
    for names in tried:
        views = [names.view(row) for row in seen]
        found = (next((shape for shape in SHAPES if _fits(shape, row)), None) for row in views)
        if counted := Counter(shape for shape in found if shape):
            shape = max(counted, key=lambda shape: (counted[shape], shape.native))
            return shape.of(views, _together(by_hand, names))
    return replace(UNKNOWN, what=_what_else(seen)[0])


def _fits(shape: Shape, row: Row) -> bool:
    try:
        return bool(shape.test(row))
    except (RecursionError, AttributeError, KeyError, TypeError, ValueError, MisfitError):
        return False
    except Exception as error:
        from ..conversation import ConversationError

        if isinstance(error, ConversationError):
            return False
        raise


def _together(by_hand: Names | None, names: Names) -> Names:
    return names if not by_hand else Names({**names.parts, **by_hand.parts}, names.lifted)


def _check(rows: Sequence[Row], names: Names) -> None:
    """Raise InputError for a column that none of the rows has."""
    for part, path in names.parts.items():
        if all(columns.at(row, path) is None for row in rows):
            found = ", ".join(dict.fromkeys(str(key) for row in rows for key in row))
            what = f"--columns {part}={path}: no such column, found {one_line(found, 200)}"
            raise InputError(what, fix=columns.advice(rows))


def refusal(shape: Shape, rows: Iterable[Any] = ()) -> InputError:
    """Return the error for rows of `UNKNOWN` shape: what they hold, and how their columns can be named."""
    seen = [row for row in islice(rows, LOOKED_AT) if isinstance(row, Mapping)]
    if not seen or not _what_else(seen)[1]:
        return InputError(f"these are not pairs: {shape.what}", fix="the shapes that are read: docs/formats.md")
    what = shape.what if shape.what.startswith("chosen") else f"of {shape.what} it is not known which hold the pair"
    return InputError(what, fix=f"name them: {columns.advice(seen)}")


def recognise(rows: Iterable[Any], by_hand: Names | None = None) -> tuple[Shape, Iterator[Any]]:
    """Return the shape of the rows, and all of them."""
    stream = iter(rows)
    start = list(islice(stream, LOOKED_AT))
    return shape_of(start, by_hand), chain(start, stream)


def presented(rows: Iterable[Any], shape: Shape | None = None, by_hand: Names | None = None) -> Iterator[Any]:
    """Return the rows as a check is to see them, one for one.

    Those of a foreign shape come as pairs of whole conversations, of several answers the best against the worst; one
    that doesn't fit the shape of the set is a Skip that says why, with the reason `shape`, or `tie` where no answer is
    better. Rows of a native or unknown shape, and answers with labels, come as they are.
    """
    if shape is None:
        shape, rows = recognise(rows, by_hand)
    if shape.native or shape.name in (UNKNOWN.name, kto.NAME):
        return iter(rows)
    return (row if isinstance(row, Skip) else _presented(number, row, shape) for number, row in enumerate(rows))


def _presented(number: int, row: Any, shape: Shape) -> Any:
    try:
        made = shape.pairs(row, set(), "best-worst")
    except MisfitError as error:
        return row if error.part == "row" and not isinstance(row, Mapping) else Misfit.of(number, error)
    return made[0] if made else _tie(number)


def _tie(number: int) -> Skip:
    return Skip("tie", f"row {number}: no answer is better than another")


@dataclass(frozen=True)
class Misfit(Skip):
    """A row that does not fit the shape of its set: where in it, as `MisfitError` says."""

    part: str = "row"
    path: str = ""

    @classmethod
    def of(cls, number: int, error: MisfitError) -> Misfit:
        return cls("shape", f"row {number}: {error}", error.part, error.path)


def as_pairs(
    rows: Iterable[Any], shape: Shape, lost: Counter[str], pick: str = "all-pairs"
) -> Iterator[dict[str, Any] | Skip]:
    """Yield every row as pairs of whole conversations, or a Skip; `lost` counts, by name, what a pair can't hold.

    Of several answers those become pairs that `pick` says. Answers with labels are paired where a prompt has both
    labels. Raises InputError for `UNKNOWN`.
    """
    if shape.name == UNKNOWN.name:
        rows = iter(rows)
        raise refusal(shape, rows)
    if shape.name == kto.NAME:
        yield from kto.paired((shape.names.view(row) if isinstance(row, Mapping) else row for row in rows), lost)
        return
    for number, row in enumerate(rows):
        if isinstance(row, Skip):
            yield row
            continue
        gone = set[str]()
        try:
            made = shape.pairs(row, gone, pick)
        except MisfitError as error:
            yield Misfit.of(number, error)
            continue
        lost.update(gone)
        yield from made or [_tie(number)]
