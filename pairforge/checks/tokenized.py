"""PF4xx: what will the trainer see? Rows as TRL's DPOTrainer renders and tokenises them for one model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..thoughts import split
from ..tokenization import MAX_LENGTH, render
from ..types import Finding, Skip
from .attachments import tool_names
from .row import INSTRUCTS, Sides, well_shaped
from .rule import Observer, Seen, clip, rule, rules_over
from .tokenized_pair import CheckedTokenizer, TokenCounts, TokenizedPair

_LONGER = "pairforge train dpo --dataset_name {data} --max_length 2048"
_MUCH = 0.02
"""The share of a completion lost to unknown tokens that is more than a stray emoji."""


@rule("PF401", over="unrendered")
def not_rendered(row: Skip) -> Iterator[Seen]:
    """The chat template raises an error on the row, and so does the trainer, without its number.

    Mostly a system message or an order of roles that the model was not made for.
    """
    yield f"the chat template can't render the row: {clip(row.detail, 160)}", ""


@rule("PF402", "warning", over="tokenized")
def prompt_rewritten(pair: TokenizedPair) -> Iterator[Seen]:
    """The template writes the prompt differently once the answer follows it.

    The trainer leaves out what differs, so the answer is trained after another context than the one in which the
    model will be asked: without the system message, without its earlier thoughts, or without the opening `<think>`.
    """
    if pair.prompt_differs and not pair.texts_continue:
        left = pair.rendered.asked[pair.rendered.shared :]
        yield f"{len(left)} tokens of the prompt are left out, from {clip(pair.tokenizer.text(left))} on", ""


@rule("PF403", "warning", over="tokenized")
def merged_seam(pair: TokenizedPair) -> Iterator[Seen]:
    """The last token of the prompt and the first of the answer become one, so the prompt is cut before it.

    When the model is asked, that token does not occur: what it learned begins at tokens that it will never see.
    """
    if pair.prompt_differs and pair.texts_continue:
        seen = pair.rendered
        for side, whole in seen.whole.items():
            if seen.asked != whole[: len(seen.asked)]:
                merged = pair.tokenizer.text(whole[seen.shared : seen.shared + 1])
                yield f"the end of the prompt and the start of {side} become one token, {clip(merged)}", f"/{side}"


@rule("PF404", over="tokenized", fix=_LONGER)
def same_tokens(pair: TokenizedPair) -> Iterator[Seen]:
    """The sides differ as texts, but the trainer sees the same tokens twice: nothing can be learned from the row.

    What differs is beyond `max_length`, or the template or the tokenizer leaves it out.
    """
    seen = pair.rendered
    if seen.dropped or pair.sides.chosen == pair.sides.rejected or seen.kept("chosen") != seen.kept("rejected"):
        return
    if seen.whole["chosen"] == seen.whole["rejected"]:
        yield "both sides become the same tokens", ""
    else:
        yield f"the sides first differ at token {seen.parting + 1}, beyond the {seen.limit} that are kept", ""


@rule("PF405", "warning", over="tokenized")
def no_end(pair: TokenizedPair) -> Iterator[Seen]:
    """A completion does not end with a token at which the model stops, so training never shows it where to stop."""
    for side, ids in pair.completions():
        if ids and not pair.tokenizer.endings(ids):
            yield f"{side} ends with {clip(pair.tokenizer.text(ids[-3:]))}, which is not an end token", f"/{side}"


@rule("PF406", "warning", over="tokenized")
def two_ends(pair: TokenizedPair) -> Iterator[Seen]:
    """A completion ends twice: the answer holds the end token that the template adds, or the template adds two.

    The model learns to go on after its end.
    """
    for side, ids in pair.completions():
        ends = pair.tokenizer.endings(ids)
        if len(ends) != len({*ends}):
            yield f"{side} ends with {clip(pair.tokenizer.text(ends))}", f"/{side}"


@rule("PF407", "warning", over="tokenized")
def two_beginnings(pair: TokenizedPair) -> Iterator[Seen]:
    """The sequence begins with the beginning-of-text token twice: a start that the model has never seen."""
    begin = [*pair.rendered.asked[:2]]
    if pair.tokenizer.bos is not None and begin == [pair.tokenizer.bos] * 2:
        yield f"the prompt begins with {clip(pair.tokenizer.text(begin))}", ""


@rule("PF408", over="tokenized")
def nothing_said(pair: TokenizedPair) -> Iterator[Seen]:
    """The answer has a text, but nothing of it reaches the tokens: the template left it out.

    Such as an answer that is all thought, where the template strips `<think>`.
    """
    for side, ids in pair.completions():
        if pair.tokenizer.blank_only(ids) and pair.answer(side).strip():
            yield f"of the answer {clip(pair.answer(side))} no token is left", f"/{side}"


@rule("PF409", "warning", over="tokenized", fix=_LONGER)
def dropped(pair: TokenizedPair) -> Iterator[Seen]:
    """The prompt alone is as long as `max_length`: both completions would be empty, and TRL drops the row."""
    if pair.rendered.dropped:
        yield f"the prompt has {pair.rendered.shared} tokens, {pair.rendered.limit} are kept: TRL drops the row", ""


@rule("PF410", "warning", over="tokenized", fix=_LONGER)
def cut(pair: TokenizedPair) -> Iterator[Seen]:
    """A side is longer than `max_length`: its end is cut off, its end token too, and the model learns half answers."""
    if not pair.rendered.dropped:
        for side, ids in pair.completions():
            if lost := pair.rendered.cut(side):
                yield f"{side} loses the last {lost} of its {len(ids)} tokens", f"/{side}"


@rule("PF411", over="tokenized")
def special_in_text(pair: TokenizedPair) -> Iterator[Seen]:
    """A text holds a special token of this very model.

    The tokenizer takes it for the real one: the turn ends there, or another begins, and the rest is trained as
    something else. The marks of a thought at the start of an answer are meant as such.
    """
    for side, index, role, text in pair.sides.turns():
        thought = split(text) if role == "assistant" else None
        said = f"{thought.thought}\n{text[thought.start :]}" if thought and thought.whole else text
        if token := pair.tokenizer.special(said):
            yield f"the model's special token {clip(token)} in a text", pair.sides.pointer(side, index) + "/content"


@rule("PF412", "warning", over="tokenized")
def unknown_to_tokenizer(pair: TokenizedPair) -> Iterator[Seen]:
    """More than a stray character of an answer is unknown to the tokenizer, or vanishes in it.

    The tokenizer is another model's, or the model was never made for this language or script.
    """
    for side, ids in pair.completions():
        share = pair.tokenizer.lost_share(pair.answer(side), ids)
        if share >= _MUCH:
            yield f"{share:.0%} of {side} is lost to unknown tokens", f"/{side}"


@rule("PF413", "info", over="tokenized_dataset")
def system_inserted(counts: TokenCounts) -> Iterator[Seen]:
    """Where a row has no system message, the chat template inserts one of its own.

    The pairs are then trained under it. That is right where the model will be asked without a system message; what is
    learned there need not show under another one.
    """
    if counts.inserted and counts.without_system:
        rows = f"{counts.without_system} of {counts.rendered} rows"
        yield f"the template gives {rows} the system message {clip(counts.inserted, 120)}", ""


@rule("PF414", "info", over="tokenized_dataset", summary=True)
def signal(counts: TokenCounts) -> Iterator[Seen]:
    """What training will have: how many pairs carry a signal, and how many tokens a step takes.

    A pair carries one where the trainer renders it, keeps it, and sees two sides that differ.
    """
    if counts.rows:
        lost = {"not rendered": counts.not_rendered, "dropped": counts.dropped, "the same on both sides": counts.alike}
        named = ", ".join(f"{count} {name}" for name, count in lost.items() if count)
        step = f"{counts.tokens_a_step:,.0f} tokens a step of {counts.batch_size}"
        yield f"{counts.signal} of {counts.rows} pairs carry a signal{f' ({named})' if named else ''}; {step}", ""


@rule("PF415", "warning", over="tokenized")
def system_left_out(pair: TokenizedPair) -> Iterator[Seen]:
    """The chat template leaves the system message out: the answers are trained without what they were told to do.

    A template that writes it into the first turn of the user is all right.
    """
    written = "".join(pair.rendered.asked_text.split())
    for at, turn in enumerate(pair.sides.context):
        if turn["role"] in INSTRUCTS and "".join(turn["content"].split()) not in written:
            where = pair.sides.pointer("chosen", at)
            yield f"the {turn['role']} message does not reach the tokens: {clip(turn['content'])}", where


@rule("PF416", "warning", over="tokenized")
def tools_left_out(pair: TokenizedPair) -> Iterator[Seen]:
    """The chat template leaves the definitions of the tools out: the model learns to call what it was never shown."""
    if (tools := tool_names(pair.sides.row)) and not any(name in pair.rendered.asked_text for name in tools):
        yield f"none of the tools reaches the tokens: {clip(sorted(tools))}", "/tools"


_BATCH = 256
"""Rows that are tokenised together."""


class TokenizedChecker(Observer):
    """Checks rows as training sees them, a batch at a time; others than pairs are left to the rules over rows.

    Args:
        tokenizer: One of transformers', with the chat template that training will use.
        max_length: Tokens of a side that the trainer keeps (None: all).
        ends: The ids at which the model stops, by its generation settings (none: any special token ends an answer).
        inserted: The system message that the template gives to a conversation without one.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        max_length: int | None = MAX_LENGTH,
        ends: Collection[int] = (),
        inserted: str | None = None,
    ) -> None:
        self.tokenizer = CheckedTokenizer(tokenizer, ends)
        self.counts = TokenCounts(max_length, inserted)
        self._waiting: list[tuple[int, Mapping[str, Any]]] = []

    def see(self, index: int, row: Any) -> list[Finding]:
        """Take a row; return what is wrong with those before it, where a batch is full."""
        if well_shaped(row if type(row) is dict or not isinstance(row, Mapping) else dict(row)):
            self._waiting.append((index, row))
        return self._check() if len(self._waiting) == _BATCH else []

    def findings(self) -> list[Finding]:
        """Return what is wrong with the last rows, and with the dataset."""
        found = self._check()
        for one in rules_over("tokenized_dataset"):
            found += (replace(finding, more=self.counts.as_json()) for finding in one.findings(None, self.counts))
        return found

    def _check(self) -> list[Finding]:
        waiting, self._waiting = self._waiting, []
        seen = render(self.tokenizer.tokenizer, [row for _, row in waiting], self.counts.max_length)
        found: list[Finding] = []
        for (index, row), rendered in zip(waiting, seen, strict=True):
            sides = Sides.of(row)
            self.counts.count(rendered, sides.chosen[0]["role"] in INSTRUCTS)
            subject: Any = rendered
            if not isinstance(rendered, Skip):
                subject = TokenizedPair(sides, rendered, self.tokenizer)
            for one in rules_over("unrendered" if subject is rendered else "tokenized"):
                found += one.findings(index, subject)
        return found
