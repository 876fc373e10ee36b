"""What an audit returns.

The findings as a table for a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from ...text import visible
from ...types import Finding
from .plot import Point, draw

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table


Grade: TypeAlias = Literal["low", "medium", "high", "critical"]
Severity3: TypeAlias = Literal["ok", "watch", "high", "critical"]
VERDICTS: tuple[Severity3, ...] = ("ok", "watch", "high", "critical")


@dataclass(frozen=True)
class Cue:
    """One thing by which a model can tell chosen from rejected without reading them. Shares are of 1."""

    kind: str
    feature: str
    phrase: str
    """The feature with the words that nearly always stand around it."""
    favours: str
    """The side on which the feature mostly stands: a model that learns it goes there."""
    chosen_rate: float
    """Share of pairs whose chosen answer holds the feature (style, length: has more of it)."""
    rejected_rate: float
    separates: int
    """Prompts in which the feature stands on one side only."""
    coverage: float
    """Their share of all prompts."""
    win_rate: float
    """Share of these in which it points the way that it points in the other four fifths of the prompts."""
    win_rate_low: float
    """Lower end of the 90 % Wilson interval of `win_rate`."""
    lift: float
    """What a rule by this feature alone gains over chance: coverage x (win rate - 1/2)."""
    p: float
    """Exact two-sided sign test, one vote a prompt."""
    q: float
    """The same in the sample, corrected for the number of features in the family and of families."""
    z: float
    """(wins - losses) / sqrt(wins + losses) in the sample."""
    z_adjusted: float | None
    """What is left of it once the difference of length is known; None for length, or where the edit makes that."""
    q_adjusted: float | None
    grade: Grade
    intended: bool = False
    balanced: bool = False
    explains: tuple[str, ...] = ()
    """Other features that tell nothing more once this one is known."""
    examples: tuple[int, ...] = ()
    """Rows in which the feature points the way that wins."""
    tokens: tuple[str, ...] = ()
    """What the feature is made of; nothing for length and style."""


@dataclass(frozen=True)
class ShareInterval:
    """A share of pairs with its 95 % Wilson interval over prompts."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SampleSize:
    """What was looked at: `prompts` with `pairs` differing pairs; everything, or what was drawn."""

    prompts: int
    pairs: int
    whole: bool


class Hardness(Protocol):
    """How hard the pairs are for DPO on a model; its text is for a reader."""

    def as_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Report:
    """How cheaply chosen can be told from rejected, and by what."""

    rows: int
    prompts: int
    identical: int
    """Rows with the same answer on both sides: counted, and left out."""
    findings: list[Finding]
    verdict: Severity3
    reader: ShareInterval
    """Pairs in which a blind reader, who never sees the prompt, picks chosen; cross-validated by prompt."""
    unintended: ShareInterval | None
    """The same over the pairs that no expected term tells apart; None where these are too few."""
    by: Mapping[str, ShareInterval]
    """The same for a reader who sees one kind of feature only."""
    sampled: SampleSize
    tested: int
    sensitivity: int
    """The least number of prompts, all pointing one way, that the tests could have told from chance."""
    similarity: tuple[float, float, float]
    """Share of words that the two answers of a pair have in common: lower decile, median, upper decile."""
    cues: list[Cue] = field(default_factory=list)
    easiness: Mapping[int, float] = field(default_factory=dict, repr=False)
    """Per row of the sample, how easily the blind reader tells it, in bits: 1 at a glance, 0 by chance, les."""
    points: Sequence[Point] = field(default=(), repr=False)
    threshold: float = 5.0
    """The z from which a word is significant: the curve of the picture."""
    fail_on: Severity3 = "high"
    difficulty: Hardness | None = None
    """Where a model was named: what it says of the pairs. No part of the verdict."""

    @property
    def separability(self) -> float:
        """The share of pairs in which the blind reader picks chosen: 0.5 is chance."""
        return self.reader.value

    @property
    def ok(self) -> bool:
        """The verdict, which leaves out what was expected, is below the level that fails."""
        return VERDICTS.index(self.verdict) < VERDICTS.index(self.fail_on)

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object; the answers themselves take no part in it."""
        return {
            "command": "shortcuts",
            "ok": self.ok,
            "rows": self.rows,
            "findings": [finding.as_json() for finding in self.findings],
            "separability": self.separability,
            "verdict": self.verdict,
            "predictability": asdict(self.reader)
            | {"unintended": self.unintended and asdict(self.unintended)}
            | {"by": {kind: asdict(share) for kind, share in self.by.items()}},
            "sensitivity": {"prompts": self.sensitivity, "features": self.tested},
            "prompts": self.prompts,
            "identical": self.identical,
            "sampled": asdict(self.sampled),
            "similarity": dict(zip(("p10", "median", "p90"), self.similarity, strict=True)),
            "easiness": self._easiness(),
        } | ({"difficulty": self.difficulty.as_json()} if self.difficulty else {})

    def _easiness(self) -> dict[str, float]:
        values = sorted(self.easiness.values())
        return {f"p{tenth}0": values[len(values) * tenth // 10] for tenth in (1, 5, 9)} if values else {}

    def svg(self) -> str:
        """The features as a picture: share won by chosen against prompts told apart, with the significance curve."""
        title = f"What tells chosen from rejected: {self.verdict}, blind reader {self.reader.value:.1%}"
        return draw(self.points, self.threshold, title)

    def __str__(self) -> str:
        """The report for a reader, a line a finding, the headline last."""
        reader = f"{self.reader.value:.1%} [{self.reader.low:.1%}, {self.reader.high:.1%}]"
        beside = ", beside what is intended" if any(cue.intended for cue in self.cues) else ""
        by = ", ".join(f"{share.value:.0%} by {kind} alone" for kind, share in self.by.items())
        lines = list(map(_line, self.findings))
        if self.identical:
            lines.append(f"{self.identical} pairs are the same on both sides and were left out")
        sample, all_prompts = self.sampled.prompts, self.prompts
        if not self.sampled.whole:
            lines.append(f"looked for in a sample of {sample} prompts, counted in all {all_prompts} (--all: no sample)")
        lines.append(f"a shortcut that shows in fewer than {self.sensitivity} of {sample} prompts would stay unseen")
        lines.append(f"a blind reader, who never sees the prompt, picks chosen in {reader} of pairs ({by})")
        lines += str(self.difficulty).splitlines() if self.difficulty else []
        return "\n".join(visible(line) for line in [*lines, f"verdict: {self.verdict}{beside}"])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        if self.cues and console.is_terminal:
            yield table(self.cues)
        yield Text(str(self))


def _line(finding: Finding) -> str:
    """A finding with the rows to read; what was asked about needs no example."""
    rows = () if finding.more["intended"] else finding.more.get("examples", ())
    shown = f" (rows {', '.join(map(str, rows))})" if rows else ""
    return f"{finding.code} {finding.severity:7} {finding.message}{shown}"


_COLUMNS = ("grade", "kind", "feature", "chosen", "rejected", "prompts", "wins", "q", "rows")


def table(cues: Sequence[Cue]) -> Table:
    """A line a finding; numbers to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD)
    for column in _COLUMNS:
        made.add_column(column, justify="left" if column in ("grade", "kind", "feature", "rows") else "right")
    for cue in cues:
        q = f"{cue.q:.0e}" if cue.q < 0.001 else f"{cue.q:.3f}"
        cells = (
            f"{cue.grade}{', intended' if cue.intended else ''}",
            cue.kind,
            cue.phrase,
            f"{cue.chosen_rate:.1%}",
            f"{cue.rejected_rate:.1%}",
            f"{cue.separates} ({cue.coverage:.0%})",
            f"{cue.win_rate:.1%}",
            q,
            ", ".join(map(str, cue.examples)),
        )
        made.add_row(*(Text(visible(cell)) for cell in cells))
    return made
