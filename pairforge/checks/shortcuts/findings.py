"""The PF3xx rules: how bad a shortcut is, why each kind matters, and the message that describes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from ...statistics import Share
from ...types import Finding, Severity
from ..rule import BALANCE, Seen, rule, rules_over
from .features import CLASSES
from .report import RISK_LEVELS, Cue, Grade, RiskLevel, share_json
from .style import EDGES

BALANCED = 0.6
"""A term is balanced where it wins at most this share of the prompts that it tells apart."""
PARTLY = 0.9
"""Below, a term is partly balanced."""
_LEVEL: dict[Grade, RiskLevel] = {"low": "ok", "medium": "watch", "high": "high", "critical": "critical"}
_SEVERITY: dict[Grade, Severity] = {"low": "info", "medium": "warning", "high": "error", "critical": "error"}


def grade(win_rate_low: float, coverage: float, lift: float) -> Grade:
    """Return how bad a cue is, by the lower end of its win rate.

    critical: wins 95 % of at least half of the prompts; high: 90 % of a tenth, or a rule by it gains 0.2 over chance;
    medium: 80 % of a hundredth (1 % is enough to bias a reward model: Zhang et al. 2025).
    """
    if win_rate_low >= 0.95 and coverage >= 0.5:
        return "critical"
    if (win_rate_low >= 0.9 and coverage >= 0.1) or lift >= 0.2:
        return "high"
    return "medium" if win_rate_low >= 0.8 and coverage >= 0.01 else "low"


def predictability_level(low: float) -> RiskLevel:
    """Return the level for the lower end of the classifier's accuracy: 0.65 watch, 0.80 high, 0.95 critical."""
    return RISK_LEVELS[sum(low >= least for least in (0.65, 0.80, 0.95))]


def worst_level(level: RiskLevel, grades: Iterable[Grade]) -> RiskLevel:
    """Return the worst of a level and of the grades of cues."""
    return max([level, *(_LEVEL[one] for one in grades)], key=RISK_LEVELS.index)


@rule("PF301", "warning", over="cue", kinds=["length"])
def length(cue: Cue) -> Iterator[Seen]:
    """One side is mostly the longer one. DPO learns to write longer (or shorter) before it learns anything else."""
    yield f"{_more(cue)}: {_wins(cue)}", ""


@rule("PF302", "warning", over="cue", kinds=["style"], fix=BALANCE)
def style(cue: Cue) -> Iterator[Seen]:
    """A habit of format (lists, bold, spaces at the edges, leaked tokens ...) tells the sides apart.

    A share of 1 % of such pairs is enough to bias a reward model, and what is trained against it exploits the bias
    (Zhang et al. 2025, From Lists to Emojis). A habit that nearly all pairs have can't be balanced away: make others.
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
    """A word or phrase is mostly on one side. A model that learns only this word satisfies the loss.

    Found by the exact sign test over the pairs in which it is on one side only: a word on both sides gives DPO no
    gradient.
    """
    yield f"{_held(cue, 'is in')}: {_wins(cue)}", ""


@rule("PF308", "warning", over="cue", kinds=["parts", "pattern"])
def form(cue: Cue) -> Iterator[Seen]:
    """A form tells the sides apart, whatever the words: dates, capitals, line breaks, spaces, the start of words.

    In a form `a`, `Aa`, `AA` and `A` mean words by their case, `0` a digit, `字` characters of a script without spaces,
    `^` and `$` the start and the end of the answer; `organ-` and `-ise` are parts of words.
    """
    if len(cue.tokens) == 1 and cue.tokens[0] in CLASSES:
        yield f"any {CLASSES[cue.tokens[0]]} {_shares(cue, 'is in')}: {_wins(cue)}", ""
        return
    name = "a word like" if cue.kind == "parts" else "text of the form"
    signs = dict.fromkeys(sign for sign in cue.tokens if sign in CLASSES) if cue.kind == "pattern" else ()
    legend = f" ({', '.join(f'{sign}: any {CLASSES[sign]}' for sign in signs)})" if signs else ""
    yield f"{name} {cue.phrase!r}{legend} {_shares(cue, 'is in')}: {_wins(cue)}", ""


@rule("PF306", "warning", over="classifier")
def predictable(accuracy: Share) -> Iterator[Seen]:
    """A classifier that never sees the prompt distinguishes chosen from rejected by surface features alone.

    For preferences about content it does so in 65-85 % of pairs; more is a trace of how the pairs were made.
    """
    low, high = accuracy.interval
    share = f"{accuracy.value:.1%} of pairs ({low:.1%} to {high:.1%})"
    yield f"without seeing the prompt, a simple classifier picks the chosen answer in {share}", ""


@rule("PF307", "info", over="cue", kinds=["term"])
def intended(cue: Cue) -> Iterator[Seen]:
    """What is meant to differ tells the sides apart, and no pair shows where it would be wrong.

    The model can win by always saying it. Counter-pairs, in which the term is in the rejected answer because the
    question is about something else, balance it.
    """
    if not cue.coverage:
        yield f"the expected term {cue.feature!r} is on one side only in no pair", ""
    elif cue.balanced:
        yield f"{_held(cue, 'is in')}: intended, balanced by counter-pairs (it wins {_percent(cue.win_rate)})", ""
    else:
        partly = f" and partly balanced (balanced: it wins up to {_percent(BALANCED)})" if cue.win_rate < PARTLY else ""
        more = "pairforge correct --counter 0.3 adds pairs in which it is wrong"
        yield f"{_held(cue, 'appears in')}. That is intended{partly}; {more}", ""


def cue_finding(cue: Cue) -> Finding:
    """Return the finding of a cue. What is intended is nothing to correct."""
    severity: Severity = "info" if cue.intended else _SEVERITY[cue.grade]
    found = next(one for one in rules_over("cue") if cue.kind in one.kinds)
    ((message, path),) = found.see(cue)
    return Finding(found.code, severity, message, None, path, asdict(cue))


def predictability_finding(accuracy: Share, level: RiskLevel) -> Finding:
    """Return the finding of a dataset whose chosen answers a classifier picks without the prompt."""
    (found,) = rules_over("classifier")
    ((message, path),) = found.see(accuracy)
    severity: Severity = "warning" if level == "watch" else "error"
    more = share_json(accuracy) | {"kind": "reader", "feature": "all", "grade": level, "intended": False}
    return Finding(found.code, severity, message, None, path, more)


def _percent(share: float) -> str:
    """Return a share in percent; only what is exactly all or nothing becomes 100 % or 0 %."""
    if 0 < share < 0.01 or 0.99 < share < 1:
        return f"{100 * share:.1f} %" if 0.0005 <= share <= 0.9995 else "nearly " + ("all" if share > 0.5 else "none")
    return f"{100 * share:.0f} %"


def _held(cue: Cue, verb: str) -> str:
    return f"{cue.phrase!r} {_shares(cue, verb)}"


def _shares(cue: Cue, verb: str) -> str:
    chosen, rejected = _percent(cue.chosen_rate), _percent(cue.rejected_rate)
    return f"{verb} {chosen} of chosen and {rejected} of rejected answers"


def _more(cue: Cue) -> str:
    chosen, rejected = _percent(cue.chosen_rate), _percent(cue.rejected_rate)
    other = "rejected" if cue.favours == "chosen" else "chosen"
    rates = {"chosen": cue.chosen_rate, "rejected": cue.rejected_rate}
    if rates[cue.favours] == 1 and rates[other] == 0:
        if cue.feature in EDGES:
            return f"every {cue.favours} answer has {cue.feature}, no {other} one does"
        return f"every {cue.favours} answer has more {cue.feature} than the {other} one"
    if cue.feature in EDGES:
        return f"{cue.feature}: only in the chosen answer in {chosen} of pairs, only in the rejected one in {rejected}"
    return f"more {cue.feature}: in the chosen answer in {chosen} of pairs, in the rejected one in {rejected}"


def _wins(cue: Cue) -> str:
    learns = "learns only this" if cue.favours == "chosen" else "learns only to avoid this"
    if cue.win_rate == 1 and cue.coverage == 1:
        return f"a model that {learns} wins every pair"
    wins, covers = _percent(cue.win_rate), _percent(cue.coverage)
    return f"a model that {learns} wins {wins} of the {covers} of prompts where the sides differ in it"
