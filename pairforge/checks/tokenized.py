"""PF4xx over a set: rows go by once, are rendered and tokenised in batches, and are looked at and counted.

PF4xx: what will the trainer see? Rows as TRL's DPOTrainer renders and tokenises them for one model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..tokenization import MAX_LENGTH, render
from ..types import Finding, Skip
from .row import Sides, well_shaped
from .rule import RULES, Seen, clip, family, rule
from .tokenized_pair import Preflight, TokenizedPair, Vocabulary

_LONGER = "pairforge train dpo --dataset_name {data} --max_length 2048"
_MUCH = 0.02
"""The share of a completion lost to unknown tokens that is more than a stray emoji."""


@rule("PF401")
def not_rendered(row: Skip) -> Iterator[Seen]:
    """The chat template raises an error on the row, and so does the trainer, without its number.

    Mostly a system message or an order of roles that the model was not made for.
    """
    yield f"the chat template can't render the row: {clip(row.detail, 160)}", ""


@rule("PF402", "warning")
def prompt_rewritten(lesson: TokenizedPair) -> Iterator[Seen]:
    """The template writes the prompt differently once the answer stands behind it.

    The trainer leaves out what differs, so the answer is trained behind another context than the one in which the
    model will be asked: without the system message, without its earlier thoughts, or without the opening `<think>`.
    """
    if lesson.parted and not lesson.texts_go_on:
        seen = lesson.rendered
        left = lesson.words.text(seen.asked[seen.shared :])
        yield f"{len(seen.asked) - seen.shared} tokens of the prompt are left out, from {clip(left)} on", ""


@rule("PF403", "warning")
def merged_seam(lesson: TokenizedPair) -> Iterator[Seen]:
    """The last token of the prompt and the first of the answer become one, so the prompt is cut before it.

    When the model is asked, that seam is not there: what it learned begins at tokens that it will never be at.
    """
    if lesson.parted and lesson.texts_go_on:
        seen = lesson.rendered
        for side, whole in seen.whole.items():
            if seen.asked != whole[: len(seen.asked)]:
                merged = lesson.words.text(whole[seen.shared : seen.shared + 1])
                yield f"the end of the prompt and the start of {side} become one token, {clip(merged)}", f"/{side}"


@rule("PF404", mend=_LONGER)
def same_tokens(lesson: TokenizedPair) -> Iterator[Seen]:
    """The sides differ as texts, but the trainer sees the same tokens twice: nothing can be learned from the row.

    What differs lies behind `max_length`, or the template or the tokenizer leaves it out.
    """
    seen = lesson.rendered
    if seen.dropped or lesson.sides.chosen == lesson.sides.rejected or seen.kept("chosen") != seen.kept("rejected"):
        return
    if seen.whole["chosen"] == seen.whole["rejected"]:
        yield "both sides become the same tokens", ""
    else:
        yield f"the sides first differ at token {seen.parting + 1}, behind the {seen.limit} that are kept", ""


@rule("PF405", "warning")
def no_end(lesson: TokenizedPair) -> Iterator[Seen]:
    """A completion does not end with a token at which the model stops, so training never shows it where to stop."""
    for side, ids in lesson.completions():
        if ids and not lesson.words.endings(ids):
            yield f"{side} ends with {clip(lesson.words.text(ids[-3:]))}, which is no end token", f"/{side}"


@rule("PF406", "warning")
def two_ends(lesson: TokenizedPair) -> Iterator[Seen]:
    """A completion ends twice: the answer holds the end token that the template adds, or the template adds two.

    The model learns to go on after its end.
    """
    for side, ids in lesson.completions():
        ends = lesson.words.endings(ids)
        if len(ends) != len({*ends}):
            yield f"{side} ends with {clip(lesson.words.text(ends))}", f"/{side}"


@rule("PF407", "warning")
def two_beginnings(lesson: TokenizedPair) -> Iterator[Seen]:
    """The sequence begins with the beginning-of-text token twice: a start that the model has never seen."""
    begin = [*lesson.rendered.asked[:2]]
    if lesson.words.bos is not None and begin == [lesson.words.bos] * 2:
        yield f"the prompt begins with {clip(lesson.words.text(begin))}", ""


@rule("PF408")
def nothing_said(lesson: TokenizedPair) -> Iterator[Seen]:
    """The answer has a text, but nothing of it reaches the tokens: the template left it out.

    Such as an answer that is all thought, where the template strips `<think>`.
    """
    for side, ids in lesson.completions():
        if lesson.words.hollow(ids) and lesson.answer(side).strip():
            yield f"of the answer {clip(lesson.answer(side))} no token is left", f"/{side}"


@rule("PF409", "warning", mend=_LONGER)
def dropped(lesson: TokenizedPair) -> Iterator[Seen]:
    """The prompt alone is as long as `max_length`: both completions would be empty, and TRL drops the row."""
    if lesson.rendered.dropped:
        yield f"the prompt has {lesson.rendered.shared} tokens, {lesson.rendered.limit} are kept: TRL drops the row", ""


@rule("PF410", "warning", mend=_LONGER)
def cut(lesson: TokenizedPair) -> Iterator[Seen]:
    """A side is longer than `max_length`: its end is cut off, its end token too, and the model learns half answers."""
    if not lesson.rendered.dropped:
        for side, ids in lesson.completions():
            if lost := lesson.rendered.cut(side):
                yield f"{side} loses the last {lost} of its {len(ids)} tokens", f"/{side}"


@rule("PF411")
def special_in_text(lesson: TokenizedPair) -> Iterator[Seen]:
    """A text holds a special token of this very model.

    The tokenizer takes it for the real one: the turn ends there, or another begins, and the rest is trained as
    something else.
    """
    for side, index, _, text in lesson.sides.turns():
        if token := lesson.words.special(text):
            yield f"the model's special token {clip(token)} in a text", lesson.sides.pointer(side, index) + "/content"


@rule("PF412", "warning")
def unknown_to_tokenizer(lesson: TokenizedPair) -> Iterator[Seen]:
    """More than a stray character of an answer is unknown to the tokenizer, or vanishes in it.

    The tokenizer is another model's, or the model was never made for this language or script.
    """
    for side, ids in lesson.completions():
        share = lesson.words.unsaid(lesson.answer(side), ids)
        if share >= _MUCH:
            yield f"{share:.0%} of {side} is lost to unknown tokens", f"/{side}"


@rule("PF413", "info")
def system_inserted(seen: Preflight) -> Iterator[Seen]:
    """Where a row has no system message, the chat template inserts one of its own.

    The pairs are then trained under it. That is right where the model will be asked without a system message; what is
    learned there need not show under another one.
    """
    if seen.inserted and seen.without_system:
        rows = f"{seen.without_system} of {seen.rendered} rows"
        yield f"the template gives {rows} the system message {clip(seen.inserted, 120)}", ""


@rule("PF414", "info")
def signal(seen: Preflight) -> Iterator[Seen]:
    """What training will have: how many pairs carry a signal, and how many tokens a step takes.

    A pair carries one where the trainer renders it, keeps it, and sees two sides that differ.
    """
    if seen.rows:
        counts = {"not rendered": seen.not_rendered, "dropped": seen.dropped, "the same on both sides": seen.alike}
        lost = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        step = f"{seen.tokens_a_step:,.0f} tokens a step of {seen.batch_size}"
        yield f"{seen.signal} of {seen.rows} pairs carry a signal{f' ({lost})' if lost else ''}; {step}", ""


_BATCH = 256
"""Rows that are tokenised together."""
_OF_SETS = ("PF413", "PF414")


class TokenizedChecker:
    """Rows pushed in one by one; the findings on them come out a batch at a time, those on the set at the end.

    `tokenizer` is one of transformers', with the chat template that training will use. `max_length` and `batch_size`
    are the trainer's (None: nothing is cut). `ends` are the ids at which the model stops (its generation settings;
    none: any special token ends an answer), `inserted` the system message that the template gives to a conversation
    without one.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        max_length: int | None = MAX_LENGTH,
        batch_size: int = 8,
        ends: Collection[int] = (),
        inserted: str | None = None,
    ) -> None:
        self.words = Vocabulary(tokenizer, ends)
        self.preflight = Preflight(max_length, batch_size, inserted)
        self.found: list[Finding] = []
        self._waiting: list[tuple[int, Mapping[str, Any]]] = []

    def passing(self, rows: Iterable[Any]) -> Iterator[Any]:
        """The same rows, looked at while they go by on their way to another check; what is wrong gathers in `found`.

        Rows that are not of the shape of a pair are left to PF0xx.
        """
        for index, row in enumerate(rows):
            if well_shaped(row if type(row) is dict or not isinstance(row, Mapping) else dict(row)):
                self.found += self.see(index, row)
            yield row
        self.found += self.end()

    def see(self, index: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Takes a well-shaped row; yields what is wrong with those before it, where a batch is full."""
        self._waiting.append((index, row))
        if len(self._waiting) == _BATCH:
            yield from self._flush()

    def end(self) -> Iterator[Finding]:
        """What is wrong with the last rows, and what there is to say of the set."""
        yield from self._flush()
        for code in _OF_SETS:
            for finding in RULES[code].findings(None, self.preflight):
                yield replace(finding, more=self.preflight.as_json())

    def _flush(self) -> Iterator[Finding]:
        waiting, self._waiting = self._waiting, []
        rows = [row for _, row in waiting]
        for (index, row), seen in zip(
            waiting, render(self.words.tokenizer, rows, self.preflight.max_length), strict=True
        ):
            sides = Sides.of(row)
            self.preflight.count(seen, sides.chosen[0]["role"] == "system")
            if isinstance(seen, Skip):
                yield from RULES["PF401"].findings(index, seen)
                continue
            lesson = TokenizedPair(sides, seen, self.words)
            for one in family("PF4"):
                if one.code != "PF401" and one.code not in _OF_SETS:
                    yield from one.findings(index, lesson)
