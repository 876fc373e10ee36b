"""The result of correct and onpolicy: the run, its counts, and its pairs on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from .. import diagnostics
from ..console import outcome, table
from ..formats import read_rows, to_dataset
from ..notebook import HtmlRepr, data_frame
from ..pair_view import PairView
from ..run import Run
from ..text import listed, plural, visible
from .finishing import thought_lines
from .skip_report import SkipReport

if TYPE_CHECKING:
    from datasets import Dataset

_SHOWN = 3  # pairs


@dataclass(repr=False)
class BuildResult(HtmlRepr):
    """The result of correct or onpolicy: the run folder, its counts, and the pairs on demand."""

    run: Run
    max_failures: int | None = None
    exit_code = 3  # where not ok

    @property
    def counts(self) -> dict[str, Any]:
        """`{"prompts", "contexts", "pairs", "skips": {reason: n}}`; pairs + skips = prompts x contexts.

        Where prompts have several pairs, `paired` is the number of prompts with pairs: paired + skips = prompts x
        contexts.
        Commands add other keys: `rules` and `leftovers` (names replaced, names left as they are), `thoughts` (what
        became of them), and `counter` and `retain`, pairs in the same file that are counted apart; `unfinished` is the
        number of their questions that are open.
        """
        return self.run.counts

    @property
    def ok(self) -> bool:
        """There are pairs, no budget ran out, and at most a tenth of the prompts (or `max_failures`) failed."""
        counts, skips = self.counts, self.counts["skips"]
        tenth = 0.1 * counts["prompts"] * counts["contexts"]
        few = self.run.failed <= (tenth if self.max_failures is None else self.max_failures)
        return bool(counts["pairs"] and few and not skips.get("not_asked") and not counts.get("unfinished"))

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Return the pairs as plain dicts."""
        return read_rows(self.run.pairs)

    def dataset(self) -> Dataset:
        """Return the pairs as a `datasets.Dataset` with explicit features."""
        return to_dataset(self.rows())

    def to_pandas(self) -> Any:
        """Return the pairs as a `pandas.DataFrame`, a row for each pair."""
        return data_frame(self.rows())

    def as_html(self) -> str:
        """Return the counts and the first pairs, for a notebook."""
        from ..html import element, joined
        from ..html import table as html_table

        rows = [(name, count) for name, count in self._outcomes()]
        pairs = (PairView(row, number).as_html() for number, row in islice(enumerate(self.rows()), _SHOWN))
        counted = html_table((self._asked, "answers"), rows, "What became of the prompts")
        return joined([counted, *(element("article", pair) for pair in pairs), element("p", self.run.pairs)])

    def __repr__(self) -> str:
        skips = sum(self.counts["skips"].values())
        pairs = plural(self.counts["pairs"], "pair")
        return f"{type(self).__name__}({pairs}, {plural(skips, 'skip')}, {self.run.path})"

    def as_json(self) -> dict[str, Any]:
        run = self.run
        said = {"command": run.command, "ok": self.ok, "run": str(run.path), "output": str(run.pairs)}
        return said | {"counts": self.counts}

    @property
    def brief(self) -> str:
        """The path of the pairs."""
        return visible(str(self.run.pairs))

    @property
    def _asked(self) -> str:
        return f"{plural(self.counts['prompts'], 'prompt')} x {plural(self.counts['contexts'], 'context')}"

    def _outcomes(self) -> Iterator[tuple[str, str]]:
        """Yield how many pairs there are, and how many prompts have none, by reason."""
        counts = self.counts
        yield "pairs", str(counts["pairs"])
        yield from ((reason.replace("_", " "), str(n)) for reason, n in counts["skips"].items())
        yield from ((f"{kind}, apart", str(counts[kind])) for kind in ("counter", "retain") if kind in counts)

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        counts = self.counts
        yield table("", (self._asked, "answers"), self._outcomes())
        yield ""
        for number, row in islice(enumerate(self.rows()), _SHOWN):
            yield PairView(row, number)
            yield ""
        yield outcome(counts)
        for label, name in (("names replaced", "rules"), ("left as they are", "leftovers")):
            counted = [f"{visible(word)} {count}" for word, count in counts.get(name, {}).items()]
            if counted:  # `names replaced: QWEN 12, Ｑｗｅｎ 3, in URLs 5`
                yield f"{label}: {listed(counted, 8)}"
        yield from thought_lines(self.run)
        if found := counts.get("diagnostics"):
            yield from diagnostics.lines(found, self.run.settings["n"])
        yield f"{self.run.pairs}"
        report = SkipReport(self.run)
        yield from report.lines()
        if self.ok:
            yield from report.names()
            yield "next: pairforge validate · pairforge shortcuts · pairforge train dpo · pairforge push"
        elif counts["skips"].get("not_asked") or counts.get("unfinished"):
            yield "stopped before the end: what was made is whole; the same command goes on"
        else:
            yield from report.conclusion()


@dataclass(repr=False)
class TaskResult(BuildResult):
    """The result of one task of an array, which makes no pairs: `done` of all `shards` are whole."""

    shards: int = 0
    done: int = 0

    @property
    def ok(self) -> bool:
        return self.done == self.shards

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.brief})"

    def as_json(self) -> dict[str, Any]:
        return {"command": self.run.command, "ok": self.ok, "shards": self.shards, "done": self.done}

    @property
    def brief(self) -> str:
        """How many shards are whole."""
        return f"{self.done} of {plural(self.shards, 'shard')}"

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        yield f"{self.brief} are there"
        yield "next: the same command with --executor local makes the pairs, and runs what is missing"
