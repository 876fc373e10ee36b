"""PF4xx: what will the trainer see? Rows as TRL's DPOTrainer renders and tokenises them for one model."""

from __future__ import annotations

from collections.abc import Iterator

from ..types import Skip
from .lesson import Lesson, Preflight
from .rules import Seen, clip, rule

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
def prompt_rewritten(lesson: Lesson) -> Iterator[Seen]:
    """The template writes the prompt differently once the answer stands behind it.

    The trainer leaves out what differs, so the answer is trained behind another context than the one in which the
    model will be asked: without the system message, without its earlier thoughts, or without the opening `<think>`.
    """
    if lesson.parted and not lesson.texts_go_on:
        seen = lesson.rendered
        left = lesson.words.text(seen.asked[seen.shared :])
        yield f"{len(seen.asked) - seen.shared} tokens of the prompt are left out, from {clip(left)} on", ""


@rule("PF403", "warning")
def merged_seam(lesson: Lesson) -> Iterator[Seen]:
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
def same_tokens(lesson: Lesson) -> Iterator[Seen]:
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
def no_end(lesson: Lesson) -> Iterator[Seen]:
    """A completion does not end with a token at which the model stops, so training never shows it where to stop."""
    for side, ids in lesson.completions():
        if ids and not lesson.words.endings(ids):
            yield f"{side} ends with {clip(lesson.words.text(ids[-3:]))}, which is no end token", f"/{side}"


@rule("PF406", "warning")
def two_ends(lesson: Lesson) -> Iterator[Seen]:
    """A completion ends twice: the answer holds the end token that the template adds, or the template adds two.

    The model learns to go on after its end.
    """
    for side, ids in lesson.completions():
        ends = lesson.words.endings(ids)
        if len(ends) != len({*ends}):
            yield f"{side} ends with {clip(lesson.words.text(ends))}", f"/{side}"


@rule("PF407", "warning")
def two_beginnings(lesson: Lesson) -> Iterator[Seen]:
    """The sequence begins with the beginning-of-text token twice: a start that the model has never seen."""
    begin = [*lesson.rendered.asked[:2]]
    if lesson.words.bos is not None and begin == [lesson.words.bos] * 2:
        yield f"the prompt begins with {clip(lesson.words.text(begin))}", ""


@rule("PF408")
def nothing_said(lesson: Lesson) -> Iterator[Seen]:
    """The answer has a text, but nothing of it reaches the tokens: the template left it out.

    Such as an answer that is all thought, where the template strips `<think>`.
    """
    for side, ids in lesson.completions():
        if lesson.words.hollow(ids) and lesson.answer(side).strip():
            yield f"of the answer {clip(lesson.answer(side))} no token is left", f"/{side}"


@rule("PF409", "warning", mend=_LONGER)
def dropped(lesson: Lesson) -> Iterator[Seen]:
    """The prompt alone is as long as `max_length`: both completions would be empty, and TRL drops the row."""
    if lesson.rendered.dropped:
        yield f"the prompt has {lesson.rendered.shared} tokens, {lesson.rendered.limit} are kept: TRL drops the row", ""


@rule("PF410", "warning", mend=_LONGER)
def cut(lesson: Lesson) -> Iterator[Seen]:
    """A side is longer than `max_length`: its end is cut off, its end token too, and the model learns half answers."""
    if not lesson.rendered.dropped:
        for side, ids in lesson.completions():
            if lost := lesson.rendered.cut(side):
                yield f"{side} loses the last {lost} of its {len(ids)} tokens", f"/{side}"


@rule("PF411")
def special_in_text(lesson: Lesson) -> Iterator[Seen]:
    """A text holds a special token of this very model.

    The tokenizer takes it for the real one: the turn ends there, or another begins, and the rest is trained as
    something else.
    """
    for side, index, _, text in lesson.sides.turns():
        if token := lesson.words.special(text):
            yield f"the model's special token {clip(token)} in a text", lesson.sides.pointer(side, index) + "/content"


@rule("PF412", "warning")
def unknown_to_tokenizer(lesson: Lesson) -> Iterator[Seen]:
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
