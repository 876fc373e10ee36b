"""The options of the commands about runs and about this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from .common import OutputOptions
from .declaration import option, options


@options
class ListRunsOptions(OutputOptions):
    """List all runs, the latest first.

    Says what each was made from, and which models were trained on it. For a stopped run, it shows the command that
    resumes it. With -q, only the names are printed.
    """


_RUN = "A run: its name, its folder, latest, or latest~1 for the one before; by default the latest."


@options
class ShowRunOptions(OutputOptions):
    """Show the settings, the counts and the trained models of a run, by default of the latest."""

    heading: ClassVar = "Output"
    run: str | None = option(_RUN, default=None, argument=True, nargs=-1, each=True, metavar="[RUN]...", kw_only=False)


@options
class DiffRunsOptions(OutputOptions):
    """Compare two runs: settings, counts, and pairs that only one of them has."""

    heading: ClassVar = "Output"
    a: str = option(_RUN.partition(";")[0] + ".", argument=True, metavar="RUN", kw_only=False)
    b: str = option("The run to compare it with.", default="latest", argument=True, metavar="[RUN]", kw_only=False)


@options
class RemoveRunsOptions(OutputOptions):
    """Remove runs, with the models trained in them.

    Without --yes it only says which. Patterns such as 'correct-*' take several runs. A run that is in use is never
    removed.
    """

    heading: ClassVar = "Runs"
    runs: str | Sequence[str] = option(
        "Names, folders or patterns of runs.",
        default=(),
        argument=True,
        metavar="[RUN|PATTERN]...",
        nargs=-1,
        kw_only=False,
    )
    empty: bool = option("Of those that are named, or of all: only runs without pairs.", default=False)
    older_than: float | None = option(
        "Of those that are named, or of all: only runs made more than this many days ago.",
        default=None,
        type=float,
        metavar="DAYS",
        at_least=0,
    )
    answers: bool = option("Remove also the stored answers that no other run uses.", default=False)
    yes: bool = option("Remove them; without it, only say what would be removed.", default=False)


@options
class DoctorOptions(OutputOptions):
    """Check this machine, and say what to change.

    Looks at Python, packages, processors, Hub, disk and settings.

    Exits with 1 only where something can't work.
    """
