"""What an audit returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ...types import Finding, visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

Grade: TypeAlias = Literal["low", "medium", "high", "critical"]
Verdict: TypeAlias = Literal["ok", "watch", "high", "critical"]


@dataclass(frozen=True)
class Cue:
    """One thing by which a model can tell chosen from rejected without reading them. Shares are of 1."""

    kind: str
    feature: str
    chosen_rate: float
    """Share of pairs whose chosen answer holds the feature (style, length: has more of it)."""
    rejected_rate: float
    coverage: float
    """Share of prompts in which the feature stands on one side only."""
    win_rate: float
    """Share of these in which it points the same way."""
    win_rate_low: float
    """Lower end of the 90 % Wilson interval of `win_rate`."""
    lift: float
    """What a rule by this feature alone gains over chance: coverage x (win rate - 1/2)."""
    p: float
    """Exact two-sided sign test, one vote a prompt."""
    q: float
    """The same, corrected for the number of features in the family and of families."""
    grade: Grade
    intended: bool = False
    balanced: bool = False
    explains: tuple[str, ...] = ()
    """Other features that tell nothing more once this one is known."""
    examples: tuple[int, ...] = ()
    """Rows in which the feature points the way that wins."""

    @property
    def favours(self) -> str:
        """The side on which the feature mostly stands."""
        return "chosen" if self.chosen_rate >= self.rejected_rate else "rejected"


@dataclass(frozen=True)
class Share:
    """A share of pairs with its 95 % Wilson interval over prompts."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Report:
    """How cheaply chosen can be told from rejected, and by what."""

    rows: int
    prompts: int
    identical: int
    """Rows with the same answer on both sides: counted, and left out."""
    findings: list[Finding]
    verdict: Verdict
    reader: Share
    """Pairs in which a blind reader, who never sees the prompt, picks chosen; cross-validated by prompt."""
    unintended: Share | None
    """The same over the pairs that no expected term tells apart; None where these are too few."""
    by: Mapping[str, float]
    """The same for a reader who sees one kind of feature only."""
    tested: int
    sensitivity: int
    """The least number of prompts, all pointing one way, that the tests could have told from chance."""
    similarity: float
    """Median share of words that the two answers of a pair have in common."""
    cues: list[Cue] = field(default_factory=list)

    @property
    def separability(self) -> float:
        """The share of pairs in which the blind reader picks chosen: 0.5 is chance."""
        return self.reader.value

    @property
    def ok(self) -> bool:
        """Nothing is high or critical, but what was expected."""
        return not any(finding.severity == "error" for finding in self.findings)

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
            | {"unintended": self.unintended and asdict(self.unintended), "by": dict(self.by)},
            "sensitivity": {"prompts": self.sensitivity, "features": self.tested},
            "prompts": self.prompts,
            "identical": self.identical,
            "similarity": self.similarity,
        }

    def __str__(self) -> str:
        """The report for a reader, a line a finding, the headline last."""
        reader = f"{self.reader.value:.1%} [{self.reader.low:.1%}, {self.reader.high:.1%}]"
        beside = ", beside what is intended" if any(cue.intended for cue in self.cues) else ""
        by = ", ".join(f"{value:.0%} by {kind} alone" for kind, value in self.by.items())
        lines = [f"{finding.code} {finding.severity:7} {finding.message}" for finding in self.findings]
        if self.identical:
            lines.append(f"{self.identical} pairs are the same on both sides and were left out")
        lines.append(
            f"a shortcut that shows in fewer than {self.sensitivity} of {self.prompts} prompts would stay unseen"
        )
        lines.append(f"a blind reader, who never sees the prompt, picks chosen in {reader} of pairs ({by})")
        return "\n".join(visible(line) for line in [*lines, f"verdict: {self.verdict}{beside}"])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        yield Text(str(self))
