"""A verdict for a terminal: the measures in groups, some failing answers, and the outcome with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ..markdown import shortened
from ..prompts import LANGUAGES
from ..text import OUTCOME_STYLES, escaped, visible
from .failing_answers import FailingAnswer
from .figures import Figures
from .hints import hints
from .metrics import BRIEF, CHANGES, SAMPLED, base_name
from .questions import NO_SYSTEM

if TYPE_CHECKING:
    from rich.text import Text

WIDTH = 80
"""The columns of text for nobody's terminal."""
WIDE = 104
"""The columns from which on changes and their intervals are shown."""
EXAMPLES = 3
"""Failing answers shown of each metric."""
_GROUPS = {
    "identity: asked about itself": ("new_name", "old_name", "neither", "half_name"),
    "general: asked about anything else": ("win_rate", "general", "leak"),
    "side effects: what must stay as it was": ("controls", "obedience", "repetition", "unanswered"),
}
_NAME, _FIGURE, _CHANGE, _REASON = 32, 6, 23, 26  # columns
_LONGEST = 300  # characters of an answer


def verdict_text(figures: Figures, width: int = WIDTH) -> Text:
    """Return the whole verdict in lines of at most `width` columns, of 60 at least; words are never broken."""
    from rich.text import Text

    return Text("\n").join([*_table(figures, max(width, 60)), *_examples(figures, width), *_outcome(figures, width)])


def _table(figures: Figures, width: int) -> Iterator[Text]:
    from rich.text import Text

    if figures.asked:
        yield from _wrapped("questions: ", ", ".join(_asked(figures)), width)
    wide = width >= WIDE
    room = min(_NAME + 4, width - (2 + _FIGURE + 1 + _FIGURE + 2 + 4 + 1 + _REASON) - wide * (_CHANGE + 1))
    compared = figures.before is not None
    heads = f"{'before' if compared else '':>{_FIGURE}} {'now':>{_FIGURE}}" + "  change, 95 % interval" * wide
    yield Text(" " * (2 + room) + heads, style="dim")
    for heading, metrics in _GROUPS.items():
        if names := [name for name in figures.shares if base_name(name) in metrics]:
            yield Text(heading, style="bold")
        for name in sorted(names, key=lambda name: _order(figures, name, names)):
            yield from _row(figures, name, room, wide)
    yield from _what_else(figures, room, wide, width)
    suites = [name for name in figures.shares if base_name(name) not in BRIEF]
    if suites:
        yield Text("suites of lm-evaluation-harness", style="bold")
    for name in suites:
        yield from _row(figures, name, room, wide)


def _what_else(figures: Figures, room: int, wide: bool, width: int) -> Iterator[Text]:
    """Yield a line if nothing else has changed, else the rows of what was looked at."""
    from rich.text import Text

    names = [name for name in CHANGES if name in figures.changes]
    moved = [name for name in names if figures.moved(name) or name in figures.failed]
    if names and not moved:
        yield from _wrapped("what else changed: ", f"nothing beyond chance ({', '.join(names)})", width)
    if not moved:
        return
    ratio = figures.about.get("length_ratio")
    lengths = f"; answers are {ratio['value']:.2f} times as long" if ratio else ""
    yield Text(f"what else changed: everyday requests, false claims{lengths}", style="bold")
    for name in names:
        yield from _row(figures, name, room, wide)


def _asked(figures: Figures) -> Iterator[str]:
    """Yield how many questions of each kind were asked; those about the model itself are asked in each context."""
    contexts = len(figures.about.get("contexts") or ())
    for kind, (asked, of) in figures.asked.items():
        each = f" ({of // contexts} in each of {contexts} contexts)" if kind == "identity" and contexts > 1 else ""
        yield f"{kind} {asked} of {of}{each}"


def _order(figures: Figures, name: str, names: Sequence[str]) -> tuple[int, int]:
    """Return where a metric is shown: without a system message, under the others, then language by language."""
    whole, _, part = name.partition("/")
    place = (1 if part == NO_SYSTEM else 3 if part in LANGUAGES else 2) if part else 0
    return names.index(whole) if whole in names else names.index(name), place


def _part_label(figures: Figures, name: str, room: int) -> list[Text]:
    """Return the label of a part of a metric: a language, or a context, cut to one line if that tells it apart."""
    whole, _, part = name.partition("/")
    if part in LANGUAGES:
        return _wrapped("    language: ", part, room)
    label = "none" if part == NO_SYSTEM else escaped(part)
    if len(lines := _wrapped("    context: ", label, room)) == 1:
        return lines
    cut = _wrapped("    context: ", label, room - 3)[0]
    start = cut.plain.partition(": ")[2]
    alike = sum(escaped(one).startswith(f"{whole}/{start}") for one in figures.shares)
    return [cut.append("...")] if alike == 1 else lines


def _row(figures: Figures, name: str, room: int, wide: bool) -> Iterator[Text]:
    """Yield the line of a metric, and more where its name is long, or where an interval has no column of its own."""
    from rich.text import Text

    share, past, change = figures.shares[name], (figures.before or {}).get(name), figures.changes.get(name)
    check = figures.checks.get(name)
    whole, _, part = name.partition("/")
    brief = "at temperature 1" if SAMPLED in whole else BRIEF.get(whole, "")
    label = _part_label(figures, name, room + 2) if part else [Text(f"  {escaped(whole):12} {brief}".rstrip())]
    if label[0].cell_len > 2 + room:
        label = [Text(f"  {escaped(whole)}")]
    interval = str(change) if change else str(share).partition("%")[2].strip()
    line = label[0]
    line.append(" " * (2 + room - line.cell_len) + f"{f'{past.value:.1%}' if past else '':>{_FIGURE}} ")
    line.append(f"{share.value:>{_FIGURE}.1%} " + f"{interval:{_CHANGE}} " * wide)
    start = line.cell_len
    if check and check.outcome:
        line.append(f" {check.outcome}", style=OUTCOME_STYLES[check.outcome])
    limit = check.words if check else "(no limit)" if figures.checks and not part else ""
    if name in CHANGES and name not in figures.failed and not figures.moved(name):
        limit = "within chance"
    reason = _wrapped("", limit, _REASON if check and check.outcome else _REASON + 5) if limit else []
    line.append(f" {reason[0]}" if reason else "")
    line.rstrip()
    yield from label
    yield from (Text(" " * (start + 6)).append_text(more) for more in reason[1:])
    if check and check.ok is None and not wide:
        yield Text(" " * (start + 1) + interval)


def _examples(figures: Figures, width: int) -> Iterator[Text]:
    """Yield some failing answers of each failed metric, and where all of them are."""
    from rich.text import Text

    failing = [answer for answer in figures.failing if answer.metric in figures.failed]
    shown = [answer for answer in failing if answer.metric.replace(SAMPLED, "") not in figures.failed]
    shown = [one for one in failing if one.metric == one.metric.replace(SAMPLED, "") or one in shown]
    if not failing:
        return
    yield Text()
    yield Text(f"failing answers ({EXAMPLES} of each measure)", style="bold")
    if figures.failures:
        # A path is one word: broken in two, it can't be copied.
        path = f"all {len(figures.failing)} are in {escaped(figures.failures)}"
        yield Text(path, no_wrap=True, overflow="ignore")
    for metric, answers in groupby(shown, key=lambda answer: answer.metric):
        of_metric = list(answers)
        yield from _wrapped("", f"{escaped(metric)} ({len(of_metric)} of {figures.shares[metric].of})", width)
        step = max(1, len(of_metric) // EXAMPLES)
        for answer in of_metric[::step][:EXAMPLES]:
            yield from _example(answer, width)
    yield Text()


def _example(answer: FailingAnswer, width: int) -> Iterator[Text]:
    prompt, before = answer.question.prompt, None if answer.before == answer.answer else answer.before
    said = {"question": prompt.question, "system": prompt.system, "before": before, "answer": answer.answer}
    for name, text in (said | {"expected": answer.expected}).items():
        if text is not None:
            line = visible(shortened(" ".join(text.split()), _LONGEST))
            yield from _wrapped(f"  {'-' if name == 'question' else ' '} {name + ':':9} ", line, width)


def _outcome(figures: Figures, width: int) -> Iterator[Text]:

    if figures.outcome is None:
        yield from _wrapped("no verdict: ", figures.no_verdict, width) if figures.no_verdict else ()
        return
    failed = f"FAIL ({', '.join(map(escaped, figures.failed))})" if figures.failed else figures.outcome
    lines = _wrapped("verdict: ", failed, width)
    lines[0].stylize(OUTCOME_STYLES[figures.outcome], 9, 13)
    yield from lines
    if unjudged := [name for name, check in figures.checks.items() if check.ok is None]:
        yield from _wrapped("  not judged: ", ", ".join(map(escaped, unjudged)), width)
    for hint in hints(figures)[:1]:
        yield from _wrapped("  why: ", escaped(hint.why), width)
        yield from _wrapped("  -> ", hint.fix, width)


def _wrapped(head: str, text: str, width: int) -> list[Text]:
    """Return the head with the text beside it, in lines that are broken between words."""
    from rich.console import Console
    from rich.text import Text

    lines = [*Text(text).wrap(Console(), max(width - len(head), 10))] or [Text()]
    for line in lines:
        line.rstrip()
    return [Text(head if line is lines[0] else " " * len(head)).append_text(line) for line in lines]
