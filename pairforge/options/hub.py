"""The options of push, pull and reproduce."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from .common import OutputOptions, RunNameOption
from .declaration import option, options
from .pairs import DataArgument


@options
class PushOptions(DataArgument):
    """Build and preview the data set, and upload it.

    Parquet files, a card and a manifest. They are uploaded where you are logged in: to --repo, or to a private data set
    that is called as the run. In place of pairs: the folder of a trained model.
    """

    heading: ClassVar = "Upload"
    repo: str | None = option("Repository on the Hub.", default=None, metavar="USER/NAME")
    license: str | None = option(
        "Licence of the data: an id that the Hub knows, e.g. apache-2.0, or other:NAME.", default=None, metavar="ID"
    )
    private: bool = option("Make a new repository private.", default=True, flags=("--private/--public",))
    yes: bool = option(
        "Replace rows, and a card that pairforge did not write; push a model whose verdict is FAIL.", default=False
    )
    allow: str | Sequence[str] = option(
        "Publish although this check finds errors; the card says why.", default=(), metavar="CODE=REASON"
    )
    allow_pocket: bool = option("Publish pairs of the bundled pocket model.", default=False)
    dry_run: bool = option("Build, and say what would change in the repository; upload nothing.", default=False)
    config_name: str | None = option(
        "Name of the config; others in the repository stay as they are.", default=None, metavar="NAME"
    )
    test_size: float = option("Share of the prompts that become the split test.", default=0.0, at_least=0, at_most=0.9)
    candidates: bool = option(
        "Add all answers of the run, with scores.", default=True, flags=("--candidates/--no-candidates",)
    )
    report: bool = option(
        "Add the report (pairforge report) beside the pairs; the card links it. It has example pairs and, of a run, "
        "the verdict on the model that was trained last.",
        default=False,
    )
    also: str | None = option("Add a config for this trainer.", default=None, choices=("llamafactory",))
    message: str | None = option("Message of the commit.", default=None, metavar="TEXT")
    revision: str | None = option("Branch to push to, made where it is missing.", default=None, metavar="BRANCH")
    create_pr: bool = option("Open a pull request, or add to your own that is open.", default=False)
    tag: str | None = option("Tag the commit; a tag is never moved.", default=None, metavar="NAME")


@options
class PublishedOptions(OutputOptions):
    heading: ClassVar = "Data set"
    config: str | None = option(
        "Which of the data set's configs.", default=None, metavar="NAME", shown="the default one, if it holds pairs"
    )
    revision: str | None = option("A branch, tag or commit of the data set.", default=None, shown="main")


@options
class PullOptions(RunNameOption, PublishedOptions):
    """Make a run of a data set on the Hub.

    It has the pairs, the settings and, where they were published, all answers with their scores, so that every command
    works on it as on a run of your own. A data set that pairforge did not publish becomes a run of its pairs alone.
    """

    heading: ClassVar = "Data set"
    repo: str = option(
        "A data set on the Hub; of one that pairforge did not publish, also its config and split.",
        argument=True,
        metavar="ORG/NAME[:CONFIG][:SPLIT]",
        kw_only=False,
    )


@options
class ReproduceOptions(PublishedOptions):
    """Make a published data set again, and compare.

    Prints the command that made it. With --run, runs it in a folder of its own, and says whether the pairs are the same
    and, if not, what is known of why (exit 1). Code, files and servers that the command names are used only where you
    name them with --set.
    """

    heading: ClassVar = "Data set"
    source: str = option(
        "A data set on the Hub that pairforge published, or a run.",
        argument=True,
        metavar="ORG/NAME|RUN",
        kw_only=False,
    )
    run: bool = option("Run the command, and compare the pairs.", default=False)
    set: str | Sequence[str] = option(
        "Give an option of the command yourself, e.g. --set judge=my_judge.py:score, --set base-url=URL.",
        default=(),
        metavar="OPTION=VALUE",
    )
