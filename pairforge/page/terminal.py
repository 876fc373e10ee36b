"""The questions of the page in the terminal: one key each."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import click
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from ..errors import PairforgeError
from ..pair_view import Diff
from ..text import visible
from .annotation import Annotation

HELP = (
    "1-9 the best answer, then the worst (of two answers one key is enough) · t all alike · x all bad · s skip\n"
    "u undo · e edit the best answer · d word differences · g guidelines · ? help · q quit"
)
_WAIT = 0.02  # seconds, while the first answers are read
_CHOICES = {"t": "tie", "x": "all_bad", "s": "skip"}


def judge_in_terminal(annotation: Annotation, who: str, key: Callable[[], str] = click.getchar) -> None:
    """Ask one question after the other until there are none, or until q, Ctrl-C or the end of the input."""
    console = Console(stderr=True, highlight=False, markup=False)
    said = list[str]()
    while (found := annotation.queue(who, 1))["items"] or found["state"] == "reading":
        if not (items := found["items"]):
            time.sleep(_WAIT)
            continue
        _show(console, items[0], annotation.progress(who))
        start = time.monotonic()
        try:
            verdict = _asked(console, items[0], annotation.guidelines, key)
        except (EOFError, KeyboardInterrupt):
            verdict = None
        if verdict is None:
            break
        event = {"uuid": str(uuid.uuid4()), "who": who, "kind": "verdict", **verdict}
        if verdict.get("kind") == "undo":
            said = said or annotation.progress(who)["last"]
            if not said:
                console.print("nothing to take back")
                continue
            event["undoes"] = said.pop()
        else:
            event |= {"item": items[0]["item"], "seconds": round(time.monotonic() - start, 1)}
        try:
            annotation.add(event)
        except PairforgeError as error:
            console.print(Text(str(error), style="red"))
            continue
        if event["kind"] == "verdict":
            said.append(event["uuid"])
    progress = annotation.progress(who, fresh=True)
    console.print(f"{progress['done']} of {_total(progress)} judged")


def _show(console: Console, item: Mapping[str, Any], progress: Mapping[str, Any]) -> None:
    turns = [Text.assemble((f"{turn['role']}: ", "dim"), visible(turn["content"])) for turn in item["context"]]
    console.rule(f"{progress['done'] + 1} of {_total(progress)}")
    console.print(Group(*turns))
    for answer in item["answers"]:
        console.print(Panel(Text(visible(answer["text"])), title=str(answer["key"]), title_align="left"))


def _total(progress: Mapping[str, Any]) -> str:
    """Return how many items there are, as far as they are read."""
    return f"{progress['total']}{', and more' if progress['reading'] else ''}"


def _asked(console: Console, item: Mapping[str, Any], guidelines: str, key: Callable[[], str]) -> dict[str, Any] | None:
    """Return what the person says of an item; None for the end."""
    answers = {str(one["key"]): str(one["text"]) for one in item["answers"]}
    best, edit = "", None
    while True:
        console.print(Text(f"best {best or '?'}{' (edited)' if edit else ''}, worst ?   (? help)", style="dim"))
        pressed = key()
        if pressed in ("q", "\x03", "\x04", ""):
            return None
        if pressed in _CHOICES:
            return {"choice": _CHOICES[pressed]}
        if pressed == "u" and not best:
            return {"kind": "undo"}
        if pressed == "u":
            best, edit = "", None
        elif pressed == "d":
            _show_differences(console, answers, best)
        elif pressed == "g":
            console.print(Text(visible(guidelines or "there are no guidelines")))
        elif pressed == "e":
            best = best or _key_of(console, "which answer is the best one?", answers, key)
            if best:
                edit = click.edit(answers[best]) or edit
        elif pressed in answers and pressed != best:
            best, worst = (best, pressed) if best else (pressed, "")
            if len(answers) == 2:
                worst = next(name for name in answers if name != best)
            if worst:
                return {"choice": "picked", "best": int(best), "worst": int(worst), "edit": edit}
        else:
            console.print(HELP)


def _key_of(console: Console, question: str, answers: Mapping[str, str], key: Callable[[], str]) -> str:
    console.print(question)
    pressed = key()
    return pressed if pressed in answers else ""


def _show_differences(console: Console, answers: Mapping[str, str], best: str) -> None:
    """Show how each other answer differs from the best one, or else from the first."""
    first = best or next(iter(answers))
    for name, text in answers.items():
        if name != first:
            console.print(Panel(Diff(text, answers[first]), title=f"{name} to {first}", title_align="left"))
