"""What a judge is worth: an exam on labelled pairs (judge --gold), and attempts to fool it (judge --probe)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from ..console import table
from ..conversation import context_of, written
from ..disk import write_json_lines
from ..errors import InputError
from ..notebook import HtmlRepr
from ..options.declaration import GIVEN_IN_PYTHON
from ..resources import patterns
from ..run import Run, out_dir
from ..stages import judge_groups
from ..statistics import Z95, Share
from ..store import Store
from ..text import one_line, plural, visible
from ..types import SIDES, AnswerGroup, Judge, Message, Prompt, Skip
from .inputs import PairInput
from .models import asking

PROBES = ("filler", "rubric_echo", "claim", "flattery", "empty")
"""What is done to an answer: words that say nothing, the words of the rubric, the claim to be right, a compliment, and
no answer at all."""
_HALF_WIDTH = 0.05  # of an interval that is narrow enough


@dataclass(repr=False)
class JudgeExam(HtmlRepr):
    """How often a judge scores the chosen answer of labelled pairs higher; a tie is half right.

    `unjudged` counts pairs without a score, `unread` rows that are not pairs with text, or ties themselves.
    """

    judge: str
    right: Share
    ties: int
    longer: Share
    unjudged: Mapping[str, int]
    unread: int
    verdicts: Sequence[Mapping[str, Any]] = field(repr=False, default=())

    ok = True

    @property
    def kappa(self) -> tuple[float, float, float]:
        """Cohen's kappa against the labels, and the ends of its interval: as chance is right in half, 2a - 1."""
        low, high = self.right.interval
        return 2 * self.right.value - 1, 2 * low - 1, 2 * high - 1

    @property
    def needed(self) -> int:
        """How many labelled pairs would give an interval of 5 points to each side."""
        p = self.right.value
        return math.ceil(Z95**2 * max(p * (1 - p), 0.01) / _HALF_WIDTH**2)

    def as_json(self) -> dict[str, Any]:
        """Return the object that `pairforge judge --gold --json` prints."""
        found = {"command": "judge", "ok": self.ok, "judge": self.judge, "accuracy": self.right.as_json()}
        found |= {"kappa": [round(one, 4) for one in self.kappa], "ties": self.ties, "longer": self.longer.as_json()}
        found |= {"unjudged": dict(self.unjudged), "unread": self.unread, "needed": self.needed}
        return found

    @property
    def brief(self) -> str:
        """The accuracy."""
        return str(self.right).strip()

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        kappa, low, high = self.kappa
        yield visible(f"{self.judge}: right in {str(self.right).strip()} of {plural(self.right.of, 'labelled pair')}")
        yield f"kappa {kappa:.2f} [{low:.2f}, {high:.2f}], {plural(self.ties, 'tie')}"
        yield f"the longer answer is the better one by the labels in {str(self.longer).strip()}"
        if self.right.of < self.needed:
            yield f"{self.needed} labelled pairs would give an interval of 5 points to each side"
        for reason, count in self.unjudged.items():
            yield visible(f"{plural(count, 'pair')} without a verdict: {reason}")
        if self.unread:
            yield f"{plural(self.unread, 'row')} left out: ties, or no pairs of texts"


@dataclass(repr=False)
class JudgeProbes(HtmlRepr):
    """How often a change that makes no answer better raises a judge's score; `raised` by the names of `PROBES`."""

    judge: str
    answers: int
    raised: Mapping[str, Share]

    @property
    def ok(self) -> bool:
        """No probe raises most scores."""
        return all(share.value <= 0.5 for share in self.raised.values())

    exit_code = 1

    def as_json(self) -> dict[str, Any]:
        """Return the object that `pairforge judge --probe --json` prints."""
        raised = {name: share.as_json() for name, share in self.raised.items()}
        return {"command": "judge", "ok": self.ok, "judge": self.judge, "answers": self.answers, "raised": raised}

    @property
    def brief(self) -> str:
        """The probe that works best."""
        name, share = max(self.raised.items(), key=lambda item: item[1].value)
        return f"{name} {str(share).strip()}"

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        rows = [(name.replace("_", " "), str(share).strip(), str(share.of)) for name, share in self.raised.items()]
        yield table("", ("change", "raises the score of", "answers"), rows)
        yield ""
        yield visible(f"No change makes an answer better, so {self.judge} should raise no score.")
        if not self.ok:
            name, share = max(self.raised.items(), key=lambda item: item[1].value)
            yield visible(f"It raises {str(share).strip()} of them after the change '{name.replace('_', ' ')}'.")


def exam(judge: Judge, source: PairInput, output: str | None, quiet: bool, verdicts: Path | None) -> JudgeExam:
    """Let a judge score both answers of each labelled pair; `verdicts` is a file for its score of each.

    Raises InputError where there are no pairs, and as the judge does.
    """
    groups, unread = list[AnswerGroup](), 0
    with source as rows:
        for row in rows.pairs():
            group = _pair(row)
            unread += group is None
            groups += [group] if group else []
    if not groups:
        raise InputError(f"{source.name or 'the gold set'} has no pairs of texts", fix="see: pairforge validate FILE")
    with closing(Store(out_dir(output))) as store:
        scores = judge_groups(groups, judge, store, asking(store, "judge:", quiet))
    lines, unjudged = list[dict[str, Any]](), dict[str, int]()
    for number, (group, found) in enumerate(zip(groups, scores, strict=True)):
        chosen, rejected = (found[text] for text in group.answers)
        line: dict[str, Any] = {"pair": number, "prompt_id": group.prompt.id}
        failed = next((one for one in (chosen, rejected) if isinstance(one, Skip)), None)
        if failed:
            unjudged[failed.reason] = unjudged.get(failed.reason, 0) + 1
            line["skip"] = [failed.reason, failed.detail]
        else:
            line |= {"chosen_score": chosen, "rejected_score": rejected}
        lines.append(line)
    judged = [(line["chosen_score"], line["rejected_score"]) for line in lines if "skip" not in line]
    ties = sum(chosen == rejected for chosen, rejected in judged)
    right = Share(sum(chosen > rejected for chosen, rejected in judged) + ties / 2, len(judged))
    lengths = [(len(group.answers[0]), len(group.answers[1])) for group in groups]
    longer = Share(sum((one > other) + (one >= other) for one, other in lengths) / 2, len(lengths))
    if verdicts:
        write_json_lines(verdicts, lines)
    made = JudgeExam(judge.name, right, ties, longer, unjudged, unread, lines)
    _keep(made, judge, out_dir(output), one_line(source.name or GIVEN_IN_PYTHON))
    return made


def _keep(found: JudgeExam, judge: Judge, out: Path, gold: str) -> None:
    """Keep the figures with the runs that this judge has judged."""
    figures = {name: value for name, value in found.as_json().items() if name not in ("command", "ok", "judge")}
    settings = json.loads(json.dumps(judge.settings()))
    for run in filter(None, (Run.find(file.parent) for file in sorted(out.glob("*/run.json")))):
        given = run.settings.get("judge")
        if isinstance(given, dict) and settings in (given, *given.get("judges", ())):
            exams = run.counts.get("exams", {})
            run.add_count("exams", exams | {judge.name: {"gold": Path(gold).name, **figures}})


def exam_lines(exams: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each exam of a run's judges."""
    for judge, found in exams.items():
        with suppress(KeyError, TypeError):
            right = Share(found["accuracy"]["hits"], found["accuracy"]["of"])
            told = f"right in {str(right).strip()} of {plural(right.of, 'labelled pair')} ({found['gold']})"
            yield visible(f"exam of {judge}: {told}, kappa {found['kappa'][0]:.2f}")


def _pair(row: Any) -> AnswerGroup | None:
    """Return the prompt and the two answers of a row; None where it is no pair of two different texts."""
    if isinstance(row, Skip):
        return None
    context = [Message(role=str(turn["role"]), content=written(turn)) for turn in context_of(row)]
    texts = [written(row[side][-1]) for side in SIDES]
    columns = {name: row[name] for name in ("reference",) if name in row}
    return AnswerGroup(Prompt(tuple(context), columns), texts) if context and texts[0] != texts[1] else None


def probe(judge: Judge, groups: Sequence[AnswerGroup], count: int, output: str | None, quiet: bool) -> JudgeProbes:
    """Change the first answer of `count` prompts in each way of `PROBES`, and see which scores rise."""
    tried = [
        AnswerGroup(group.prompt, [group.answers[0], *_changed(group.answers[0])]) for group in islice(groups, count)
    ]
    with closing(Store(out_dir(output))) as store:
        scores = judge_groups(tried, judge, store, asking(store, "judge:", quiet))
    rises: dict[str, list[float]] = {name: [] for name in PROBES}
    for group, found in zip(tried, scores, strict=True):
        before, *after = (found[text] for text in group.answers)
        for name, score in zip(PROBES, after, strict=True):
            if not isinstance(before, Skip) and not isinstance(score, Skip):
                rises[name].append(score > before)
    if not any(rises.values()):
        raise InputError(f"{judge.name} scored none of these answers", fix="try it on a few: pairforge judge")
    return JudgeProbes(
        judge.name, len(tried), {name: Share(sum(found), len(found)) for name, found in rises.items() if found}
    )


def _changed(text: str) -> list[str]:
    """Return the answer after each of `PROBES`."""
    chinese = any("\u4e00" <= letter <= "\u9fff" for letter in text)
    found = []
    for name in PROBES[:-1]:
        [line] = patterns("judge_probes")[name + ("_zh" if chinese else "")]
        before, _, behind = line.partition("|")
        space = "" if chinese else " "
        found.append(space.join(filter(None, [before.strip(), text, behind.strip()])))
    return [*found, ""]
