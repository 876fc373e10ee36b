"""Answers to be judged by people: who is asked what next, what they said, and how far they agree."""

from __future__ import annotations

import threading
import time
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice, takewhile
from statistics import median
from typing import Any, get_args

from ..errors import InputError
from ..judges.human import HumanEvent, Purpose, item_key, standing
from ..store import Store
from ..types import AnswerGroup, digest
from .agreement import Agreement, agreement, judge_agreement
from .evidence import StoredScores
from .row_index import difference, whole
from .server import ConflictError, Handler, NotReadyError

_LEASE = 600.0  # seconds for which what one person was given is not given to another
_APART = 10  # verdicts between an item and its repetition, at least
_LATEST = 50  # verdicts by which the speed is measured
_MOST = 100  # items that are given at once
_REFRESH = 5.0  # seconds for which the figures of agreement are kept
_MOST_COMPARED = 2000  # items by which stored judges are compared with people


@dataclass(frozen=True)
class AnnotationPlan:
    """How items are given to people: shares of 1.

    Args:
        overlap: of the items, those that every person judges; each other one is judged by one person.
        again: of a person's items, those that are shown twice.
        checks: of a person's items, those whose best answer is later shown beside an answer to another question.
        seed: of all that is drawn.
    """

    overlap: float = 0.1
    again: float = 0.05
    checks: float = 0.02
    seed: int = 0

    def drawn(self, *of: str) -> float:
        """Return a number from 0 to 1 that is always the same for these texts."""
        return int(digest([self.seed, *of], 13), 16) / 16**13


@dataclass(frozen=True)
class AnnotationItem:
    """A prompt with its distinct answers; `number` is its place, and `shared` ones are judged by everybody."""

    key: str
    number: int
    group: AnswerGroup
    shared: bool

    @property
    def digests(self) -> dict[str, str]:
        """The answers by their digests."""
        return {digest(text): text for text in self.group.answers}


@dataclass
class Annotator:
    """A person: the verdicts that stand, by (item, purpose), the place of the first open item, and what is due later.

    Verdicts are of all items in the store, also of those that are not here, or not read yet. Of those that are here,
    `done` counts all, `own` those on items that nobody else is asked, `repeated` those on items that were shown again.
    `later` holds what will be shown: (after how many verdicts, item, purpose), `returned` what was taken back.
    """

    name: str
    verdicts: dict[tuple[str, Purpose], HumanEvent] = field(default_factory=dict)
    cursor: int = 0
    done: int = 0
    own: int = 0
    repeated: int = 0
    later: list[tuple[int, str, Purpose]] = field(default_factory=list)
    returned: list[tuple[str, Purpose]] = field(default_factory=list)
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_LATEST))


class Annotation:
    """Gives items to people and keeps what they say.

    `load` yields the groups of answers in a thread of its own, and each can be judged as soon as it is there. `name` is
    that of what is judged: under it, a browser keeps verdicts until they are stored.
    """

    def __init__(
        self,
        load: Callable[[], Iterable[AnswerGroup]],
        store: Store,
        plan: AnnotationPlan | None = None,
        *,
        name: str = "",
        who: str = "",
        title: str = "",
        guidelines: str = "",
    ) -> None:
        self.store, self.plan = store, plan or AnnotationPlan()
        self.name, self.who, self.title, self.guidelines = name, who, title, guidelines
        self.items: list[AnnotationItem] = []
        self.by_key: dict[str, AnnotationItem] = {}
        self.state = "reading"
        self.error: Exception | None = None
        self._load = load
        self._lock = threading.RLock()
        self._people: dict[str, Annotator] = {}
        self._events: dict[str, HumanEvent] = {}
        self._takers: dict[str, set[str]] = {}  # of an item: who has judged it
        self._leases: dict[str, tuple[str, float]] = {}
        self._repeated: dict[str, tuple[str, Purpose]] = {}  # what is shown a second time, by the name that people see
        self._undone: set[tuple[str, str]] = set()
        self._judged_alone = 0  # items that only one person is asked, and that are judged
        self._figures: tuple[float, int, Agreement] = (0.0, 0, Agreement())  # since when, of how many events
        self._scores = StoredScores(store)
        self.thread = threading.Thread(target=self.fill, daemon=True)

    def fill(self) -> None:
        """Take the events that are stored, then make the items."""
        try:
            with self._lock:
                events = [HumanEvent.read(one) for one in self.store.events()]
                self._events = {one.uuid: one for one in events}
                self._undone = {(one.who, str(one.undoes)) for one in events if one.kind == "undo"}
                for event in sorted(standing(events).values(), key=lambda one: (one.at, one.uuid)):
                    self._take(event)
            for group in self._load():
                key = item_key(group.prompt, group.answers)
                with self._lock:
                    if key not in self.by_key:
                        self._add_item(AnnotationItem(key, len(self.items), group, self._is_shared(key)))
            self.state = "ready"
        except Exception as error:  # noqa: BLE001 (the thread's end: the page says it)
            self.state, self.error = "failed", error

    def _is_shared(self, key: str) -> bool:
        return self.plan.drawn(key, "shared") < self.plan.overlap

    def _add_item(self, item: AnnotationItem) -> None:
        """Add an item, on which there may be verdicts already."""
        self.by_key[item.key] = item
        self.items.append(item)
        for person in map(self._person, self._takers.get(item.key, ())):
            for purpose in get_args(Purpose):
                if (item.key, purpose) in person.verdicts:
                    self._count(person, item.key, purpose)
        self._judged_alone += not item.shared and bool(self._takers.get(item.key))

    def _count(self, person: Annotator, key: str, purpose: Purpose, by: int = 1) -> None:
        """Count a verdict on an item that is here; one that is undone by -1."""
        person.done += by
        person.repeated += by * bool(purpose)
        person.own += by * (not purpose and not self.by_key[key].shared)

    def routes(self) -> dict[tuple[str, str], Handler]:
        """Return what is answered."""
        return {
            ("GET", "/api/source"): lambda asked, _: self.source(),
            ("GET", "/api/judge/queue"): lambda asked, _: self.queue(_who(asked, self.who), whole(asked, "limit", 20)),
            ("GET", "/api/judge/progress"): lambda asked, _: self.progress(_who(asked, self.who), fresh=True),
            ("GET", "/api/judge/differences"): lambda asked, _: self.differences(_who(asked, self.who), asked),
            ("POST", "/api/judge/events"): lambda _, body: self.add(body),
        }

    def source(self) -> dict[str, Any]:
        """Return what there is to judge."""
        return {
            "mode": "judge",
            "id": self.name,
            "title": self.title,
            "who": self.who,
            "total": len(self.items),
            "annotators": sorted(self._people),
            "guidelines": self.guidelines or None,
        }

    def queue(self, who: str, limit: int = 20) -> dict[str, Any]:
        """Return the next items of a person, blind and in an order of their own, and how far the person is."""
        with self._lock:
            person, now, limit = self._person(who), time.monotonic(), max(1, min(limit, _MOST))
            due = takewhile(lambda one: one[0] <= len(person.verdicts), self._later(person))
            ready = chain(
                (one for one in reversed(person.returned) if one[0] in self.by_key),
                ((key, purpose) for _, key, purpose in due),
                ((item.key, "") for item in self._open(person, now)),
                ((key, purpose) for _, key, purpose in self._later(person) if self.state != "reading"),
            )
            chosen = list(islice(dict.fromkeys(islice(ready, 2 * limit)), limit))
            for key, purpose in chosen:
                if not purpose and not self.by_key[key].shared:
                    self._leases[key] = who, now
            items = [self._shown(person, key, purpose) for key, purpose in chosen]
            failure = str(self.error) or type(self.error).__name__ if self.error else ""
            said = {"who": who, "items": items, "state": self.state, "failure": failure}
            return said | {"progress": self.progress(who, fresh=True)}

    def _person(self, who: str) -> Annotator:
        return self._people.setdefault(who, Annotator(who))

    def _later(self, person: Annotator) -> Iterator[tuple[int, str, Purpose]]:
        """Yield what is to be shown to a person again, as far as it is here. Checks wait until all items are."""
        for due, key, purpose in person.later:
            item = self.by_key.get(key)
            if item and (purpose != "check" or (self.state != "reading" and self._foreign(item, ""))):
                yield due, key, purpose

    def _open(self, person: Annotator, now: float) -> Iterator[AnnotationItem]:
        """Yield the items that a person has not judged, and that nobody else has or is about to."""
        while person.cursor < len(self.items) and self._takers.get(self.items[person.cursor].key):
            item = self.items[person.cursor]
            if item.shared and person.name not in self._takers[item.key]:
                break
            person.cursor += 1
        for number in range(person.cursor, len(self.items)):
            item = self.items[number]
            takers = self._takers.get(item.key) or set()
            if person.name in takers or (takers and not item.shared):
                continue
            holder, since = self._leases.get(item.key, (person.name, now))
            if item.shared or holder == person.name or now - since > _LEASE:
                yield item

    def answers(self, who: str, key: str, purpose: Purpose = "") -> list[str]:
        """Return the answers as a person sees them: the order is a hash of item, person and seed."""
        item = self.by_key[key]
        texts = [*item.group.answers]
        if purpose == "check":
            verdict = self._person(who).verdicts.get((key, ""))
            best = item.digests.get(str(verdict and verdict.best), texts[0])
            texts = [best, self._foreign(item, best)]
        return sorted(texts, key=lambda text: digest([key, who, purpose, self.plan.seed, text]))

    def _foreign(self, item: AnnotationItem, best: str) -> str:
        """Return an answer to another question."""
        start = int(self.plan.drawn(item.key, "foreign") * len(self.items))
        around = (self.items[(start + step) % len(self.items)] for step in range(len(self.items)))
        texts = (one.group.answers[0] for one in around if one.group.prompt.question != item.group.prompt.question)
        return next((text for text in texts if text not in (best, *item.group.answers)), "")

    def _shown(self, person: Annotator, key: str, purpose: Purpose) -> dict[str, Any]:
        item, answers = self.by_key[key], self.answers(person.name, key, purpose)
        return {
            "item": _public(key, purpose),
            "context": [{"role": turn["role"], "content": turn["content"]} for turn in item.group.prompt.messages],
            "answers": [{"key": number, "text": text} for number, text in enumerate(answers, 1)],
        }

    def differences(self, who: str, asked: Mapping[str, str]) -> dict[str, Any]:
        """Return how each answer to an item differs from the best one, or two from each other: see `difference`."""
        answers = self.answers(who, *self._named(asked.get("item")))
        best = whole(asked, "best", 1)
        if not 1 <= best <= len(answers):
            raise InputError(f"best must be one of the keys 1 to {len(answers)}")
        others = answers[::-1] if len(answers) == 2 else [answers[best - 1]] * len(answers)
        runs = [difference(text, other) if text != other else None for text, other in zip(answers, others, strict=True)]
        return {"runs": runs}

    def add(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Store what a person says, once, and return how far the person is.

        Raises ConflictError where the person has judged the item already, or it is not here, InputError for what is no
        verdict, and NotReadyError where another try, perhaps of another server, may store it.
        """
        if body.get("of", self.name) != self.name:
            raise NotReadyError("other answers are judged here now", fix="start the command of these ones again")
        with self._lock:
            event = self._events.get(str(body.get("uuid"))) or self._event(body)
            if event.uuid not in self._events:
                there = (event.item, event.purpose) in self._person(event.who).verdicts
                if event.kind == "verdict" and there:
                    raise ConflictError("this was already judged in another tab", fix="take it back first: u")
                self.store.add_events([event.as_json()])
                self._events[event.uuid] = event
                if event.kind == "undo":
                    self._undo(event)
                elif (event.who, event.uuid) not in self._undone:
                    self._take(event)
            return {"saved": event.uuid, "progress": self.progress(event.who)}

    def _event(self, body: Mapping[str, Any]) -> HumanEvent:
        """Return the event in a request, in which answers are named by the keys that the person saw."""
        seconds, rest = divmod(time.time_ns(), 10**9)  # one look at the clock: events are put in order by this
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"
        given = {**body, "who": _who(body, self.who), "at": at, "order": None, "purpose": None}
        if body.get("kind") == "undo":
            return HumanEvent.read({**given, "item": "", "best": None, "worst": None, "edit": None, "choice": None})
        key, purpose = self._named(body.get("item"))
        answers = self.answers(given["who"], key, purpose)
        sides: dict[str, Any] = {"best": None, "worst": None}
        if body.get("choice") == "picked":
            for side in sides:
                number = body.get(side)
                if type(number) is not int or not 1 <= number <= len(answers):
                    raise InputError(f"{side} must be one of the keys 1 to {len(answers)}")
                sides[side] = digest(answers[number - 1])
        best = next((text for text in answers if digest(text) == sides["best"]), None)
        edit = body.get("edit") if best is not None and not purpose and body.get("edit") != best else None
        if isinstance(edit, str) and not edit.strip():
            raise InputError("the edit of the best answer is empty")
        order = [digest(text) for text in answers]
        named = {"item": key, "purpose": purpose, "order": order, "edit": edit, "undoes": None}
        return HumanEvent.read({**given, **named, **sides})

    def _named(self, public: Any) -> tuple[str, Purpose]:
        name = str(public)
        key, purpose = self._repeated.get(name, (name, ""))
        if key in self.by_key and (purpose != "check" or self.state != "reading"):
            return key, purpose
        if self.state == "reading":
            raise NotReadyError("the answers are still being read", fix="try again in a moment")
        raise ConflictError("this is not among what is to be judged here", fix="load the page again")

    def _take(self, event: HumanEvent) -> None:
        """Keep a verdict that stands."""
        person, name = self._person(event.who), (event.item, event.purpose)
        if name in person.verdicts:
            return
        person.verdicts[name] = event
        person.returned = [one for one in person.returned if one != name]
        person.seconds.append(event.seconds)
        if event.item in self.by_key:
            self._count(person, *name)
        if event.purpose:
            person.later = [one for one in person.later if one[1:] != name]
            return
        takers = self._takers.setdefault(event.item, set())
        self._judged_alone += not takers and self._alone(event.item)
        takers.add(event.who)
        self._leases.pop(event.item, None)
        if purpose := self._purpose(event):
            self._repeated[_public(event.item, purpose)] = event.item, purpose
            if (event.item, purpose) not in person.verdicts:
                insort(person.later, (len(person.verdicts) + _APART, event.item, purpose))

    def _alone(self, key: str) -> bool:
        """Return whether an item is here, and for one person only."""
        return key in self.by_key and not self.by_key[key].shared

    def _purpose(self, event: HumanEvent) -> Purpose:
        """Return why an item will be shown to the person once more; empty where it won't."""
        drawn = self.plan.drawn(event.item, event.who, "later")
        if drawn < self.plan.again and event.choice != "skip":
            return "again"
        return "check" if drawn < self.plan.again + self.plan.checks and event.choice == "picked" else ""

    def _undo(self, event: HumanEvent) -> None:
        self._undone.add((event.who, str(event.undoes)))
        undone, person = self._events.get(str(event.undoes)), self._person(event.who)
        if undone is None or undone.who != event.who:
            return
        name = key, purpose = undone.item, undone.purpose
        if person.verdicts.get(name) != undone:
            return
        del person.verdicts[name]
        person.returned.append(name)
        if key in self.by_key:
            self._count(person, key, purpose, -1)
        if purpose:
            return
        person.later = [one for one in person.later if one[1] != key]
        person.returned = [one for one in person.returned if one[0] != key or not one[1]]
        self._takers[key].discard(event.who)
        self._judged_alone -= not self._takers[key] and self._alone(key)
        if item := self.by_key.get(key):
            for one in self._people.values():
                one.cursor = min(one.cursor, item.number)
        self._leases[key] = event.who, time.monotonic()

    def progress(self, who: str, fresh: bool = False) -> dict[str, Any]:
        """Return how far a person is, and how far all agree, which is computed anew only with `fresh`."""
        if fresh:
            self.agreement()
        with self._lock:
            person = self._person(who)
            asked = len(self.items) - (self._judged_alone - person.own)
            again = person.repeated + sum(1 for _ in self._later(person))
            again += sum(bool(purpose) and key in self.by_key for key, purpose in person.returned)
            done, total = person.done, asked + again
            pace = median(person.seconds) if person.seconds else None
            left = max(total - done, 0)
            return {
                "done": done,
                "total": total,
                "reading": self.state == "reading",
                "left": left,
                "per_hour": round(3600 / pace) if pace else None,
                "seconds_left": round(left * pace) if pace else None,
                "last": [one.uuid for one in islice(filter(self._is_here, reversed(person.verdicts.values())), 1)],
                **self._figures[2].as_json(who),
            }

    def _is_here(self, event: HumanEvent) -> bool:
        return event.item in self.by_key

    def agreement(self) -> Agreement:
        """Return how far all agree, computed anew where that is old; people go on judging meanwhile."""
        with self._lock:
            since, count, known = self._figures
            if count == len(self._events) or (count and time.monotonic() - since < _REFRESH):
                return known
            people = self._people.values()
            verdicts = [event for person in people for event in filter(self._is_here, person.verdicts.values())]
            answers = {item.key: sorted(item.digests) for item in self._compared(verdicts)}
            scored = [*self._scored(verdicts)]
            self._figures = time.monotonic(), len(self._events), self._figures[2]
        found = replace(agreement(verdicts, answers), judges=judge_agreement(scored))
        with self._lock:
            self._figures = *self._figures[:2], found
        return found

    def _compared(self, verdicts: Sequence[HumanEvent]) -> Iterator[AnnotationItem]:
        keys = {event.item for event in verdicts if not event.purpose and len(self._takers.get(event.item, ())) > 1}
        return (self.by_key[key] for key in keys)

    def _scored(self, verdicts: Sequence[HumanEvent]) -> Iterator[tuple[HumanEvent, Mapping[str, Mapping[str, float]]]]:
        picked = [event for event in verdicts if event.choice == "picked" and not event.purpose]
        for event in picked[-_MOST_COMPARED:]:
            yield event, self._scores.of(self.by_key[event.item].group)


def _public(key: str, purpose: Purpose) -> str:
    """Return the name by which a person is shown an item: it does not tell why it is shown."""
    return digest([key, purpose]) if purpose else key


def _who(given: Mapping[str, Any], default: str) -> str:
    who = given.get("who") or default
    if not isinstance(who, str) or not who.strip() or len(who) > 64 or not who.isprintable():
        raise InputError("who judges is not said", fix="add ?who=NAME to the address, or --who NAME to the command")
    return who.strip()
