"""The verdict as a section of a model card. Whatever comes from outside stands in a code span that it can't leave."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ..types import visible
from .measures import METRICS

if TYPE_CHECKING:
    from .outcome import Verdict

_LONGEST = 200  # characters of a text from outside
_INTERVALS = (
    "In brackets 95 % intervals: Wilson's for a share; for a change, in points, Tango's for paired shares, question by "
    "question."
)
_DRAWN = " `@t1` marks answers drawn at temperature 1; all others are greedy."


def section(verdict: Verdict) -> str:
    """The section, from its heading on, with a line's end behind it."""
    failing = sum(not check.ok for check in verdict.checks.values())
    of = len(verdict.checks)
    said = f"**FAIL**: of {of} thresholds {failing} failed." if failing else f"**PASS**: all {of} thresholds hold."
    outcome = said if of else ""
    shown = dict.fromkeys(re.split("[/@]", name)[0] for name in verdict.shares)
    legend = [f"- `{name}`: {METRICS[name]}" for name in shown if name in METRICS]
    facts = [f"- {name}: {text}" for name, text in _facts(verdict)]
    notes = _INTERVALS + (_DRAWN if any("@" in name for name in verdict.shares) else "")
    parts = ["## Verdict", outcome, "\n".join(_table(verdict)), notes, "\n".join(facts), "\n".join(legend)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(verdict: Verdict) -> Iterator[str]:
    yield "| | before | now | change | |"
    yield "|---|--:|--:|--:|---|"
    for name, share in verdict.shares.items():
        past = (verdict.before or {}).get(name)
        cells = (code(name), str(past or ""), share, verdict.changes.get(name, ""), verdict.checks.get(name, ""))
        yield "| " + " | ".join(str(cell).strip() for cell in cells) + " |"


def _facts(verdict: Verdict) -> Iterator[tuple[str, str]]:
    about = verdict.about
    for name in ("model", "base", "judge"):
        if about.get(name):
            yield name, code(_away(str(about[name])))
    if rules := about.get("rules"):
        yield "names", ", ".join(f"{code(old)} to {code(new)}" for old, new in rules.items())
    if contexts := about.get("contexts"):
        yield "contexts", ", ".join(map(code, contexts))
    if verdict.asked:
        asked = [f"{asked} of {of} {code(name)}" for name, (asked, of) in verdict.asked.items()]
        yield "held-out questions", ", ".join(asked)
    yield from _settings(about)


def _settings(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "seed" in about:
        yield "seed", code(about["seed"])
    if versions := about.get("versions"):
        yield "versions", ", ".join(f"{code(name)} {code(version)}" for name, version in versions.items())


def _away(name: str) -> str:
    """Of an absolute path the last part: the folders of a machine are nobody's business."""
    path = PurePath(name.replace("\\", "/"))
    return path.name if path.is_absolute() or re.match(r"~|[A-Za-z]:/", str(path)) else name


def code(value: Any) -> str:
    """A code span of one line, in a table too: in it nothing is a link, markup or the end of a cell."""
    text = visible(str(value)).replace("\n", "\\n").replace("\t", "\\t") or " "
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + " [...]"
    text = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("|", "¦")  # no escape holds in every reader
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks} {text} {ticks}" if "`" in text else f"{ticks}{text}{ticks}"
