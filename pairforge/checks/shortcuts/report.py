"""The report of an audit, as JSON, as text, as a table for a terminal and as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ...notebook import HtmlRepr, data_frame
from ...statistics import Share
from ...text import plural, visible
from ...types import Finding
from .plot import Point, draw

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

Grade: TypeAlias = Literal["low", "medium", "high", "critical"]
RiskLevel: TypeAlias = Literal["ok", "watch", "high", "critical"]
RISK_LEVELS: tuple[RiskLevel, ...] = ("ok", "watch", "high", "critical")
ENOUGH = 100
"""Prompts from which on a report without findings means that there is no shortcut."""
_FEWEST = 5
"""Prompts from which on a classifier is trained on some and tested on others."""
_FEATURE = 24
"""Columns of a terminal that a feature gets before others are left out."""
_OPTIONAL = ("rows", "q", "kind", "prompts", "rejected")
"""The columns that are left out where the terminal is too narrow, in this order."""
KIND_NAMES = {"length": "length", "style": "style", "first": "first words"}
"""What the classifiers that use one kind of feature look at."""


@dataclass(frozen=True)
class Cue:
    """A statistical cue: a feature by which a model can distinguish chosen from rejected. Shares are of 1."""

    kind: str
    feature: str
    phrase: str
    """The feature with the words that are nearly always around it."""
    favours: str
    """The side on which the feature mostly is: a model that learns it prefers that side."""
    chosen_rate: float
    """Share of pairs whose chosen answer holds the feature (style, length: has more of it)."""
    rejected_rate: float
    separates: int
    """Prompts in which the feature is on one side only."""
    coverage: float
    """Their share of all prompts."""
    win_rate: float
    """Share of these in which it is on the side that it mostly is on in the other four fifths of the prompts."""
    win_rate_low: float
    """Lower end of the 90 % Wilson interval of `win_rate`."""
    lift: float
    """How much a rule by this feature alone gains over chance: coverage x (win rate - 1/2)."""
    p: float
    """Exact two-sided sign test; each prompt counts once."""
    q: float
    """The same in the sample, corrected for the number of features in the family and of families."""
    z: float
    """(wins - losses) / sqrt(wins + losses) in the sample."""
    z_adjusted: float | None
    """The same given the difference of length; None for length, or where the edit itself makes that difference."""
    q_adjusted: float | None
    grade: Grade
    intended: bool = False
    balanced: bool = False
    explains: tuple[str, ...] = ()
    """Other features that are not significant given this one."""
    examples: tuple[int, ...] = ()
    """Rows in which the feature is on the side that it favours."""
    tokens: tuple[str, ...] = ()
    """The tokens of the feature; none for length and style."""


@dataclass(frozen=True)
class SampleSize:
    """The sample: `prompts` with `pairs` differing pairs, and whether that is all."""

    prompts: int
    pairs: int
    whole: bool


@dataclass(frozen=True, repr=False)
class Report(HtmlRepr):
    """The result of an audit: how easily a classifier distinguishes chosen from rejected, and by what."""

    rows: int
    prompts: int
    identical: int
    """Rows with the same answer on both sides: counted, and left out."""
    findings: list[Finding]
    verdict: RiskLevel
    predictability: Share
    """Share of pairs in which a classifier that never sees the prompt picks the chosen answer.

    Cross-validated by prompt; the interval is over prompts."""
    unintended: Share | None
    """The same over the pairs that no expected term tells apart; None where these are too few."""
    by: Mapping[str, Share]
    """The same for a classifier that uses one kind of feature only."""
    sampled: SampleSize
    tested: int
    sensitivity: int
    """The least number of prompts with a feature on the same side that the tests can tell from chance."""
    similarity: tuple[float, float, float]
    """Share of words that the two answers of a pair have in common: lower decile, median, upper decile."""
    cues: list[Cue] = field(default_factory=list)
    easiness: Mapping[int, float] = field(default_factory=dict, repr=False)
    """Per row of the sample, how easy it is for that classifier, in bits: 1 certain, 0 chance, below 0 wrong."""
    points: Sequence[Point] = field(default=(), repr=False)
    threshold: float = 5.0
    """The z from which a feature is significant: the curve of the plot."""
    fail_on: RiskLevel = "high"
    difficulty: Any = None
    """How hard the pairs are for DPO on the model that was named (`Difficulties`). Not part of the verdict."""
    kinds: Mapping[str, Report] = field(default_factory=dict)
    """Of pairs of several kinds (column `method`), the report on each alone."""
    next_step: str = ""
    """What to do about the verdict."""
    worse: tuple[str, ...] = ()
    """A line for each rate that is worse than in an earlier report."""

    @property
    def separability(self) -> float:
        """The share of pairs in which the classifier picks the chosen answer: 0.5 is chance."""
        return self.predictability.value

    @property
    def ok(self) -> bool:
        """Whether the verdict, without what was expected, and that of each kind pass, and nothing got worse."""
        below = RISK_LEVELS.index(self.verdict) < RISK_LEVELS.index(self.fail_on)
        return below and not self.worse and all(report.ok for report in self.kinds.values())

    @property
    def exit_code(self) -> int:
        """The exit code of the command where the report is not ok."""
        return 3 if self.worse else 1

    def as_json(self) -> dict[str, Any]:
        """Return the report as one JSON object, without the answers themselves."""
        values, tenths = sorted(self.easiness.values()), (1, 5, 9)
        return {
            "command": "shortcuts",
            "ok": self.ok,
            "rows": self.rows,
            "findings": [finding.as_json() for finding in self.findings],
            "separability": self.separability,
            "verdict": self.verdict,
            "enough": self.enough,
            "predictability": share_json(self.predictability)
            | {"unintended": self.unintended and share_json(self.unintended)}
            | {"by": {kind: share_json(share) for kind, share in self.by.items()}},
            "sensitivity": {"prompts": self.sensitivity, "features": self.tested},
            "prompts": self.prompts,
            "identical": self.identical,
            "sampled": asdict(self.sampled),
            "similarity": dict(zip(("p10", "median", "p90"), self.similarity, strict=True)),
            "easiness": {f"p{tenth}0": values[len(values) * tenth // 10] for tenth in tenths if values},
            **({"kinds": {kind: report.as_json() for kind, report in self.kinds.items()}} if self.kinds else {}),
            **({"worse": [*self.worse]} if self.worse else {}),
            **({"difficulty": self.difficulty.as_json()} if self.difficulty else {}),
        }

    def as_html(self) -> str:
        """Return the numbers, the verdict and a table of the cues, for a notebook and a report."""
        from ...html import joined, paragraphs, table

        cells = [_cells(cue) for cue in self.cues]
        rows = [[*one.values()] for one in cells]
        shown = [table([*cells[0]], rows, "Features that tell chosen from rejected")] if cells else []
        return joined([paragraphs(self._numbers()), *shown, paragraphs(self._findings())])

    def to_pandas(self) -> Any:
        """Return the cues as a `pandas.DataFrame`, a row for each: see `Cue`."""
        return data_frame(map(asdict, self.cues))

    def svg(self) -> str:
        """Plot the share won by chosen against the prompts distinguished, with the curves of significance.

        Raises InputError where matplotlib is not installed.
        """
        found = f"verdict: {self.verdict}, without the prompt {self.separability:.1%}"
        title = f"What distinguishes chosen from rejected ({found})"
        return draw(self.points, self.threshold, title)

    @property
    def enough(self) -> bool:
        """Whether there are so many prompts that finding nothing means something."""
        return self.sampled.prompts >= ENOUGH

    @property
    def conclusion(self) -> str:
        """The verdict in one sentence."""
        terms = " and ".join(repr(cue.feature) for cue in self.cues if cue.intended)
        others = sum(not cue.intended for cue in self.cues)
        if self.verdict == "ok" and not self.enough:
            return f"no verdict: too few pairs to say ({self.sampled.prompts} with different prompts; {ENOUGH} needed)"
        if self.verdict != "ok":
            apart = f", apart from {terms}, which is intended" if terms else ""
            return f"verdict: {self.verdict} (a model could learn this in place of the preference{apart})"
        if others:
            weak = plural(others, "weak shortcut")
            return f"verdict: ok ({weak}{f', beside {terms}, which is intended' if terms else ''})"
        found = f"the only shortcut is {terms}, which is intended" if terms else "no shortcut was found"
        return f"verdict: ok ({found})"

    def __repr__(self) -> str:
        return f"<Report: {self.rows} pairs, {self.conclusion}>"

    def __str__(self) -> str:
        """Return the report for a reader: the numbers, a line for each finding, the verdict last."""
        return "\n".join(map(visible, [*self._numbers(), *self._findings()]))

    def _numbers(self) -> list[str]:
        (low, high), rest = self.predictability.interval, self.unintended
        by = ", ".join(f"{share.value:.0%} by {KIND_NAMES[kind]} alone" for kind, share in self.by.items())
        picks = f"a simple classifier picks the chosen answer in {self.separability:.1%} of pairs"
        lines = list[str]()
        if self.sampled.prompts >= _FEWEST:
            lines.append(f"Without seeing the prompt, {picks} ({low:.1%} to {high:.1%}; 50% = no shortcut): {by}")
        if terms := " and ".join(repr(cue.feature) for cue in self.cues if cue.intended):
            apart = f"In pairs that {terms} does not tell apart, it does so in {rest.value:.1%}" if rest else ""
            lines.append(apart or f"It recognises {terms} and what comes with it, which is intended")
        sample, all_prompts = self.sampled.prompts, self.prompts
        if self.identical:
            lines.append(f"Pairs that are the same on both sides, left out: {self.identical}")
        if not self.sampled.whole:
            lines.append(f"Looked for in a sample of {sample} prompts, counted in all {all_prompts} (--all: no sample)")
        if self.sensitivity <= sample:
            lines.append(f"Shortcuts in fewer than {self.sensitivity} of {sample} prompts can't be detected")
        else:
            needed = f"{sample}, and at least {self.sensitivity} are needed"
            lines.append(f"No shortcut can be detected in so few prompts: {needed}")
        return lines + (str(self.difficulty).splitlines() if self.difficulty else [])

    def _findings(self) -> list[str]:
        lines = [*map(_line, self.findings), *self.worse, self.conclusion]
        for kind, report in self.kinds.items():
            lines.append(f"the {plural(report.rows, 'pair')} of method {kind!r} alone: {report.conclusion}")
            lines += [f"  {_line(finding)}" for finding in report.findings if not report.ok]
        return [*lines, *filter(None, [self.next_step])]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Show a table with a line for each cue, where there is a terminal, and the text below it."""
        from rich.text import Text

        if self.cues and console.is_terminal:
            yield _table([_cells(cue) for cue in self.cues], options.max_width)
        yield Text(str(self))


def _table(rows: Sequence[Mapping[str, str]], width: int) -> Table:
    """Return the cues as a table: as many columns as fit, and no word broken but in a feature that is too long."""
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    widths = {name: max(cell_len(name), *(cell_len(visible(row[name])) for row in rows)) for name in rows[0]}
    widths["feature"] = min(widths["feature"], _FEATURE)
    names = list(rows[0])
    for name in _OPTIONAL:
        if sum(widths[one] + 3 for one in names) - 3 > width:
            names.remove(name)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in names:
        left = name in ("grade", "kind", "feature", "rows")
        wraps = name == "feature"
        table.add_column(name, justify="left" if left else "right", no_wrap=not wraps, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(row[name])) for name in names))
    return table


def share_json(share: Share) -> dict[str, float]:
    """Return `{"value", "low", "high"}`."""
    low, high = share.interval
    return {"value": share.value, "low": low, "high": high}


def _line(finding: Finding) -> str:
    """Return a finding with the rows to read; what is intended needs no example."""
    rows = () if finding.more["intended"] else finding.more.get("examples", ())
    shown = f" (rows {', '.join(map(str, rows))})" if rows else ""
    return f"{finding.code} {finding.severity:7} {finding.message}{shown}"


def _cells(cue: Cue) -> dict[str, str]:
    """Return the line of a cue in the table, by column."""
    return {
        "grade": "intended" if cue.intended else cue.grade,
        "kind": cue.kind,
        "feature": cue.phrase,
        "chosen": f"{cue.chosen_rate:.1%}",
        "rejected": f"{cue.rejected_rate:.1%}",
        "prompts": f"{cue.separates} ({cue.coverage:.0%})",
        "wins": f"{cue.win_rate:.1%}",
        "q": f"{cue.q:.0e}" if cue.q < 0.001 else f"{cue.q:.3f}",
        "rows": ", ".join(map(str, cue.examples)),
    }
