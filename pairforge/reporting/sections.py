"""The parts of a report, each with its figures and tables; where there is nothing, it says what would make it."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from statistics import fmean, median
from typing import Any

from markupsafe import Markup

from .. import diagnostics
from ..checks.shortcuts import Report
from ..checks.shortcuts.plot import draw_panel
from ..disk import json_object
from ..errors import PairforgeError
from ..evaluation.training_facts import TrainingFacts
from ..evaluation.verdict_html import Estimate, Measure, answers_html, failing_html, measures, verdict_html
from ..html import element, joined, paragraphs, table
from ..hub.dataset_card import funnel, other_counts
from ..learning_curves import panels
from ..markdown import public_name, without_places
from ..pair_view import PairView
from ..run import Run, TrainedModel
from ..statistics import Share
from ..svg import CHOSEN
from ..text import mapping_of
from .charts import Bar, Charts
from .html_page import Section
from .pair_figures import ExamplePair, PairFigures, publishable

_FAILING = 3  # answers that are shown of each measure that fails
_BARS = 12  # reasons of skips that are drawn


@dataclass(frozen=True)
class ReportData:
    """What a report is made of. `checked` is the HTML of the findings, `audited` what the audit for shortcuts found.

    `answers` are all answers of the run with their scores, a row for each prompt. `people` says how often the people
    who judged some of them agree, `alpha` the same in a sentence. `name` is what commands call the run.
    """

    name: str
    run: Run | None
    pairs: PairFigures
    examples: Sequence[ExamplePair]
    checked: Markup
    audited: Report | PairforgeError
    answers: Iterable[Mapping[str, Any]] = ()
    people: Sequence[tuple[str, Share]] = ()
    alpha: str = ""
    charts: Charts = field(default_factory=Charts)

    @property
    def counts(self) -> Mapping[str, Any]:
        """The counts of the run."""
        return without_places(self.run.counts) if self.run else {}

    @property
    def word(self) -> str:
        """The run as a word of a command line."""
        return shlex.quote(self.name)

    @property
    def model(self) -> TrainedModel | None:
        """The model that was trained last on the pairs."""
        return next(reversed(self.run.trained), None) if self.run else None


def sections(data: ReportData) -> list[Section]:
    """Return all parts, in the order of the work."""
    made = [
        Section("From prompts to pairs", [*_funnel(data)]),
        Section("Lengths", [*_lengths(data)]),
        Section("Scores and margins", [*_scores(data)]),
        Section("The judge", [*_judge(data)]),
        Section("Shortcuts", [*_shortcuts(data)]),
        Section("Checks", [data.checked]),
        Section("Example pairs", [*_examples(data)]),
        Section("Training", [*_training(data)]),
        Section("Verdict", [*_verdict(data)]),
    ]
    left_out = "This part is left out: it holds what looks like a key."
    return [one if publishable(one.html(), "PF501") else Section(one.title, [left_out]) for one in made]


def made_by(command: str) -> Markup:
    """Return a sentence that names the command which makes what is missing."""
    return element("p", "To have it here: ", element("code", command))


def _beside(*shown: Markup) -> Markup:
    """Return figures and tables side by side, where there is room."""
    return element("div", *shown, class_="beside") if any(shown) else Markup("")


def _funnel(data: ReportData) -> Iterator[object]:
    if not data.counts:
        yield "These pairs are a file and no run: what was asked, and what was skipped, is not known here."
        yield made_by("pairforge onpolicy -p PROMPTS --judge JUDGE")
        return
    steps = [*funnel(data.counts)]
    numbers = {what: count for what, _, count in steps if type(count) is int}
    asked = numbers.get("prompts", 0) * numbers.get("contexts in which each is asked", 1)
    skips = sorted(((why, n) for what, why, n in steps if why and type(n) is int), key=lambda one: -one[1])
    bars = [Bar("asked: prompts x contexts", asked), Bar("pairs", numbers.get("pairs", 0), CHOSEN)]
    bars += [Bar(f"skipped: {why.replace('_', ' ')}", count) for why, count in skips[:_BARS]]
    rows = [(f"{what}{why.replace('_', ' ')}", _shown(count)) for what, why, count in steps]
    counted = table(("", "number"), rows, "The same as numbers")
    yield _beside(data.charts.bars("What became of what was asked", bars), counted)
    if more := [(name.replace("_", " "), _shown(value)) for name, value in other_counts(data.counts)]:
        counted = table(("", "number"), more, "What else was counted")
        yield element("details", element("summary", "What else was counted"), counted)


def _lengths(data: ReportData) -> Iterator[object]:
    lengths = data.pairs.lengths
    if data.pairs.lengths_differ:
        longer = str(data.pairs.longer).strip()
        yield f"Of the pairs whose answers differ in length, the chosen answer is the longer one in {longer}."
    found = lengths.statistics()
    rows = [
        (side, found[f"{side}_characters"]["mean"], found[f"{side}_characters"]["median"], min(of), max(of))
        for side, of in lengths.characters.items()
    ]
    tables = [table(("", "mean", "median", "shortest", "longest"), rows, "Characters of the answers")]
    if len(found["turns"]) > 1:
        tables.append(table(("turns", "pairs"), found["turns"].items(), "Turns of a conversation, the answer included"))
    every = {side: [*of.elements()] for side, of in lengths.characters.items()}
    yield _beside(data.charts.histogram("Characters of the answers", every, "characters"), element("div", *tables))


def _scores(data: ReportData) -> Iterator[object]:
    margins = [*data.pairs.margins.values()]
    if not margins:
        if data.pairs.names["method"] & {"correct", "counter", "reference"}:
            yield "These pairs come from a rule and not from a judge: chosen is 1 and rejected 0 by definition."
        else:
            yield "The pairs have no scores."
        yield made_by("pairforge onpolicy -p PROMPTS --judge JUDGE")
        return
    scores = {side: [*of] for side, of in data.pairs.scores.items()}
    few = {*chain.from_iterable(scores.values())}
    shown = [data.charts.histogram("Margins: chosen less rejected", {"margin": margins}, "margin")]
    if len(few) > 2:
        shown.insert(0, data.charts.histogram("Scores of the two answers", scores, "score"))
    rows = [(name, *_four(of)) for name, of in {**scores, "margin": margins}.items()]
    counted = table(("", "mean", "median", "least", "most"), rows, "Scores of the pairs")
    if len(few) <= 2:
        yield f"The scores of all pairs are {' and '.join(f'{one:g}' for one in sorted(few))}: no margin to draw."
    yield _beside(*shown) if len(few) > 2 else ""
    yield counted


def _four(values: Sequence[float]) -> list[str]:
    return [f"{one:.4g}" for one in (fmean(values), median(values), min(values), max(values))]


def _judge(data: ReportData) -> Iterator[object]:
    judges = sorted(public_name(name) for name in data.pairs.names["judge"])
    by_rule = not data.pairs.margins
    if by_rule or not judges:
        yield "No judge scored these answers."
        yield made_by(f"pairforge judge {data.word} --judge JUDGE")
        return
    yield joined(["The scores are those of ", element("code", ", ".join(judges)), "."])
    found = data.counts.get("diagnostics")
    with suppress(KeyError, TypeError, ZeroDivisionError, ValueError):  # counts that somebody gave may be anything
        if isinstance(found, Mapping) and data.run:
            yield paragraphs([*diagnostics.lines({**found, "agree": {}}, data.run.settings.get("n", 0))])
    yield from _scores_of_all(data)
    yield from _agreement(data)
    yield element("p", "What the judge is worth, against labelled pairs and against attempts to fool it: ",
                  element("code", "pairforge judge --judge JUDGE --gold LABELLED"), ", ",
                  element("code", "pairforge judge --judge JUDGE --probe"), class_="note")  # fmt: skip


def _scores_of_all(data: ReportData) -> Iterator[Markup]:
    """Yield how each judge scored all answers of the run."""
    by_judge: dict[str, list[list[float]]] = {}
    for row in data.answers:
        names = [*map(str, row["judges"])] if isinstance(row.get("judges"), list) else ["all answers"]
        for name, scores in zip(names, row.get("judge_scores", [row.get("scores")]), strict=False):
            by_judge.setdefault(name, []).append(_whole(scores))
    rows = []
    for name, every in by_judge.items():
        title = f"Scores of all answers{f': {name}' if len(by_judge) > 1 else ''}"
        if given := [*chain.from_iterable(every)]:
            rows.append((name, len(given), *_four(given)))
            yield _beside(
                data.charts.histogram(title, {name: given}, "score"),
                data.charts.bars("Prompts by the scores of their answers", [
                    Bar("answers scored apart: a pair can be made", sum(len({*of}) > 1 for of in every), CHOSEN),
                    Bar("all answers scored alike", sum(len({*of}) == 1 for of in every if len(of) > 1)),
                    Bar("fewer than two scores", sum(len(of) < 2 for of in every)),
                ]),
            )  # fmt: skip
    if rows:
        yield table(("", "scores", "mean", "median", "least", "most"), rows, "Scores of all answers of the run")


def _agreement(data: ReportData) -> Iterator[object]:
    """Yield how far judges and people agree, with each other and with labels."""
    found = [*_judges_beside(data.run.counts if data.run else {}), *data.people]
    if not found:
        return
    shown = [Measure(name, Estimate(share.value, *share.interval)) for name, share in found]
    yield element("h3", "Agreement")
    rows = [(name, str(share).strip(), share.of) for name, share in found]
    counted = table(("", "share", "of"), rows, "Which answer is better: how often two agree")
    yield _beside(data.charts.intervals("How often they agree, with 95 % intervals", shown))
    yield counted
    yield data.alpha


def _judges_beside(counts: Mapping[str, Any]) -> Iterator[tuple[str, Share]]:
    """Yield how often each two judges of a jury agree, and each judge with the labels of its exam."""
    agree = mapping_of(mapping_of(counts.get("diagnostics")).get("agree"))
    found = [(name, mapping_of(one), "alike") for name, one in agree.items()]
    for judge, one in mapping_of(counts.get("exams")).items():
        name = f"{judge} and the labels of {mapping_of(one).get('gold')}"
        found.append((name, mapping_of(mapping_of(one).get("accuracy")), "hits"))
    for name, said, counted in found:
        hits, of = said.get(counted), said.get("of")
        if isinstance(hits, (int, float)) and isinstance(of, int) and 0 <= hits <= of > 0:
            yield " and ".join(map(public_name, name.split(" and "))), Share(hits, of)


def _whole(scores: Any) -> list[float]:
    return [one for one in scores if type(one) in (int, float)] if isinstance(scores, list) else []


def _shortcuts(data: ReportData) -> Iterator[object]:
    found = data.audited
    if isinstance(found, PairforgeError):
        yield f"Shortcuts could not be looked for: {public_name(found.message)}"
        return
    panel = partial(draw_panel, found.points, found.threshold)
    title = "Features: beyond the curves, one separates the sides by more than chance"
    yield _beside(data.charts.draw(title, panel, (6.0, 3.4)))
    yield Markup(found.as_html())


def _examples(data: ReportData) -> Iterator[object]:
    if not data.examples:
        yield "No pair is shown: there are none, or those that were chosen hold what looks like a key or an address."
        return
    yield joined(["Words that only the rejected answer has are ", element("del", "struck through"),
                  ", those that only the chosen answer has are ", element("ins", "underlined"), "."])  # fmt: skip
    shown = (
        element("article", element("h3", f"Row {one.number}: {one.rule}"), PairView(one.row, one.number).as_html())
        for one in data.examples
    )
    yield element("div", *shown, class_="pairs")
    yield element("p", "More: ", element("code", f"pairforge show {data.word} --sort margin"), class_="note")


def _training(data: ReportData) -> Iterator[object]:
    if not data.run or not data.model:
        yield "No model was trained on these pairs."
        yield made_by(f"pairforge train dpo --dataset {data.word}")
        return
    trained = [(one.path.name, str(TrainingFacts.beside(one.path)), one.outcome) for one in data.run.trained]
    yield table(("model", "training", "verdict"), trained, "The models that were trained on these pairs")
    history = json_object(data.model.path / "history.json")
    guard, beta = history.get("guard"), history.get("beta")
    guard = guard if isinstance(guard, dict) else {}
    alarm = guard.get("alarm")
    step = alarm.get("step") if isinstance(alarm, dict) else None
    log, records = (
        [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        for listed in (history.get("log"), guard.get("records"))
    )
    beta = float(beta) if isinstance(beta, (int, float)) else 0.0
    drawn = panels(log, records, step if type(step) is int else None, beta=beta)
    if drawn:
        yield element("h3", f"The last training: {data.model.path.name}")
    yield _beside(*(data.charts.draw(title, _untitled(panel), (3.4, 2.1)) for title, panel in drawn.items()))
    if said := TrainingFacts.of_history(history).stop:
        yield said


def _untitled(panel: Any) -> Any:
    """Return a panel without the title above it: the page has it below."""

    def draw(axes: Any) -> None:
        panel(axes)
        axes.set_title("")

    return draw


def _verdict(data: ReportData) -> Iterator[object]:
    if not data.model or not data.model.verdict:
        yield "No model was judged before and after a training on these pairs."
        named = f"pairforge evaluate --run {data.word}" if data.model else f"pairforge train dpo --dataset {data.word}"
        yield made_by(named)
        return
    said = without_places(data.model.verdict)
    answers = said.get("answers")
    said["answers"] = [one for one in answers if publishable(one)] if isinstance(answers, list) else []
    found = [one for one in measures(said) if "/" not in one.name]
    yield f"The verdict on the last one, {data.model.path.name}, with questions that were not in the pairs:"
    title = "Before (ring) and now (dot) with its 95 % interval; red: the limit does not hold"
    yield verdict_html(said, _beside(data.charts.intervals(title, found)) if found else Markup(""))
    yield answers_html(said)
    yield failing_html(_failing(data.model, found))


def _failing(model: TrainedModel, found: Sequence[Measure]) -> Iterator[Any]:
    """Yield the first failing answers of each measure that fails."""
    failed, shown = {one.name for one in found if one.ok is False}, Counter[str]()
    for row in model.failures():
        metric = str(row.get("metric"))
        if metric in failed and shown[metric] < _FAILING and publishable(row):
            shown[metric] += 1
            yield row


def tiles(data: ReportData) -> dict[str, object]:
    """Return the figures at the top, by what they are."""
    shown: dict[str, object] = {"pairs": f"{len(data.pairs.total):,}"}
    if isinstance(asked := data.counts.get("prompts"), int):
        shown["prompts"] = f"{asked:,}"
    if isinstance(data.audited, Report):
        known = data.audited.unintended or data.audited.predictability
        said = f"{known.value:.0%} told apart without the prompt; 50% is chance"
        shown["shortcuts"] = joined([data.audited.verdict, element("small", said)])
    if data.model:
        outcome = data.model.outcome
        shown["verdict of the training"] = element("span", outcome, class_=outcome.lower().replace(" ", "-"))
    return shown


def lead(data: ReportData) -> Iterator[object]:
    """Yield what the pairs are, and how they were made."""
    named = {
        one: ", ".join(sorted(map(public_name, data.pairs.names[one]))[:5]) for one in ("method", "model", "judge")
    }
    yield ", ".join(f"{name} {text}" for name, text in named.items() if text)
    rules = data.run.settings.get("rules") if data.run else None
    if isinstance(rules, Mapping) and rules:
        yield "Names: " + ", ".join(f"{old} becomes {new}" for old, new in rules.items())
    if data.run and data.run.argv and publishable([*data.run.argv]):
        yield element("code", shlex.join(without_places(data.run.argv)))
    if "pocket" in data.pairs.names["model"]:
        yield "Made by the bundled pocket model, a toy: no figure here is one of a real model."


def _shown(value: Any) -> str:
    return f"{value:,}" if type(value) is int else f"{value:.4g}" if type(value) is float else json.dumps(value)
