"""Why prompts have no pair, in a few lines: errors, answers, the names that the model gives itself, and margins.

Everything is read from the files of the run; `skips.jsonl` beside the pairs has all of it, prompt by prompt.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import quantiles
from typing import Any

from ..correction.self_reference import introduced_names
from ..formats import read_rows
from ..run import FAILURES, Run
from ..text import one_line, plural

_SHOWN = 3  # errors, answers and names
_LONG = 160  # characters of an error
_FREQUENT = 0.02  # of the answers: a rarer name is hardly what the model calls itself
_UNANSWERED = (*FAILURES, "not_replayed", "not_asked", "template", "encoding", "too_long")
"""Reasons for which a prompt has no answer; it says nothing of how the model calls itself."""


class SkipReport:
    """The skips of a run for a reader. `lines` says what is behind the counts, `conclusion` why the run is not ok."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @property
    def rows(self) -> Iterator[Mapping[str, Any]]:
        """The skips, read from the file each time: there may be as many as prompts."""
        if self.run.skips.exists():
            with open(self.run.skips, encoding="utf-8", newline="\n") as file:
                yield from (json.loads(line) for line in file if line.strip())

    def lines(self) -> Iterator[str]:
        """Yield the most frequent errors, the margins, and where there are no pairs, a few answers."""
        yield from self._errors()
        yield from self._margins()
        if not self.run.counts["pairs"]:
            yield from self._answers()

    def conclusion(self) -> Iterator[str]:
        """Yield why there are too few pairs, where all reasons are, and what to do, where that can be known."""
        counts, skips = self.run.counts, self.run.counts["skips"]
        total, most = sum(skips.values()), max(skips, key=lambda reason: skips[reason], default="")
        if counts["pairs"]:
            asked = counts["prompts"] * counts["contexts"]
            why = f"Too many prompts failed: {self.run.failed} of {asked}"
        elif most == "nothing_to_correct" and self._old_names:
            why = f"No pairs were made: {skips[most]} of {total} answers don't contain {self._listed_names}"
        else:
            why = f"No pairs were made: {skips.get(most, 0)} of {total} prompts are skipped as {most.replace('_', ' ')}"
        yield f"{why}. All reasons: {self.run.skips}"
        if counts["pairs"]:
            yield "  -> correct the cause and run the same command again: what was made is kept"
        else:
            yield from self._same_scores()
            if most == "persona_failed":
                yield "  -> show how it answers, by lines user: and assistant: in a persona file; or --chosen reference"
        yield from self.names()

    @property
    def _old_names(self) -> list[str]:
        regex = self.run.settings.get("match") == "regex"
        return [] if regex else list(self.run.settings.get("rules", ()))

    def _named(self, answer: str) -> bool:
        return any(name.lower() in answer.lower() for name in self._old_names)

    @property
    def _listed_names(self) -> str:
        return " or ".join(f"'{one_line(name, 40)}'" for name in self._old_names[:_SHOWN])

    def _details(self, *reasons: str) -> list[str]:
        return [row["detail"] for row in self.rows if row["reason"] in reasons]

    def _errors(self) -> Iterator[str]:
        for reason in (*FAILURES, "template"):
            found = Counter(self._details(reason)).most_common()
            for detail, count in found[:_SHOWN]:
                yield f"{reason}, {plural(count, 'prompt')}: {one_line(detail, _LONG)}"
            if reason == "template" and any(self.run.settings.get("contexts") or ()) and found:
                yield "  -> --no-system asks without a system message"
            if more := len(found) - _SHOWN:
                yield from [f"{reason}: {plural(more, 'other reason')}"] if more > 0 else []

    def _same_scores(self) -> Iterator[str]:
        """Yield what is probably wrong with a judge that gave all answers to all prompts the same score."""
        scores = {detail.rpartition(" ")[2] for detail in self._details("tie")}
        if len(scores) == 1:
            asked = "rubric" in self.run.settings.get("judge", ())
            hint = "" if asked else ': does it read completion[0]["content"]?'
            yield f"the judge gave every answer {scores.pop()}{hint}"

    def _margins(self) -> Iterator[str]:
        """Yield how far best and worst are apart in all prompts, where some are below the margin."""
        below = [float(detail.split()[0]) for detail in self._details("below_margin")]
        if below:
            pairs = [row["chosen_score"] - row["rejected_score"] for row in read_rows(self.run.pairs)]
            tenths = quantiles([*below, *pairs], n=10, method="inclusive") if len(below) + len(pairs) > 1 else below * 9
            shown = ", ".join(f"{label} {tenths[place]:g}" for label, place in (("10%", 0), ("median", 4), ("90%", 8)))
            unit = "sd" if self.run.settings.get("sd") else ""
            least = f"--margin {self.run.settings['margin']:g}{unit}"
            yield f"margins of the prompts that are not ties: {shown} ({least})"

    def _answers(self) -> Iterator[str]:
        if self._details(*FAILURES):
            return
        by_question: dict[str, Mapping[str, Any]] = {}
        for row in self.rows:
            by_question.setdefault(row["prompt"][-1]["content"] if row["prompt"] else "", row)
            if len(by_question) == _SHOWN:
                break
        for question, row in by_question.items():
            asked = f"'{one_line(question, 50)}' -> " if question else ""
            detail = one_line(row["detail"], 90)
            if row["reason"] == "tie":
                detail = detail.replace(" different answers", f" different answers of {self.run.settings.get('n', 1)}")
            yield f"skipped as {row['reason'].replace('_', ' ')}: {asked}'{detail}'"

    def names(self) -> Iterator[str]:
        """Yield how the model calls itself, where most answers hold none of the names that are to be replaced."""
        answers = self._details("nothing_to_correct")
        if not answers or not self._old_names or {"persona", "fill"} & self.run.settings.keys():
            return
        # These have no name either, or they would be no use.
        answers += [text for text in self._details("cut_off", "repeated", "refused") if not self._named(text)]
        skips = self.run.counts["skips"].items()
        answered = sum(count for reason, count in skips if reason not in _UNANSWERED) + self.run.counts["pairs"]
        if 2 * len(answers) <= answered:
            return
        for old in self._old_names:
            places = ((answer, answer.lower().find(old.lower())) for answer in answers)
            spelled = Counter(answer[at : at + len(old)] for answer, at in places if at >= 0)
            del spelled[old]  # within a longer word
            if spelled:
                other = one_line(spelled.most_common(1)[0][0], 40)
                yield f"the model writes '{other}', not '{one_line(old, 40)}'"
                yield f"  -> --from {_quoted(other)}, or --case smart"
                return
        found = Counter(name for answer in answers for name in introduced_names(answer))
        names = Counter({name: count for name, count in found.items() if count >= _FREQUENT * len(answers)})
        model = one_line(self.run.settings["model"], 60)
        line = f"{model} never says {self._listed_names}"
        persona = f'--persona "You are {one_line(next(iter(self.run.settings["rules"].values())), 40)}"'
        if self.run.settings.get("sampling", {}).get("sampler") == "replay":
            persona = f"-m MODEL {persona}"  # the answers under a persona are not in the file
        fixes = ["-m YOUR-MODEL"] if model == "pocket" else [persona, "--chosen reference"]
        if names:
            common = [f"'{one_line(name, 40)}' in {count}" for name, count in names.most_common(_SHOWN)]
            line += f"; it says {', '.join(common)} of {plural(len(answers), 'answer')}"
            fixes.insert(0, f"--from {_quoted(one_line(names.most_common(1)[0][0], 40))}")
        yield line
        if fixes:
            yield f"  -> {', or '.join(fixes)}"


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
