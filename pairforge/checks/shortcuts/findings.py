"""The thresholds: how bad is a cue, how bad is a set.

PF3xx: the kinds of shortcut, why each matters, and the sentence that says what was seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from ...types import Finding, Severity
from ..rule import BALANCE, Seen, rule, rules_over
from .report import VERDICTS, Cue, Grade, Report, Severity3, ShareInterval

BALANCED = 0.6
"""A term is balanced where it wins at most this share of the prompts that it tells apart."""
PARTLY = 0.9
"""Below, some of it is balanced."""
_OF_GRADE: dict[Grade, Severity3] = {"low": "ok", "medium": "watch", "high": "high", "critical": "critical"}


def grade(win_rate_low: float, coverage: float, lift: float) -> Grade:
    """critical: wins 95 % of at least half of the prompts; high: 90 % of a tenth, or lifts a rule by 0.2 over chance;
    medium: 80 % of a hundredth (1 % is enough to bias a reward model: Zhang et al. 2025). By the lower bounds.
    """
    if win_rate_low >= 0.95 and coverage >= 0.5:
        return "critical"
    if (win_rate_low >= 0.9 and coverage >= 0.1) or lift >= 0.2:
        return "high"
    return "medium" if win_rate_low >= 0.8 and coverage >= 0.01 else "low"


def predictability(reader: ShareInterval) -> Severity3:
    """By the lower end of the reader's interval: watch from 0.65, high from 0.80, critical from 0.95."""
    return VERDICTS[sum(reader.low >= least for least in (0.65, 0.80, 0.95))]


def verdict(reader: Severity3, grades: Iterable[Grade]) -> Severity3:
    """The worse of the reader's and of the worst cue's."""
    return max([reader, *(_OF_GRADE[one] for one in grades)], key=VERDICTS.index)


_SEVERITY: dict[Grade, Severity] = {"low": "info", "medium": "warning", "high": "error", "critical": "error"}


@rule("PF301", "warning", over="cue", kinds=["length"])
def length(cue: Cue) -> Iterator[Seen]:
    """One side is mostly the longer one. DPO learns to write longer (or shorter) before it learns anything else."""
    yield f"{_more(cue)}: {_wins(cue)}", ""


@rule("PF302", "warning", over="cue", kinds=["style"], fix=BALANCE)
def style(cue: Cue) -> Iterator[Seen]:
    """A habit of format (lists, bold, spaces at the edges, leaked tokens ...) tells the sides apart.

    A share of 1 % of such pairs is enough to bias a reward model, and what is trained against it exploits the bias
    (Zhang et al. 2025, From Lists to Emojis).
    """
    yield f"{_more(cue)}: {_wins(cue)}", ""


@rule("PF303", "warning", over="cue", kinds=["first"])
def first(cue: Cue) -> Iterator[Seen]:
    """The first words tell the sides apart: generated first, they let a model win before it says anything."""
    yield f"{_held(cue, 'opens')}: {_wins(cue)}", ""


@rule("PF304", "warning", over="cue", kinds=["last"])
def last(cue: Cue) -> Iterator[Seen]:
    """The last words tell the sides apart: mostly a phrase that one source appends, or answers that were cut off."""
    yield f"{_held(cue, 'closes')}: {_wins(cue)}", ""


@rule("PF305", "warning", over="cue", kinds=["words"])
def words(cue: Cue) -> Iterator[Seen]:
    """A word or phrase stands mostly on one side. A model that learns only this word satisfies the loss.

    Found by the exact sign test over the pairs in which it stands on one side only: a word that both sides hold gives
    DPO no gradient.
    """
    yield f"{_held(cue, 'stands in')}: {_wins(cue)}", ""


@rule("PF308", "warning", over="cue", kinds=["parts", "pattern"])
def form(cue: Cue) -> Iterator[Seen]:
    """A form tells the sides apart, whatever the words: dates, capitals, line breaks, spaces, the start of words.

    In a form `a`, `Aa`, `AA` and `A` stand for words by their case, `0` for a digit, `字` for characters of a script
    without spaces, `^` and `$` for the start and the end of the answer; `organ-` and `-ise` for parts of words.
    """
    name = "a word like" if cue.kind == "parts" else "text of the form"
    yield f"{name} {_held(cue, 'stands in')}: {_wins(cue)}", ""


@rule("PF306", "warning", over="classifier")
def predictable(reader: ShareInterval) -> Iterator[Seen]:
    """A reader who never sees the prompt tells chosen from rejected by surface alone.

    Preferences about content are told so in 65-85 % of pairs; more is a trace of how the set was made.
    """
    spread = max(reader.high - reader.value, reader.value - reader.low)
    yield f"a blind reader picks chosen in {reader.value:.1%} ± {spread:.1%} of pairs", ""


@rule("PF307", "warning", over="cue", kinds=["term"])
def intended(cue: Cue) -> Iterator[Seen]:
    """What is meant to differ tells the sides apart, and nothing says where it would be wrong.

    The model can win by always saying it. Counter-pairs, in which the term stands in the rejected answer because the
    question is about something else, balance it.
    """
    if not cue.coverage:
        yield f"{cue.feature!r}, expected, stands on one side in no pair", ""
    elif cue.balanced:
        yield f"{_held(cue, 'stands in')}: intended, balanced by counter-pairs (it wins {_percent(cue.win_rate)})", ""
    else:
        state = "unbalanced" if cue.win_rate >= PARTLY else f"partly balanced (balanced: up to {_percent(BALANCED)})"
        more = "add counter-pairs, in which it is wrong: pairforge correct --counter 1"
        yield f"{_held(cue, 'stands in')}: {cue.grade}, intended, {state}: {_wins(cue)}; {more}", ""


def finding(cue: Cue) -> Finding:
    """The finding of a cue. What is intended is never an error."""
    severity = _SEVERITY[cue.grade]
    if cue.intended:
        severity = "info" if cue.balanced or cue.grade == "low" else "warning"
    found = next(one for one in rules_over("cue") if cue.kind in one.kinds)
    ((message, path),) = found.see(cue)
    return Finding(found.code, severity, message, None, path, asdict(cue))


def reader_finding(reader: ShareInterval, verdict: str) -> Finding:
    """The finding of a set that a blind reader sees through."""
    (found,) = rules_over("classifier")
    ((message, path),) = found.see(reader)
    severity: Severity = "warning" if verdict == "watch" else "error"
    more = asdict(reader) | {"kind": "reader", "feature": "all", "grade": verdict, "intended": False}
    return Finding(found.code, severity, message, None, path, more)


def headline(report: Report) -> str:
    """The report in one sentence."""
    return f"{report.verdict}: {next(iter(predictable(report.reader)))[0]} ({report.prompts} prompts)"


def _percent(share: float) -> str:
    """A share in percent; only what is exactly all or nothing reads as 100 % or 0 %."""
    if 0 < share < 0.01 or 0.99 < share < 1:
        return f"{100 * share:.1f} %" if 0.0005 <= share <= 0.9995 else "nearly " + ("all" if share > 0.5 else "none")
    return f"{100 * share:.0f} %"


def _held(cue: Cue, verb: str) -> str:
    chosen, rejected = _percent(cue.chosen_rate), _percent(cue.rejected_rate)
    return f"{cue.phrase!r} {verb} {chosen} of chosen and {rejected} of rejected answers"


def _more(cue: Cue) -> str:
    chosen, rejected = _percent(cue.chosen_rate), _percent(cue.rejected_rate)
    return f"more {cue.feature} in chosen in {chosen} of pairs, in rejected in {rejected}"


def _wins(cue: Cue) -> str:
    learns = "learns only this" if cue.favours == "chosen" else "learns only to avoid this"
    if cue.win_rate == 1 and cue.coverage == 1:
        return f"a model that {learns} wins every pair"
    wins, covers = _percent(cue.win_rate), _percent(cue.coverage)
    return f"a model that {learns} wins {wins} of the {covers} of prompts where the sides differ in it"
