"""Why a verdict fails, and what to do: a table of causes, each with the condition under which it is one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ..prompts import LANGUAGES
from ..text import plural
from .figures import Figures
from .metrics import BRIEF, CHANGES, METRICS, SAMPLED, base_name, with_suffix
from .questions import NO_SYSTEM
from .training_facts import TrainingFacts

_LEARNED = 0.8
"""The share of answers from which on a name counts as learned."""
_BEHIND = 0.2
"""How far behind the best part (a language, a context) one is in which the name is not learned."""
_THAT_LANGUAGE = (
    "make pairs from prompts in that language, too (pairforge correct -p FILE), or judge by the other alone: --lang"
)
_FEW_PAIRS = 500
_FEW_SEEN = 0.25
_FEW_STEPS = 100
_LIMITING = ("max_steps", "max_samples", "num_train_epochs")
"""The flags by which a training may be too short."""
_ENOUGH = 1200
"""Pairs, counted once for each epoch, that the default training learns from."""
_LOW, _HIGH = 0.1, 5.0
"""Multiples of the recipe's learning rate from which on a rate is far too low, or too high."""
_NO_MARGIN = 0.2
"""The reward margin below which a model has hardly changed."""


@dataclass(frozen=True)
class Hint:
    """Why a metric failed, and what to do about it.

    `flags` are those with which to train again: a new value, or "" for a flag that is to be left out. It is empty where
    that is not what helps.
    """

    metric: str
    why: str
    fix: str
    flags: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, str]:
        """Return `{"metric", "why", "fix"}`."""
        return {"metric": self.metric, "why": self.why, "fix": self.fix}


@dataclass(frozen=True)
class Remedy:
    """What to do, in words, and the flags of `Hint`."""

    words: str
    flags: Mapping[str, str] = field(default_factory=dict)


Fix: TypeAlias = "str | Remedy | Callable[[TrainingFacts], Remedy]"


@dataclass(frozen=True)
class Cause:
    """A cause for which a metric may fail: `why` returns it with its figures, or None where it is not the cause."""

    metric: str
    why: Callable[[Figures], str | None]
    fix: Fix

    def remedy(self, facts: TrainingFacts) -> Remedy:
        """Return what to do after such a training."""
        fix = self.fix(facts) if callable(self.fix) else self.fix
        return Remedy(fix) if isinstance(fix, str) else fix


def hints(figures: Figures) -> list[Hint]:
    """Return a hint for each failed metric, in the order of `CAUSES`; parts of a metric count as the metric."""
    failed = dict.fromkeys(name.partition("/")[0] for name in figures.failed)
    found: dict[str, Hint] = {}
    for cause in CAUSES:
        if cause.metric in failed and cause.metric not in found and (why := cause.why(figures)):
            remedy = cause.remedy(_facts(figures))
            found[cause.metric] = Hint(cause.metric, why, remedy.words, remedy.flags)
    for name in figures.failed:
        metric = name.partition("/")[0]
        if metric not in found:
            found[metric] = Hint(metric, f"{name} does not hold: {figures.checks[name].words}", _LOOK)
    return list(found.values())


def _share(figures: Figures, metric: str) -> float:
    share = figures.shares.get(metric)
    return share.value if share else 0.0


def _facts(figures: Figures) -> TrainingFacts:
    return TrainingFacts.read(figures.about.get("training"))


def _stopped(figures: Figures) -> str | None:
    return _facts(figures).stop or None


def _again(words: list[str], flags: Mapping[str, str], facts: TrainingFacts) -> Remedy:
    """Return the remedy to train again with these flags, and without those that allow too few steps."""
    planned = facts.planned or facts.steps or 0
    limiting = [name for name in _LIMITING if name in facts.given and planned < _FEW_STEPS]
    words += [f"without --{name}" for name in limiting]
    return Remedy(f"train again {' and '.join(words)}", {**flags, **dict.fromkeys(limiting, "")})


def _without_rate(facts: TrainingFacts) -> str:
    return "without --learning_rate" + (f" (the default is {facts.usual_rate:g})" if facts.usual_rate else "")


def after_stop(facts: TrainingFacts) -> Remedy:
    """Return what to do after the guard has stopped a training: the recipe's loss and rate, or a lower rate."""
    flags: dict[str, str] = {}
    words: list[str] = []
    if facts.lacks_sft:
        flags |= {"loss_type": "", "loss_weights": ""}
        words.append(f"without --loss_type (the default is {' '.join(facts.usual_loss) or 'sigmoid sft'})")
    if (facts.times_the_usual_rate or 0) > 1.01:
        flags["learning_rate"] = ""
        words.append(_without_rate(facts))
    if not words and facts.learning_rate:
        flags["learning_rate"] = f"{facts.learning_rate / 3:.1g}"
        words.append(f"with --learning_rate {flags['learning_rate']}")
    return _again(words or ["with a lower --learning_rate"], flags, facts)


def _usual_rate(facts: TrainingFacts) -> Remedy:
    return _again([_without_rate(facts)], {"learning_rate": ""}, facts)


def _unchanged(figures: Figures) -> list[str]:
    """Return what shows that the model has hardly changed."""
    margin, change = _facts(figures).margin, figures.changes.get("new_name")
    small = margin is not None and abs(margin) < _NO_MARGIN
    same = change is not None and change.gained == change.lost == 0
    return ([f"reward margin {margin:.2g}"] if small else []) + (["no more answers have the new name"] if same else [])


def _rate_too_low(figures: Figures) -> str | None:
    facts = _facts(figures)
    times = facts.times_the_usual_rate
    if times is None or times > _LOW:
        return None
    seen = f" ({', '.join(found)})" if (found := _unchanged(figures)) else ""
    low = f"--learning_rate {facts.learning_rate:g} is {1 / times:.0f} times below the default {facts.usual_rate:g}"
    return f"the model has hardly changed{seen}; {low}" if found else low


def _rate_too_high(figures: Figures) -> str | None:
    facts = _facts(figures)
    times = facts.times_the_usual_rate
    if times is None or times < _HIGH:
        return None
    return f"--learning_rate {facts.learning_rate:g} is {times:.0f} times the default {facts.usual_rate:g}"


def _few_seen(figures: Figures) -> str | None:
    facts = _facts(figures)
    if facts.seen is None or facts.pairs is None or facts.seen > _FEW_SEEN * facts.pairs:
        return None
    return f"the training saw {facts.seen} of {facts.pairs} pairs ({plural(facts.steps or 0, 'step')})"


def _more_of_them(facts: TrainingFacts) -> Remedy:
    limiting = [name for name in _LIMITING if name in facts.given]
    if not limiting:
        return Remedy("train on more of them: a larger --max_samples or --num_train_epochs, and no --max_steps")
    flags = " and ".join(f"--{name}" for name in limiting)
    return Remedy(f"train on more of them: leave out {flags}", dict.fromkeys(limiting, ""))


def _few_pairs(figures: Figures) -> str | None:
    facts = _facts(figures)
    if facts.pairs is None or facts.pairs >= _FEW_PAIRS:
        return None
    were = f"there {'was' if facts.pairs == 1 else 'were'} only {plural(facts.pairs, 'pair')} to train on"
    return f"{were} ({plural(facts.steps, 'step')})" if facts.steps is not None else were


def _more_pairs(facts: TrainingFacts) -> Remedy:
    if not facts.pairs or facts.steps is None or facts.steps >= _FEW_STEPS:
        return Remedy(_MORE_PAIRS)
    epochs = {"num_train_epochs": str(math.ceil(_ENOUGH / facts.pairs)), "max_steps": "", "max_samples": ""}
    return Remedy(f"--num_train_epochs {epochs['num_train_epochs']}, or {_MORE_PAIRS}", epochs)


def _has_hardly_changed(figures: Figures) -> str | None:
    seen = _unchanged(figures)
    return f"the model has hardly changed ({', '.join(seen)})" if len(seen) > 1 else None


def _one_language(figures: Figures) -> str | None:
    if not (uneven := _uneven(figures, LANGUAGES)):
        return None
    good, bad = (f"{LANGUAGES[part]} ({_share(figures, f'new_name/{part}'):.0%})" for part in uneven)
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
    if not _facts(figures).lacks_sft:
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


def _moved(metric: str) -> Callable[[Figures], str | None]:
    """Return the cause that answers to other questions have changed."""

    def why(figures: Figures) -> str | None:
        if not (change := figures.changes.get(metric)):
            return None
        what = f"{metric}: {BRIEF[metric]} in {change.gained} of {change.of} answers"
        return f"answers to other questions have changed ({what} in which it was not so before)"

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


_MORE_PAIRS = "make more pairs: pairforge correct asks all bundled questions without -p and --limit"
_LONGER = Remedy("train longer (--num_train_epochs 2) or on more pairs (--max_samples)", {"num_train_epochs": "2"})
_WITH_SFT = Remedy(
    "train again with --loss_type sigmoid sft, which is the default for corrections",
    {"loss_type": "", "loss_weights": ""},
)


def _gentler(facts: TrainingFacts) -> Remedy:
    lower = f"{facts.learning_rate / 3:.1g}" if facts.learning_rate else ""
    rate = f"lower --learning_rate{f' ({lower})' if lower else ''}"
    words = f"{rate}, or add general pairs: pairforge correct --retain 0.3"
    return Remedy(words, {"learning_rate": lower} if lower else {})


_COUNTER = "add pairs in which the new name is wrong: pairforge correct --counter 0.3"
_KEPT = ("leak", "leak@t1", "general", "general@t1", "controls", "obedience", "repetition", "unanswered")
_LOOK = "look at the failing answers"
_ALL = (*METRICS, *(f"{name}{SAMPLED}" for name in METRICS))
_LEARNED_ONES = ("new_name", "new_name@t1", "win_rate")
CAUSES = (
    *(Cause(name, _stopped, after_stop) for name in _ALL),
    *(Cause(name, _rate_too_low, _usual_rate) for name in _LEARNED_ONES),
    *(Cause(name, _rate_too_high, _usual_rate) for name in _ALL),
    Cause("new_name", _few_seen, _more_of_them),
    Cause("half_name", _parts_without_sft, _WITH_SFT),
    Cause("new_name", _few_pairs, _more_pairs),
    Cause("new_name", _has_hardly_changed, "train longer, or with a higher --learning_rate"),
    Cause("new_name", _one_language, _THAT_LANGUAGE),
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
    Cause("new_name@t1", _few_seen, _more_of_them),
    Cause("new_name@t1", _only_sampled, _LONGER),
    Cause("new_name@t1", _mostly("old_name@t1", "the sampled answers still have the old name"), _LONGER),
    *(Cause(name, _already(name), "use a limit that compares: 'loses at most', 'rises at most'") for name in _KEPT),
    Cause("leak", lambda f: f"{_share(f, 'leak'):.1%} of the answers to other questions have the new name", _COUNTER),
    Cause("leak@t1", lambda f: f"{_share(f, 'leak@t1'):.1%} of sampled answers have the new name unasked", _COUNTER),
    Cause("general", _lost("general", "general questions are answered correctly"), _gentler),
    Cause("general@t1", _lost("general@t1", "general questions are answered correctly"), _gentler),
    Cause("controls", _lost("controls", "questions about others are answered correctly"), _COUNTER),
    Cause("obedience", _lost("obedience", "system messages that give a name are followed"), _COUNTER),
    Cause("half_name", lambda f: f"{_share(f, 'half_name'):.0%} of the answers have only a part of the name", _LONGER),
    *(Cause(name, _moved(name), _gentler) for name in CHANGES),
    Cause("repetition", lambda f: f"{_share(f, 'repetition'):.1%} of the answers repeat themselves", _gentler),
    Cause("unanswered", lambda f: f"{_share(f, 'unanswered'):.1%} of the questions have no answer or no score", _LOOK),
    Cause(
        "win_rate",
        lambda f: f"the judge prefers {_share(f, 'win_rate'):.1%} of the answers, not surely more than half",
        "make more pairs, of more answers to each prompt: pairforge onpolicy --n 8",
    ),
)
"""The likeliest root causes first; of several for one metric, the first that holds counts."""
