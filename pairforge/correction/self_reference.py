"""Whose name it is: tells "I am Qwen" from "Qwen is a family of models".

To correct the second would teach a falsehood, so only answers that speak of themselves are corrected. The judgement
reads the answer sentence by sentence, and the question where the answer leaves it open. It goes by the patterns of
`languages` and asks no model; where it can't tell, the answer is taken to be about another.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import regex

from . import self_reference_patterns as say

Span = tuple[int, int]
"""Where a name stands in a text: start, end."""

_SENTENCE = regex.compile(r"(?<=[.!?](?=[\s\"'*)\]]))|(?<=[。！？!?\n;；।۔])")
_NEAR = 200  # characters on each side of a name that are looked at
_LABEL = regex.compile(
    r"""^\W*(?: \p{L}+(?:['\s]\p{L}+){0,3}\s*[:：]                                  # Name:
        | (?:it|this|that|es|das|dies|c'|ce|esto|questo|isto)\s?(?:is|'s|ist|est|es|è|é)\b)?\W*$""",
    regex.IGNORECASE | regex.VERBOSE,
)
_GREETING = regex.compile(r"^(?:\W*\p{L}{1,9}[!,.。，！？?]+\s*){0,2}")


def about_itself(question: str, answer: str, names: Sequence[Span], asked: Sequence[Span] = ()) -> bool:
    """Whether the old names in the answer, at `names`, are the speaker's own or its maker's.

    True where a sentence says so in the first person ("I am", "my name is", "created me", in two dozen languages). If
    the question has the name too, at `asked`, and not as in "are you Qwen?", every one of them must. Without a first
    person, a bare name is the speaker's where the question is put to "you" and doesn't hold the name as another's. What
    the question says in the first person ("translate: I am Qwen") is the asker's, and so is the answer's.
    """
    said, put = _around(answer, names), _around(question, asked)
    if any(_asker_is(*sides) for sides in put):
        return False
    own = [_own(*sides) for sides in said]
    third = not all(asks_you(before) or asks_you(after) for before, after in put)
    if any(own):
        return all(own) or not third
    return not third and asks_you(question) and any(_bare(*sides, named=bool(asked)) for sides in said)


def asks_you(question: str) -> bool:
    """Whether it is about the one spoken to: "what is your name?", and not "can you tell me what Qwen is?"."""
    return say.YOU.search(say.REQUEST.sub(" ", question.replace("’", "'"))) is not None


def _around(text: str, names: Sequence[Span]) -> list[tuple[str, str]]:
    """What stands before and after each name in its sentence, or in what of a very long one is near."""
    text = text.replace("’", "'")
    cuts = [0, *(cut.start() for cut in _SENTENCE.finditer(text)), len(text)]
    sentences = [(cuts[bisect_right(cuts, start) - 1], cuts[bisect_left(cuts, end)]) for start, end in names]
    return [
        (text[max(left, start - _NEAR) : start], text[end : min(right, end + _NEAR)])
        for (left, right), (start, end) in zip(sentences, names, strict=True)
    ]


def _asker_is(before: str, after: str) -> bool:
    """Whether a question has the name between the two as the asker's own: "my name is Qwen", not "am I talking to"."""
    return not say.HERE.search(before) and not asks_you(before) and _own(before, after)


def _own(before: str, after: str) -> bool:
    """Whether the name between the two is said to be the speaker's."""
    if say.DENIED.search(after):
        return False
    if say.AFTER.search(after) or say.HERE.search(before):
        return True
    if say.AS.search(before) and say.FIRST.search(after):
        return True
    told = list(say.SELF.finditer(before))
    if not told or say.FIRST.search(before, told[-1].end()):
        return False
    if say.NEGATED.search(before[: told[-1].start()]):
        return False
    gap = before[told[-1].end() :]
    if contrast := list(say.CONTRAST.finditer(gap)):
        gap = gap[contrast[-1].end() :]
    if (back := list(say.BY.finditer(gap))) and not say.DENIAL.search(gap):
        gap = gap[back[-1].end() :]
    subject = say.CLAUSE.search(before) and say.VERB.search(after)
    return not subject and not say.DENIAL.search(gap) and not say.REPORTED.search(gap)


def _bare(before: str, after: str, named: bool) -> bool:
    """Whether the sentence leaves open whose name it is: "Qwen.", "Name: Qwen", "It's Qwen"."""
    if say.DENIED.search(after) or say.FIRST.search(before):
        return False
    if say.COPULA.search(after):
        return not say.TOPIC.search(before)
    lead = _GREETING.sub("", before, count=1)
    return bool(_LABEL.match(lead)) and not (named and say.VERB.search(after))
