"""Why a verdict fails, and what to do: a table of causes, each with the condition under which it is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..text import plural
from .figures import Figures
from .metrics import base_name, with_suffix
from .questions import NO_SYSTEM

_LEARNED = 0.8
"""The share of answers from which on a name counts as learned."""
_BEHIND = 0.2
"""How far behind the best part (a language, a context) one is in which the name is not learned."""
_FEW_PAIRS = 500
_FEW_SEEN = 0.25
_LANGUAGES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True)
class Hint:
    """Why a metric failed, and what to do about it."""

    metric: str
    why: str
    fix: str

    def as_json(self) -> dict[str, str]:
        """Return `{"metric", "why", "fix"}`."""
        return dict(vars(self))


@dataclass(frozen=True)
class Cause:
    """A cause for which a metric may fail: `why` returns it with its figures, or None where it is not the cause."""

    metric: str
    why: Callable[[Figures], str | None]
    fix: str


def hints(figures: Figures) -> list[Hint]:
    """Return a hint for each failed metric, in the order of `CAUSES`; parts of a metric count as the metric."""
    failed = dict.fromkeys(name.partition("/")[0] for name in figures.failed)
    found: dict[str, Hint] = {}
    for cause in CAUSES:
        if cause.metric in failed and cause.metric not in found and (why := cause.why(figures)):
            found[cause.metric] = Hint(cause.metric, why, cause.fix)
    for name in figures.failed:
        metric = name.partition("/")[0]
        if metric not in found:
            found[metric] = Hint(metric, f"{name} does not hold: {figures.checks[name].words}", _LOOK)
    return list(found.values())


def _share(figures: Figures, metric: str) -> float:
    share = figures.shares.get(metric)
    return share.value if share else 0.0


def _training(figures: Figures, name: str) -> int | None:
    number = (figures.about.get("training") or {}).get(name)
    return number if isinstance(number, int) else None


def _few_seen(figures: Figures) -> str | None:
    seen, pairs, steps = (_training(figures, name) for name in ("seen", "pairs", "steps"))
    if seen is None or pairs is None or seen > _FEW_SEEN * pairs:
        return None
    return f"the training saw {seen} of {pairs} pairs ({plural(steps or 0, 'step')})"


def _few_pairs(figures: Figures) -> str | None:
    pairs = _training(figures, "pairs")
    if pairs is None or pairs >= _FEW_PAIRS:
        return None
    return f"there {'was' if pairs == 1 else 'were'} only {plural(pairs, 'pair')} to train on"


def _one_language(figures: Figures) -> str | None:
    if not (uneven := _uneven(figures, _LANGUAGES)):
        return None
    good, bad = (f"{_LANGUAGES[part]} ({_share(figures, f'new_name/{part}'):.0%})" for part in uneven)
    return f"the name is learned in {good} and not in {bad}"


def _one_context(figures: Figures) -> str | None:
    if not (uneven := _uneven(figures, figures.about.get("contexts") or ())):
        return None
    named = ("without a system message" if part == NO_SYSTEM else f"under '{part:.40}'" for part in uneven)
    shares = (f"({_share(figures, f'new_name/{part}'):.0%})" for part in uneven)
    good, bad = map(" ".join, zip(named, shares, strict=True))
    return f"the name is learned {good} and not {bad}"


def _uneven(figures: Figures, parts: Iterable[str]) -> tuple[str, str] | None:
    """Return in which part the name is said most and in which least, if it is learned in the first alone."""
    shares = {part: _share(figures, f"new_name/{part}") for part in parts if f"new_name/{part}" in figures.shares}
    good, bad = (choose(shares, key=lambda part: shares[part], default="") for choose in (max, min))
    return (good, bad) if shares and shares[good] >= _LEARNED and shares[good] - shares[bad] > _BEHIND else None


def _parts_without_sft(figures: Figures) -> str | None:
    loss = (figures.about.get("training") or {}).get("loss_type")
    if not isinstance(loss, list) or "sft" in loss:
        return None
    return f"{_share(figures, 'half_name'):.0%} of the answers have a part of the name, and the loss has no sft term"


def _mostly(metric: str, what: str) -> Callable[[Figures], str | None]:
    """Return the cause that most of the answers without the new name are of one kind."""
    suffix = metric.removeprefix(base_name(metric))

    def why(figures: Figures) -> str | None:
        share, missing = _share(figures, metric), 1 - _share(figures, with_suffix("new_name", suffix))
        return f"{share:.1%} of {what}" if share > missing / 2 else None

    return why


def _only_sampled(figures: Figures) -> str | None:
    greedy = figures.checks.get("new_name")
    if not (greedy and greedy.ok):
        return None
    return f"the name is learned, but only {_share(figures, 'new_name@t1'):.0%} of sampled answers have it"


def _lost(metric: str, what: str) -> Callable[[Figures], str | None]:
    """Return the cause that questions were right before the training and are wrong after it."""

    def why(figures: Figures) -> str | None:
        change, check = figures.changes.get(metric), figures.checks.get(metric)
        if not (change and check and check.threshold.needs_base):
            return None
        return f"{change.lost} of {change.of} {what} only before the training"

    return why


def _already(metric: str) -> Callable[[Figures], str | None]:
    """Return the cause that the base misses the limit, too, whatever the training did."""

    def why(figures: Figures) -> str | None:
        check, before = figures.checks.get(metric), (figures.before or {}).get(metric)
        rule = check.threshold.rule if check else None
        if not (check and before) or rule not in ("at least", "at most"):
            return None
        missed = check.threshold.limit - before.value if rule == "at least" else before.value - check.threshold.limit
        return f"{metric} was {before.value:.1%} before the training already" if missed > 0 else None

    return why


_MORE_OF_THEM = "train on more of them: a larger --max_samples or --num_train_epochs, and no --max_steps"
_LONGER = "train longer (--num_train_epochs 2) or on more pairs (--max_samples)"
_GENTLER = "lower --learning_rate, or add general pairs: pairforge correct --retain 0.3"
_COUNTER = "add pairs in which the new name is wrong: pairforge correct --counter 0.3"
_KEPT = ("leak", "leak@t1", "general", "general@t1", "controls", "obedience", "repetition", "unanswered")
_LOOK = "look at the failing answers"
CAUSES = (
    Cause("new_name", _few_seen, _MORE_OF_THEM),
    Cause("half_name", _parts_without_sft, "--loss_type sigmoid sft, which is the default for corrections"),
    Cause("new_name", _few_pairs, "make more: pairforge correct with more prompts (-p) and without --limit"),
    Cause("new_name", _one_language, "make pairs from prompts in that language, too: pairforge correct -p FILE"),
    Cause("new_name", _one_context, "make pairs in both contexts: pairforge correct --no-system --system TEXT"),
    Cause("new_name", _mostly("old_name", "the answers still have the old name"), _LONGER),
    Cause(
        "new_name",
        _mostly("half_name", "the answers have only a part of the name"),
        "--loss_type sigmoid sft, or more pairs",
    ),
    Cause(
        "new_name",
        _mostly("neither", "the answers have neither name"),
        f"{_LOOK}; if they make no sense, lower --learning_rate",
    ),
    Cause("new_name@t1", _few_seen, _MORE_OF_THEM),
    Cause("new_name@t1", _only_sampled, _LONGER),
    Cause("new_name@t1", _mostly("old_name@t1", "the sampled answers still have the old name"), _LONGER),
    *(Cause(name, _already(name), "use a limit that compares: 'loses at most', 'rises at most'") for name in _KEPT),
    Cause("leak", lambda f: f"{_share(f, 'leak'):.1%} of the answers to other questions have the new name", _COUNTER),
    Cause("leak@t1", lambda f: f"{_share(f, 'leak@t1'):.1%} of sampled answers have the new name unasked", _COUNTER),
    Cause("general", _lost("general", "general questions are answered correctly"), _GENTLER),
    Cause("general@t1", _lost("general@t1", "general questions are answered correctly"), _GENTLER),
    Cause("controls", _lost("controls", "questions about others are answered correctly"), _COUNTER),
    Cause("obedience", _lost("obedience", "system messages that give a name are followed"), _COUNTER),
    Cause("half_name", lambda f: f"{_share(f, 'half_name'):.0%} of the answers have only a part of the name", _LONGER),
    Cause("repetition", lambda f: f"{_share(f, 'repetition'):.1%} of the answers repeat themselves", _GENTLER),
    Cause("unanswered", lambda f: f"{_share(f, 'unanswered'):.1%} of the questions have no answer or no score", _LOOK),
    Cause(
        "win_rate",
        lambda f: f"the judge prefers {_share(f, 'win_rate'):.1%} of the answers, not surely more than half",
        "make more pairs, of more answers to each prompt: pairforge onpolicy --n 8",
    ),
)
"""The likeliest root causes first; of several for one metric, the first that holds counts."""
