"""How a row of each shape is read: to both conversations, or to answers of which some are better than others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..chat_text import form_of
from ..text import common_prefix, json_value
from ..types import SIDES, Message, Row
from .candidates import Candidates, answers_in
from .columns import QUESTIONS, SYSTEMS
from .context import (
    BESIDE,
    TALKS,
    Cells,
    MisfitError,
    context_of,
    decoded,
    in_turn,
    is_talk,
    is_whole,
    of_text,
    side,
    turns_in,
    under_system,
)  # fmt: skip
from .verdicts import VerdictReader, two_answers

TwoSides: TypeAlias = "tuple[list[Message], list[Message]]"
Read: TypeAlias = Callable[[Cells], "TwoSides | Candidates"]


def two_sides(cells: Cells, chosen: str = "chosen", rejected: str = "rejected") -> TwoSides:
    """Read two sides: whole conversations, or answers behind the context that other columns hold."""
    if quick := _one_question(cells, chosen, rejected):
        return quick
    values = [cells.take(name) for name in (chosen, rejected)]
    if all(map(is_whole, values)) and not is_talk(cells.row.get("prompt")):
        made = [side(cells, value, name, []) for name, value in zip((chosen, rejected), values, strict=True)]
        _set_apart(cells, made[0])
        return under_system(cells, made[0]), under_system(cells, made[1])
    context = context_of(cells)
    context = _before_the_answer(cells, context, values[0])
    templated = templated_prompt(cells.row)
    return tuple(side(cells, v, n, context, templated) for n, v in zip((chosen, rejected), values, strict=True))  # type: ignore[return-value]


_CONTEXT = frozenset((*TALKS, *BESIDE, *SYSTEMS, "history"))
"""The columns of which any may hold a part of what is asked."""


def _one_question(cells: Cells, chosen: str, rejected: str) -> TwoSides | None:
    """Read two texts beside one question, and perhaps a system message: nearly all rows of texts, ten times as fast.

    None for all others.
    """
    row, turns, asked = cells.row, list[Message](), ""
    texts = row.get(chosen), row.get(rejected)
    for text in texts:
        if type(text) is not str or text[:1] in _MAY_BE_JSON:
            return None
    names = row.keys() & _CONTEXT
    for name in names:
        value = row[name]
        if value is None or value == "":
            continue
        if type(value) is not str:
            return None
        if name in SYSTEMS and not turns:
            turns.append(Message(role="system", content=value))
        elif name in QUESTIONS and not asked and value[:1] not in _MAY_BE_JSON and form_of(value) is None:
            asked = value
        else:
            return None
    if not asked.strip():
        return None
    cells.spent.update(names, (chosen, rejected))
    turns.append(Message(role="user", content=asked))
    good, bad = (Message(role="assistant", content=str(text)) for text in texts)
    return [*turns, good], [*turns, bad]


_MAY_BE_JSON = frozenset("[{ \n\t\r")


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


def last_of_messages(cells: Cells) -> TwoSides | Candidates:
    """Read `messages`, whose last turn is the chosen answer, beside a rejected one."""
    name = next((name for name in ("messages", "conversations") if cells.row.get(name) is not None), "messages")
    turns = turns_in(cells.take(name), cells, cells.called(name))
    if len(turns) < 2 or turns[-1]["role"] != "assistant":
        raise MisfitError(f"{cells.called(name)} does not end with an answer", "side", name)
    turns = under_system(cells, turns)
    if isinstance(cells.row.get("rejected_response"), list) and (bad := answers_in(cells.row["rejected_response"])):
        cells.spent.add("rejected_response")
        if len(bad) > 1 or isinstance(bad[0], str):
            sides = [side(cells, answer, "rejected_response", turns[:-1]) for answer in bad]
            return Candidates([turns, *sides], [1.0] + [0.0] * len(sides))
    return turns, side(cells, cells.take("rejected_response"), "rejected_response", turns[:-1])


def speakers(cells: Cells) -> TwoSides:
    """Read conversations in which speakers of the names `chosen...` and `rejected...` give the two answers."""
    name = next((name for name in ("conversations", "messages") if isinstance(cells.row.get(name), list)), "")
    turns, sides = list[Any](), dict[str, Any]()
    said = cells.take(name) or ()
    if both := within(said[-1:]):
        said = said[:-1]
        good, bad = ({"role": "assistant", "content": text} for text in both)
        sides = {"chosen": good, "reject": bad}
    for turn in said:
        who = speaker(turn)
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


def within(last: Sequence[Any]) -> tuple[Any, Any] | None:
    """Return the better and the worse answer that the last turn holds: `chosen` and `rejected`, or rated candidates."""
    turn = last[0] if last and isinstance(last[0], Mapping) else {}
    if "chosen" in turn and "rejected" in turn:
        return turn["chosen"], turn["rejected"]
    listed = turn.get("candidates")  # of Amazon Nova
    rated = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    held = {str(one.get("preferenceLabel")): one.get("content") for one in rated}
    return (held["preferred"], held["non-preferred"]) if {"preferred", "non-preferred"} <= held.keys() else None


def speaker(turn: Any) -> str:
    return str((isinstance(turn, Mapping) and (turn.get("from") or turn.get("role"))) or "").lower()


def two_and_verdict(cells: Cells, verdict: VerdictReader, spent: Sequence[str]) -> Candidates:
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
    asked, *said_by = (_text_list(value) for value in (cells.row.get("prompt"), *answers))
    if asked and all(said_by):  # one text a turn, as JSON
        cells.spent.add("prompt")
        answers = [
            in_turn(text for turn in zip(asked, texts or (), strict=False) for text in turn) for texts in said_by
        ]
    return Candidates(answers, [float(said > 0), float(said < 0)])


def _text_list(value: Any) -> list[str] | None:
    """Return the list of texts that a text holds as JSON; None for anything else."""
    found = json_value(value) if isinstance(value, str) and value.startswith("[") else None
    return found if isinstance(found, list) and found and all(isinstance(text, str) for text in found) else None


def begun_alike(cells: Cells) -> TwoSides:
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


def is_templated(value: Any) -> bool:
    form = form_of(value) if isinstance(value, str) else None
    return form is not None and (form.tokens or form.name.startswith("### Instr"))


def templated_prompt(row: Row) -> bool:
    return any(is_templated(row.get(name)) for name in QUESTIONS)
