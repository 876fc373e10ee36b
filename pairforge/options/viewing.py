"""The options of the commands that serve the page."""

from __future__ import annotations

from os import PathLike
from typing import ClassVar

from .common import PairData
from .declaration import option, options
from .pairs import DataArgument


@options
class PageOptions:
    heading: ClassVar = "Page"
    host: str = option(
        "Serve the page on this address; all but that of this machine need a token, which the printed address holds.",
        default="127.0.0.1",
        metavar="ADDRESS",
    )
    port: int | None = option(
        "Serve it on this port.",
        default=None,
        type=int,
        metavar="N",
        at_least=1,
        at_most=65535,
        shown="8737, or the next free one",
    )
    token_env: str | None = option(
        "This environment variable holds the token; without it, a new one is made where one is needed.",
        default=None,
        metavar="VARIABLE",
    )
    open: bool = option("Open the page in the browser.", default=False)


@options
class AnnotationOptions(PageOptions):
    """How people judge. Pairs depend on their verdicts, not on these."""

    heading: ClassVar = "People"
    who: str | None = option(
        "Who judges, if the address of the page does not say it (?who=NAME).",
        default=None,
        metavar="NAME",
        shown="the name of the user",
    )
    guidelines: str | PathLike[str] | None = option(
        "Show these guidelines to whoever judges: a file of Markdown.", default=None, metavar="FILE"
    )
    overlap: float = option(
        "This share of the prompts is judged by everybody, each other one by one person.",
        default=0.1,
        metavar="SHARE",
        at_least=0,
        at_most=1,
    )
    repeat: float = option(
        "This share of the prompts is shown again later, to see whether the verdict is the same.",
        default=0.05,
        metavar="SHARE",
        at_least=0,
        at_most=1,
    )
    attention: float = option(
        "Of this share of the prompts, the best answer is shown again beside an answer to another question.",
        default=0.02,
        metavar="SHARE",
        at_least=0,
        at_most=1,
    )


@options
class ViewOptions(PageOptions, DataArgument):
    """Look at pairs in a browser.

    Shows the pairs with their differences, what the checks find in them, all answers with their scores, and what came
    of the training. Several runs are compared by prompt. Ends with Ctrl-C.
    """

    heading: ClassVar = "Pairs"
    data: PairData = option(
        "Runs and files of pairs, by default the latest run.",
        default=None,
        argument=True,
        nargs=-1,
        metavar="[RUN|FILE]...",
        kw_only=False,
    )
    save: str | PathLike[str] | None = option(
        "Write here the pairs that are not marked to be dropped, when asked on the page (.jsonl).",
        default=None,
        metavar="OUT",
    )
