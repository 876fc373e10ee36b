"""People as judges: their verdicts, each an event that is only ever added to, and the scores that follow from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import fmean
from typing import Any, Literal, TypeAlias, get_args

from ..errors import InputError
from ..text import one_line, without_surrogates
from ..types import Judge, Prompt, Skip, digest

Choice: TypeAlias = Literal["picked", "tie", "all_bad", "skip"]
Purpose: TypeAlias = Literal["", "again", "check"]
"""Why an item is shown: to be judged; again, to see whether the verdict is the same; or as a check of attention."""
NOT_JUDGED = "no person has judged the answers yet"
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_UUID = re.compile(r"[0-9A-Za-z-]{4,64}")
_LONGEST = 200_000  # characters of an edit


@dataclass(frozen=True)
class HumanEvent:
    """What a person said. `kind` is a verdict, or the undoing of one, which `undoes` names.

    `best` and `worst` are digests of answers, `order` those of all answers as they were shown; `edit` is what the
    person made of the best answer. `at` is when it was said, in UTC; `seconds` is how long it took.
    """

    uuid: str
    who: str
    item: str = ""
    kind: Literal["verdict", "undo"] = "verdict"
    choice: Choice | None = None
    best: str | None = None
    worst: str | None = None
    edit: str | None = None
    undoes: str | None = None
    order: tuple[str, ...] = ()
    purpose: Purpose = ""
    seconds: float = 0.0
    at: str = ""

    @classmethod
    def read(cls, value: Any) -> HumanEvent:
        """Return the event in a JSON object. Raises InputError where it is none."""
        if not isinstance(value, Mapping):
            raise InputError(f"not a verdict: {one_line(repr(value), 60)}")
        given = {one.name: value[one.name] for one in fields(cls) if value.get(one.name) is not None}
        order = given.get("order", ())
        texts = [given.get(name, "") for name in ("uuid", "who", "item", "best", "worst", "edit", "undoes", "at")]
        sound = (
            all(isinstance(text, str) and len(text) <= _LONGEST for text in texts)
            and isinstance(order, list | tuple)
            and all(isinstance(name, str) for name in order)
            and type(given.get("seconds", 0.0)) in (int, float)
            and 0 <= given.get("seconds", 0.0) < 1e6
            and _UUID.fullmatch(given.get("uuid", ""))
            and _NAME.fullmatch(given.get("who", ""))
            and given.get("purpose", "") in get_args(Purpose)
        )
        kind, choice = given.get("kind", "verdict"), given.get("choice")
        if kind == "verdict":
            sides = given.get("best"), given.get("worst")
            sound = sound and choice in get_args(Choice) and bool(given.get("item"))
            sound = sound and (choice != "picked" or (all(sides) and sides[0] != sides[1]))
        else:
            sound = sound and kind == "undo" and bool(given.get("undoes"))
        if not sound:
            raise InputError(f"not a verdict: {one_line(repr(dict(value)), 100)}")
        texts_of = {name: without_surrogates(text) for name, text in given.items() if isinstance(text, str)}
        return cls(**{**given, **texts_of, "order": tuple(order)})

    def as_json(self) -> dict[str, Any]:
        """Return the event as a JSON object, without what it does not say."""
        return {name: value for name, value in vars(self).items() if value not in (None, "", ())}

    @property
    def said(self) -> tuple[Any, ...]:
        """The verdict itself, by which two are the same or not."""
        return self.choice, self.best if self.choice == "picked" else None


def item_key(prompt: Prompt, answers: Iterable[str]) -> str:
    """Return the name of what is judged: a prompt with its distinct answers, in any order."""
    return digest([prompt.id, sorted(answers)])


def standing(events: Iterable[HumanEvent]) -> dict[tuple[str, str, Purpose], HumanEvent]:
    """Return the verdict of each person on each item that is not undone, by (who, item, purpose).

    It does not depend on the order in which events arrive. Of two of one person on one item, the earlier counts.
    """
    events = list({event.uuid: event for event in events}.values())
    undone = {(event.who, event.undoes) for event in events if event.kind == "undo"}
    found: dict[tuple[str, str, Purpose], HumanEvent] = {}
    for event in events:
        if event.kind == "verdict" and (event.who, event.uuid) not in undone:
            key = event.who, event.item, event.purpose
            found[key] = min(event, found.get(key, event), key=lambda one: (one.at, one.uuid))
    return found


class HumanJudge(Judge):
    """The people who judged: on the page, or with `terminal` in the terminal.

    Of one person's verdict the best answer scores 1, the worst 0, and all others 0.5, as all do in a tie; of several
    people the mean counts. Where at least half of them find all answers bad, or all skip, there is no score. A score
    depends on the other answers, too, but all verdicts are part of the settings: other ones are other scores.
    """

    def __init__(self, terminal: bool = False) -> None:
        self.name, self.terminal = "human", terminal
        self.warnings: list[str] = []
        self._verdicts: dict[str, list[HumanEvent]] = {}
        self._edits: dict[str, str] = {}

    def take(self, events: Iterable[HumanEvent], items: Mapping[str, Prompt]) -> None:
        """Take the verdicts that stand on these items; the scores are those that follow from them."""
        found = sorted(standing(events).values(), key=lambda one: (one.at, one.uuid))
        self._verdicts, self._edits = {}, {}
        for event in found:
            if event.item in items and not event.purpose:
                self._verdicts.setdefault(event.item, []).append(event)
                if event.edit:
                    self._edits.setdefault(items[event.item].id, event.edit)

    def settings(self) -> dict[str, Any]:
        """Return the name, a digest of all verdicts, and by the prompts' ids what people made of the best answers."""
        said = sorted(
            [item, one.who, one.choice, one.best, one.worst]
            for item, of_item in self._verdicts.items()
            for one in of_item
        )
        return {"judge": self.name, "verdicts": digest(said), **({"edits": self._edits} if self._edits else {})}

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """Return the mean of what each person's verdict gives an answer; a Skip where there is none."""
        verdicts = self._verdicts.get(item_key(prompt, answers), [])
        told = [one for one in verdicts if one.choice != "skip"]
        bad = sum(one.choice == "all_bad" for one in told)
        if not verdicts:
            return [Skip("not_asked", NOT_JUDGED)] * len(answers)
        if not told:
            return [Skip("skipped", f"skipped by {len(verdicts)}")] * len(answers)
        if bad * 2 >= len(told):
            return [Skip("all_bad", f"{bad} of {len(told)} find all {len(answers)} answers bad")] * len(answers)
        compared = [one for one in told if one.choice != "all_bad"]
        return [fmean(_score(one, digest(answer)) for one in compared) for answer in answers]


def _score(verdict: HumanEvent, answer: str) -> float:
    if verdict.choice == "picked" and answer in (verdict.best, verdict.worst):
        return float(answer == verdict.best)
    return 0.5
