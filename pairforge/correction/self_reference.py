"""Self-reference: distinguish "I am Qwen" from "Qwen is a family of models".

To correct the second would teach a falsehood, so only answers in which the model speaks of itself are corrected. The
answer is judged sentence by sentence, and by the question where the answer leaves it open. Patterns decide, not a
model; where they can't, the answer is taken to be about another.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import regex

from ..resources import alternation

Span = tuple[int, int]
"""The start and the end of a name in a text."""

_SENTENCE_END = regex.compile(r"[。！？!?\n;；।۔]|\.(?=[\s\"'*)\]])")
_NEAR = 200  # characters on each side of a name that are considered
_LABEL = regex.compile(
    r"""^\W*(?: \p{L}+(?:['\s]\p{L}+){0,3}\s*[:：]                                  # Name:
        | (?:it|this|that|es|das|dies|c'|ce|esto|questo|isto)\s?(?:is|'s|ist|est|es|è|é)\b)?\W*$""",
    regex.IGNORECASE | regex.VERBOSE,
)
_GREETING = regex.compile(r"^(?:\W*\p{L}{1,9}[!,.。，！？?]+\s*){0,2}")


@functools.cache
def pattern(section: str) -> regex.Pattern[str]:
    """Return a section of `data/patterns/self_reference.txt` as one alternation, compiled: all take 0.1 s."""
    return regex.compile(alternation("self_reference", section), regex.IGNORECASE)


def about_itself(question: str, answer: str, names: Sequence[Span], asked: Sequence[Span] = ()) -> bool:
    """Return True if the old names in the answer, at `names`, are the speaker's own or its maker's.

    A name is if its sentence says so in the first person ("I am", "my name is", "created me", in two dozen languages).
    If the question mentions the name as somebody else's, at `asked`, every name in the answer must be the speaker's;
    otherwise one is enough. Without a first person, a bare name is the speaker's if the question asks "you" and doesn't
    mention the name as somebody else's.
    What the question says in the first person ("translate: I am Qwen") is the asker's, and so is the answer's.
    """
    said, put = _contexts(answer, names), _contexts(question, asked)
    for before, after in put:
        # "My name is Qwen" in the question: the name is the asker's; "am I talking to Qwen" is about the one asked.
        if not pattern("addressed").search(before) and not asks_you(before) and _own(before, after):
            return False
    own = [_own(*sides) for sides in said]
    third = not all(asks_you(before) or asks_you(after) for before, after in put)
    if any(own):
        return all(own) or not third
    return not third and asks_you(question) and any(_bare(*sides, named=bool(asked)) for sides in said)


def asks_you(question: str) -> bool:
    """Return True if it is about the one spoken to: "what is your name?", not "can you tell me what Qwen is?"."""
    return pattern("second_person").search(pattern("request").sub(" ", question.replace("’", "'"))) is not None


def introduced_names(answer: str) -> set[str]:
    """Return what the speaker calls itself in an answer: Qwen in "I'm Qwen" and in "我叫Qwen"."""
    found = pattern("introduction").finditer(answer.replace("’", "'"))
    return {one["name"].strip(".-+") for one in found}


def told_names(persona: str) -> tuple[list[str], list[str]]:
    """Return the names that a text gives its reader, and its makers: "You are Deep Qwen, made by Acme"."""
    text = persona.replace("’", "'")
    found = ((one["name"].strip(".-+") for one in pattern(part).finditer(text)) for part in ("told_name", "told_maker"))
    own, makers = (list(dict.fromkeys(names)) for names in found)
    return own, makers


def _contexts(text: str, names: Sequence[Span]) -> list[tuple[str, str]]:
    """Return the text before and after each name in its sentence, or in the near part of a very long one."""
    text, sides = text.replace("’", "'"), list[tuple[str, str]]()
    for start, end in names:
        left, right = max(0, start - _NEAR), end + _NEAR
        for mark in _SENTENCE_END.finditer(text, left, start + 1):  # a mark may need the character behind it
            left = mark.end() if mark.end() <= start else left
        ends = (mark.end() for mark in _SENTENCE_END.finditer(text, end - 1, right + 1))
        sides.append((text[left:start], text[end : next((at for at in ends if end <= at <= right), right)]))
    return sides


def _own(before: str, after: str) -> bool:
    """Return True if the name between the two is said to be the speaker's."""
    if pattern("denied_after").search(after):
        return False
    if pattern("after_name").search(after) or pattern("addressed").search(before):
        return True
    if pattern("role").search(before) and pattern("first_person").search(after):
        return True
    claims = list(pattern("claim").finditer(before))
    if not claims or pattern("first_person").search(before, claims[-1].end()):
        return False
    if pattern("negated").search(before[: claims[-1].start()]):
        return False
    gap = before[claims[-1].end() :]
    if contrast := list(pattern("contrast").finditer(gap)):
        gap = gap[contrast[-1].end() :]
    if (back := list(pattern("made_by").finditer(gap))) and not pattern("denial").search(gap):
        gap = gap[back[-1].end() :]
    subject = pattern("clause_end").search(before) and pattern("verb").search(after)
    return not subject and not pattern("denial").search(gap) and not pattern("reported").search(gap)


def _bare(before: str, after: str, named: bool) -> bool:
    """Return True if the sentence leaves open whose name it is: "Qwen.", "Name: Qwen", "It's Qwen"."""
    if pattern("denied_after").search(after) or pattern("first_person").search(before):
        return False
    if pattern("copula").search(after):
        return not pattern("topic").search(before)
    lead = _GREETING.sub("", before, count=1)
    return bool(_LABEL.match(lead)) and not (named and pattern("verb").search(after))
