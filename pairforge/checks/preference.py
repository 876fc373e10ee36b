"""PF1xx: is a well-shaped row a preference that a model can learn from? How its sides are built, what its answers are.

`unusual` is the fast path of these rules: a property test proves that they find nothing where it is False.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence

from ..refusals import refuses
from ..resources import compiled, patterns
from ..text import FILLERS, INVISIBLE, SPECIAL_TOKENS, common_prefix
from ..thoughts import split
from ..types import SIDES, Message
from .error_messages import is_error, is_surely_error
from .row import INSTRUCTS, Sides
from .rule import FIX, Seen, clip, rule

_AFTER = {
    "start": ("system", "developer", "user"),
    "system": ("developer", "user"),
    "developer": ("user",),
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("assistant", "tool"),
}
_TURNS = {role: f"{'an' if role == 'assistant' else 'a'} {role} turn" for role in _AFTER}
_ALIKE = 48
"""How many characters of both answers are compared first."""
_BLANK = re.compile(
    rf"""[\s\u2800{INVISIBLE}]+
    | &(?:nbsp|\#160|\#xa0|zwnj|zwj|\#8203);? | <br\s*/?> | <(p|div|span)>\s*</\1>
    | </s> | """
    + SPECIAL_TOKENS["<"],
    re.X | re.I,
)


_UNFINISHED, _NEVER_LAST = (
    frozenset(" ".join(patterns("cut_off")[section]).split()) for section in ("unfinished", "never_last")
)
_FINISH_COLUMNS: Mapping[str, tuple[str, ...]] = {
    side: tuple(f"{side}_{name}" for name in ("finish_reason", "finish", "stop_reason", "truncated")) for side in SIDES
}
_CUT = ("length", "max_tokens", "max_length", "token_limit", "MAX_TOKENS", True)
_ENDS = frozenset(".!?…\"'”’)]}>`*。！？」』”|:;~")
_FAREWELL = compiled("cut_off", "farewell")
"""The end of a letter to which somebody will add a name."""
_STOPS = frozenset(".!?。！？")
_SHORT, _LONG = 25, 120
"""Characters from which on an answer may be seen to be cut off: by a word with which none ends, by one that few do."""
_LEAST = 10
"""Bytes of a question with which no answer begins by chance."""
_COLUMNS = frozenset(("prompt", *sum(_FINISH_COLUMNS.values(), ())))
_VISIBLE = frozenset("\"'*#-([`“‘「『《（【|_$1234567890")


def unusual(sides: Sides) -> bool:
    """Return False only if no rule of this file finds anything: one context, two visible, whole, different answers."""
    chosen, rejected = sides.chosen, sides.rejected
    if not sides.regular or _out_of_order(chosen) or not _COLUMNS.isdisjoint(sides.row):
        return True
    for turn in chosen:
        if not turn["content"] or turn["content"].isspace():
            return True
    one, other = chosen[-1]["content"], rejected[-1]["content"]
    asked = chosen[-2]["content"].lstrip()[:_LEAST].lower() if len(chosen) > 1 else ""
    if asked and (asked in (one.lstrip()[: len(asked)].lower(), other.lstrip()[: len(asked)].lower())):
        return True
    return not (_whole(one) and _whole(other) and apart(one, other)) or is_error(one) or is_error(other) or refuses(one)


def _whole(text: str) -> bool:
    first = text.lstrip()[:1]
    return ((first.isalnum() and first not in FILLERS) or first in _VISIBLE) and not breaks_off(text)


@rule("PF101", prefilter=unusual)
def context_differs(sides: Sides) -> Iterator[Seen]:
    """The sides part before the assistant's answer, so they answer different questions.

    A trainer takes the common beginning as the prompt and trains on what follows: on the user's words too.
    """
    if sides.regular:
        return
    for name, turns in sides.both():
        for index in range(sides.shared, len(turns)):
            if (role := turns[index]["role"]) in ("user", *INSTRUCTS):
                yield f"the sides differ before this {role} turn, or in it", sides.pointer(name, index)
                return
    if sides.shared == min(len(sides.chosen), len(sides.rejected)) and len(sides.chosen) != len(sides.rejected):
        short, long = sorted(SIDES, key=lambda name: len(getattr(sides, name)))
        yield f"all of {short} is the beginning of {long}: nothing is left to compare", f"/{short}"


@rule("PF102", prefilter=unusual)
def not_answered(sides: Sides) -> Iterator[Seen]:
    """The last turn is not the assistant's: there is no answer to prefer or to avoid."""
    for name, turns in sides.both():
        if (role := turns[-1]["role"]) != "assistant":
            yield f"{name} ends with a {role} turn", sides.pointer(name, len(turns) - 1)


@rule("PF103", prefilter=unusual)
def roles_out_of_order(sides: Sides) -> Iterator[Seen]:
    """Turns are in an order that no chat has: many templates raise an error there, others print it as it is.

    A system message comes first; then user and assistant take turns, the user first; tool turns follow the assistant's.
    """
    for name, turns in sides.both():
        wrong = _out_of_order(turns)
        if wrong is not None and (name == "chosen" or wrong[0] >= sides.shared):
            yield wrong[1], sides.pointer(name, wrong[0])
        if sides.regular:
            return


def _out_of_order(turns: Sequence[Message]) -> tuple[int, str] | None:
    """Return the first turn that is where none of its role may be, and what is wrong with it."""
    before = "start"
    for index, turn in enumerate(turns):
        if (role := turn["role"]) not in _AFTER[before]:
            return index, f"{_TURNS[role]} {'at the start' if before == 'start' else f'after {_TURNS[before]}'}"
        before = role
    return None


@rule("PF104", prefilter=unusual, fix=FIX)
def identical(sides: Sides) -> Iterator[Seen]:
    """chosen and rejected are the same: nothing can be learned from the row, and it dilutes the metrics.

    A tie between scores, or a correction with nothing to correct, was made a pair.
    """
    if sides.shared == len(sides.chosen) == len(sides.rejected):
        yield "chosen and rejected are the same", ""


@rule("PF105", prefilter=unusual, fix=FIX)
def nearly_identical(sides: Sides) -> Iterator[Seen]:
    """The answers differ only in white space at the end, one space at the start, or characters that nobody sees.

    All that can be learned from the row is how to end an answer.
    """
    if _same(sides, _bare) and _same(sides, _trimmed):
        yield "chosen and rejected differ only in white space around them, or in what nobody sees", ""


@rule("PF129", "warning", prefilter=unusual)
def differs_in_form(sides: Sides) -> Iterator[Seen]:
    """The answers differ only in spaces or in case: all that can be learned from the row is a habit of format.

    That is meant where the question asks for capitals, and where the answer is code, whose line breaks count.
    """
    if _same(sides, _bare) and not _same(sides, _trimmed):
        yield "chosen and rejected differ only in spaces or in case", ""


def _same(sides: Sides, reduced: Callable[[str], str]) -> bool:
    """Return whether the sides differ as they stand, and not in their reduced texts."""
    one, other = sides.chosen[sides.shared :], sides.rejected[sides.shared :]
    if len(one) != len(other) or not one or apart(one[0]["content"], other[0]["content"]):
        return False
    here, there = ([(turn["role"], reduced(turn["content"])) for turn in turns] for turns in (one, other))
    return here == there


def apart(one: str, other: str) -> bool:
    """Return True only if two answers are not nearly identical: a cheap look at the place where they first differ."""
    one, other = one.lstrip(), other.lstrip()
    at = 0 if one[:1] != other[:1] else _parting(one, other)
    a, b = one[at : at + 1], other[at : at + 1]
    if _never_joined(a) and _never_joined(b) and a.lower() != b.lower():
        return True
    end = at + _ALIKE
    a, b = _bare(one[at:end]), _bare(other[at:end])
    if len(one) <= end and len(other) <= end:
        return a != b
    # What follows the cut may still join the last characters before it.
    return len(a) >= 12 and len(b) >= 12 and a[:6] != b[:6]


def _parting(one: str, other: str) -> int:
    """Return the first place at which two texts differ."""
    at, step = 0, 16
    while one[at : at + step] == other[at : at + step] and at < len(one):
        at += step
        step *= 2
    return at + common_prefix(one[at : at + step], other[at : at + step])


def _never_joined(char: str) -> bool:
    """Return whether no normal form of Unicode joins a character with the one before it, or changes it."""
    return "!" <= char <= "~" or "\u4e00" <= char <= "\u9fff" or char.lower() in _CYRILLIC


# Without those that also are a letter with a mark.
_CYRILLIC = frozenset("абвгдежзиклмнопрстуфхцчшщъыьэюя")


def _bare(text: str) -> str:
    """Return a text without spaces and invisible characters, its letters in one form and one case."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return "".join(text.split()).casefold()


def _trimmed(text: str) -> str:
    """Return a text without invisible characters and white space around it; an indent of its first line stays."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text)).replace("\xa0", " ")
    text = "\n".join(map(str.rstrip, text.strip("\r\n").rstrip().split("\n")))
    return text if text[:2].isspace() or text[:1] == "\t" else text.lstrip()


_INVISIBLE = re.compile(f"[{INVISIBLE}]")


@rule("PF106", prefilter=unusual)
def empty_answer(sides: Sides) -> Iterator[Seen]:
    """An answer is empty, blank, or holds nothing that can be seen: as chosen it teaches silence.

    As rejected it teaches nothing but to say something. An answer that is only a thinking block counts as empty.
    """
    for name, turns in sides.both():
        for index in range(max(len(sides.prompt), sides.shared if name == "rejected" else 0), len(turns)):
            turn = turns[index]
            if turn["role"] == "assistant" and _is_blank(turn["content"], index == len(turns) - 1):
                yield "the answer is empty", sides.pointer(name, index) + "/content"


def _is_blank(text: str, last: bool) -> bool:
    first = text[:1]
    if (first.isalnum() and first not in FILLERS) or (first == "*" and len(text) > _ALIKE):
        return False
    text = text.strip()
    if last and text[:1] in "<[":
        text = text[split(text).start :].lstrip() if split(text).whole else text
    end = 0
    while found := _BLANK.match(text, end):
        end = found.end()
    return end == len(text)


@rule("PF107", prefilter=unusual)
def error_sentinel(sides: Sides) -> Iterator[Seen]:
    """An answer is the text of an error that some program stored in its place.

    Such as "Error: failed to generate response.". The model learns to say it, or that anything else is better. Only
    what no reader would take for an answer to the question: PF117 finds the others.
    """
    for name, index, text in sides.answers():
        if is_error(text) and is_surely_error(text, sides.question):
            yield f"an error message as answer: {clip(text.strip())}", sides.pointer(name, index) + "/content"


@rule("PF117", "warning", prefilter=unusual)
def maybe_an_error(sides: Sides) -> Iterator[Seen]:
    """An answer may be the text of an error that a program stored in its place, or the right answer to the question.

    Such as "None", "404 Not Found" or "ERROR": read the rows, and leave out those that are no answers.
    """
    for name, index, text in sides.answers():
        if is_error(text) and not is_surely_error(text, sides.question):
            yield f"maybe an error message as answer: {clip(text.strip())}", sides.pointer(name, index) + "/content"


@rule("PF111", "warning", prefilter=unusual)
def cut_off(sides: Sides) -> Iterator[Seen]:
    """An answer stops in the middle: the model ran into its token limit.

    As chosen it teaches to stop anywhere, as rejected that it was the end that was wrong.
    """
    for name, index, text in sides.answers():
        said = breaks_off(text)
        for column in _FINISH_COLUMNS[name]:
            if column in sides.row and sides.row[column] in _CUT:
                said = f"{column} is {clip(sides.row[column])}"
        if said:
            yield f"the answer is cut off: {said}", sides.pointer(name, index) + "/content"


def breaks_off(text: str) -> str:
    """Return how a text shows that it was cut off; an empty text if it does not."""
    last = text[-1:]
    if "`" in text and text.count("```") % 2 == 1 and text.rstrip()[-1:] not in _STOPS:
        return "a block of code is not closed"
    if len(text) < _SHORT or last in _ENDS:
        return ""
    end = text[-30:].rstrip()
    if end[-1:] in (",", "(", "，", "、", "（"):
        return f"it ends in {end[-1:]!r}" if len(text) >= _LONG and not _FAREWELL.search(end) else ""
    word = end.rpartition(" ")[2].lstrip("([\"'")
    unfinished = word in (_UNFINISHED if len(text) >= _LONG else _NEVER_LAST)
    return f"it ends in {word!r}" if unfinished and "\n" not in end else ""


@rule("PF112", "warning", prefilter=unusual)
def refused(sides: Sides) -> Iterator[Seen]:
    """The chosen answer refuses, and the rejected one does not: the model learns to refuse what it can do.

    Meant in a set about safety; elsewhere it is mostly a judge that liked the politer answer.
    """
    chosen, role = sides.chosen[-1]["content"], sides.chosen[-1]["role"]
    if role == "assistant" and refuses(chosen) and not refuses(sides.rejected[-1]["content"]):
        where = sides.pointer("chosen", len(sides.chosen) - 1)
        yield f"the chosen answer is a refusal: {clip(chosen.strip())}", where + "/content"


@rule("PF109", prefilter=unusual, fix=FIX)
def prompt_beside(sides: Sides) -> Iterator[Seen]:
    """A `prompt` column contradicts the message lists beside it.

    A text crashes TRL's DPOTrainer. A list before whole conversations makes the model read the question twice.
    """
    if "prompt" not in sides.row:
        return
    if not sides.prompt:
        yield "a text as prompt beside lists of messages: drop the column, or make it a list", "/prompt"
    elif any(side[0]["role"] in ("user", *INSTRUCTS) for side in (sides.row["chosen"], sides.row["rejected"])):
        yield "a prompt list beside whole conversations: keep the one or the other", "/prompt"


@rule("PF127", "warning", prefilter=unusual)
def prompt_repeated(sides: Sides) -> Iterator[Seen]:
    """An answer begins with the whole question: mostly the prompt was not cut off after the answer was generated.

    The model learns to repeat the question before it answers.
    """
    if sides.regular and sides.shared:
        asked = sides.chosen[-2]["content"].strip()
        found = [name for name, _, text in sides.answers() if _repeats(asked, text)]
        if found:
            who = "both answers begin" if len(found) == 2 else f"the {found[0]} answer begins"
            yield f"{who} with the question: {clip(asked)}", f"/{found[0]}"


def _repeats(asked: str, answer: str) -> bool:
    """Return whether an answer begins with what is asked; a short question may be an answer's beginning."""
    long = len(asked.encode("utf-8", "surrogatepass")) >= _LEAST
    return long and answer.lstrip()[: len(asked)].lower() == asked.lower()


@rule("PF115", "warning", prefilter=unusual)
def empty_question(sides: Sides) -> Iterator[Seen]:
    """A user or system turn is empty or blank: the pair answers nothing, or the template prints an empty turn."""
    for index, turn in enumerate(sides.context):
        text, role = turn["content"], turn["role"]
        if (not text or text.isspace()) and role in ("user", *INSTRUCTS):
            yield f"the {role} turn is empty", sides.pointer("chosen", index) + "/content"
