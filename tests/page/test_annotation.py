"""People are given items blind, each in an order of their own; what they say is stored once, before it is answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import prompt

from pairforge import InputError
from pairforge.judges.human import item_key
from pairforge.page import annotation as annotation_module
from pairforge.page.annotation import Annotation, AnnotationPlan
from pairforge.page.server import ConflictError, NotReadyError
from pairforge.statistics import Share
from pairforge.store import Store
from pairforge.types import AnswerGroup, digest

GROUPS = [
    AnswerGroup(prompt(f"Question {number}?"), [f"{word} answer to {number}" for word in ("good", "fair", "bad")])
    for number in range(60)
]
ALONE = AnnotationPlan(overlap=0, again=0, checks=0)


@pytest.fixture(autouse=True)
def figures_are_never_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotation_module, "_REFRESH", 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.close()


def opened(store: Store, plan: AnnotationPlan = ALONE, groups: list[AnswerGroup] = GROUPS) -> Annotation:
    made = Annotation(lambda: groups, store, plan)
    made.fill()
    assert made.state == "ready", made.error
    return made


def verdict(item: dict[str, Any], who: str = "ann", choice: str = "picked", **more: Any) -> dict[str, Any]:
    """The verdict of a person who knows which answer is good."""
    number = item["context"][-1]["content"].removeprefix("Question ").removesuffix("?")
    own = [one for one in item["answers"] if one["text"].endswith(f" {number}")]
    keys = {one["text"].split()[0]: one["key"] for one in own}
    sides = {"best": keys.get("good", 1), "worst": keys.get("bad") or (2 if keys.get("good", 1) == 1 else 1)}
    uuid = f"{who}-{item['item']}"
    said = {"uuid": uuid, "who": who, "item": item["item"], "kind": "verdict", "choice": choice, "seconds": 2}
    return said | (sides if choice == "picked" else {}) | more


def undo(of: str, who: str = "ann") -> dict[str, Any]:
    return {"uuid": f"undo-{of}", "who": who, "kind": "undo", "undoes": of}


def queue(annotation: Annotation, who: str = "ann", limit: int = 20) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = annotation.queue(who, limit)["items"]
    return items


def judge_all(annotation: Annotation, who: str = "ann", choice: str = "picked") -> list[dict[str, Any]]:
    shown = []
    while items := queue(annotation, who, 1):
        annotation.add(verdict(items[0], who, choice))
        shown += items
    return shown


def test_answers_come_shuffled_for_each_person_and_are_named_by_keys_alone(store: Store) -> None:
    annotation = opened(store, AnnotationPlan(1, 0, 0))
    ann, bob = queue(annotation, "ann", 60), queue(annotation, "bob", 60)
    orders = {
        who: [[one["text"] for one in item["answers"]] for item in items] for who, items in (("a", ann), ("b", bob))
    }
    assert orders["a"] != orders["b"] and sorted(map(sorted, orders["a"])) == sorted(map(sorted, orders["b"]))
    first = [item["answers"][0]["text"].split()[0] for item in ann]
    assert all(8 <= first.count(word) <= 32 for word in ("good", "fair", "bad"))
    assert all(item.keys() == {"item", "context", "answers"} for item in ann)
    assert queue(opened(store, AnnotationPlan(1, 0, 0)), "ann", 60) == ann


def test_a_verdict_names_the_answers_whatever_their_order(store: Store) -> None:
    annotation = opened(store)
    judge_all(annotation)
    for event in store.events():
        group = next(group for group in GROUPS if item_key(group.prompt, group.answers) == event["item"])
        assert event["best"] == digest(group.answers[0]) and event["worst"] == digest(group.answers[2])
        assert sorted(event["order"]) == sorted(map(digest, group.answers)) and event["at"]


def test_the_time_of_an_event_is_one_look_at_the_clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    annotation = opened(store)
    items = queue(annotation)
    for item, now in zip(items, (1_999_999_999, 2_000_000_001), strict=False):
        monkeypatch.setattr(annotation_module.time, "time_ns", lambda now=now: now)
        annotation.add(verdict(item))
    found = sorted(event["at"] for event in store.events())
    assert found == ["1970-01-01T00:00:01.999999999Z", "1970-01-01T00:00:02.000000001Z"]


def test_what_is_sent_twice_is_stored_once_and_a_second_tab_makes_no_double(store: Store) -> None:
    annotation = opened(store)
    [item] = queue(annotation, limit=1)
    sent = verdict(item)
    assert annotation.add(sent)["saved"] == annotation.add(sent)["saved"] == sent["uuid"]
    with pytest.raises(ConflictError):
        annotation.add({**sent, "uuid": "other-tab"})
    assert len(store.events()) == 1 and annotation.progress("ann")["done"] == 1


def test_what_was_undone_comes_first_again(store: Store) -> None:
    annotation = opened(store)
    items = queue(annotation, limit=3)
    for item in items:
        annotation.add(verdict(item))
    assert annotation.progress("ann")["last"] == [verdict(items[2])["uuid"]]
    for item in reversed(items):
        annotation.add(undo(verdict(item)["uuid"]))
        assert queue(annotation)[0] == item
    assert annotation.progress("ann")["done"] == 0 and queue(annotation, limit=3) == items
    annotation.add(verdict(items[0], choice="tie", uuid="second"))
    assert opened(store).progress("ann")["last"] == ["second"]


def test_an_undo_that_arrives_first_and_one_of_somebody_else(store: Store) -> None:
    annotation = opened(store)
    one, other = queue(annotation, limit=2)
    annotation.add(undo(verdict(one)["uuid"]))
    annotation.add(verdict(one))
    assert annotation.progress("ann")["done"] == 0 and queue(annotation)[0] == one
    annotation.add(verdict(other))
    annotation.add(undo(verdict(other)["uuid"], "bob"))
    for found in (annotation, opened(store)):
        assert found.progress("ann")["done"] == 1


def test_people_share_the_work_and_judge_the_overlap_each(store: Store) -> None:
    annotation = opened(store, AnnotationPlan(0.3, 0, 0))
    shared = {item.key for item in annotation.items if item.shared}
    assert 8 < len(shared) < 30
    first = {item["item"] for item in queue(annotation, "ann", 100)}
    assert {item["item"] for item in queue(annotation, "bob", 100)} == shared and first > shared
    for item in queue(annotation, "ann", 5):
        annotation.add(verdict(item))
    seen = {who: {item["item"] for item in judge_all(annotation, who)} for who in ("ann", "bob")}
    assert not queue(annotation, "ann") and not queue(annotation, "bob")
    assert seen["bob"] == shared
    assert annotation.progress("ann")["left"] == annotation.progress("bob")["left"] == 0
    assert len(store.events()) == len(GROUPS) + len(shared)


def test_items_are_shown_again_and_attention_is_checked_without_saying_so(store: Store) -> None:
    annotation = opened(store, AnnotationPlan(0, 0.3, 0.3))
    shown = judge_all(annotation)
    names = [item["item"] for item in shown]
    again = [item for item in shown if item["context"] in [one["context"] for one in shown if one is not item]]
    assert len(names) == len(set(names)) > len(GROUPS) + 10 and again
    figures = annotation.progress("ann", fresh=True)
    assert [name for name, _ in figures["shares"]] == ["ann, asked again", "ann, attention checks"]
    assert all(text.startswith("100.0%") and int(text.rpartition(" ")[2]) > 5 for _, text in figures["shares"])
    assert figures["left"] == 0 and figures["done"] == figures["total"] == len(shown)
    assert opened(store, AnnotationPlan(0, 0.3, 0.3)).progress("ann")["left"] == 0


def test_a_stored_judge_is_compared_with_people(store: Store) -> None:
    scores = {(group.key, text): float(place) for group in GROUPS for place, text in enumerate(group.answers)}
    store.add_scores({"judge": "backwards"}, scores)
    annotation = opened(store)
    judge_all(annotation)
    [found] = annotation.progress("ann", fresh=True)["shares"]
    assert found == ("backwards and people", f"{str(Share(0, len(GROUPS))).strip()} of {len(GROUPS)}")


def test_an_edit_is_of_the_best_answer_and_an_empty_one_is_refused(store: Store) -> None:
    annotation = opened(store)
    one, other, third = queue(annotation, limit=3)
    annotation.add(verdict(one, edit="A better answer."))
    annotation.add(verdict(other, edit=next(a["text"] for a in other["answers"] if a["text"].startswith("good"))))
    with pytest.raises(InputError, match="empty"):
        annotation.add(verdict(third, edit="  "))
    assert [event.get("edit") for event in store.events()] == ["A better answer.", None]


@pytest.mark.parametrize(
    "wrong",
    [
        {"item": "nothing"}, {"best": 4}, {"best": 0}, {"best": True}, {"best": "1"}, {"worst": None}, {"uuid": ""},
        {"who": "x" * 100}, {"who": ["ann"]}, {"seconds": "long"}, {"choice": "best"}, {"kind": "delete"}, {"edit": 3},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_verdict_is_not_stored(store: Store, wrong: dict[str, Any]) -> None:
    annotation = opened(store)
    [item] = queue(annotation, limit=1)
    with pytest.raises((InputError, ConflictError)):
        annotation.add({**verdict(item), **wrong})
    assert not store.events() and annotation.progress("ann")["done"] == 0


def test_an_item_that_was_given_to_one_is_given_to_another_when_that_one_is_gone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotation = opened(store)
    held = queue(annotation, "ann", 60)
    assert len(held) == len(GROUPS) and not queue(annotation, "bob")
    monkeypatch.setattr("pairforge.page.annotation._LEASE", -1.0)
    assert len(queue(annotation, "bob", 100)) == len(GROUPS)


def test_what_is_read_can_be_judged_while_the_rest_is_still_being_read(store: Store) -> None:
    seen: list[Any] = []

    def read() -> Iterator[AnswerGroup]:
        yield from GROUPS[:8]
        for item in queue(annotation, limit=5):
            annotation.add(verdict(item))
        seen.append(annotation.progress("ann"))
        with pytest.raises(NotReadyError):
            annotation.add(verdict(unread))
        yield from GROUPS[8:]

    plan = AnnotationPlan(overlap=0.5, again=0.4, checks=0.4)
    unread = queue(opened(store, plan), limit=60)[-1]
    annotation = Annotation(read, store, plan)
    assert queue(annotation) == [] and annotation.queue("ann")["state"] == "reading"
    annotation.fill()
    assert annotation.state == "ready", annotation.error
    assert seen[0]["done"] == 5 and seen[0]["reading"] and not annotation.progress("ann")["reading"]
    shown = judge_all(annotation)
    assert {item["item"] for item in shown} >= {item.key for item in annotation.items[5:]}
    whole, again = annotation.progress("ann", fresh=True), opened(store, plan).progress("ann", fresh=True)
    assert whole == again and whole["left"] == 0 and whole["done"] == len(store.events()) > len(GROUPS)


def test_a_verdict_on_what_another_server_asked_is_to_be_sent_again(store: Store) -> None:
    annotation = opened(store)
    [item] = queue(annotation, limit=1)
    with pytest.raises(NotReadyError):
        annotation.add({**verdict(item), "of": "another run"})
    annotation.add({**verdict(item), "of": annotation.name})
    assert len(store.events()) == 1


def test_verdicts_on_other_answers_of_the_same_store_are_left_alone(store: Store) -> None:
    plan = AnnotationPlan(overlap=0, again=0.5, checks=0.2)
    judge_all(opened(store, plan, GROUPS[:30]))
    other = opened(store, plan, GROUPS[30:])
    figures = other.progress("ann")
    assert (figures["done"], figures["last"], figures["total"]) == (0, [], 30)
    assert len({item["context"][-1]["content"] for item in judge_all(other)}) == 30
    both = opened(store, plan, GROUPS).progress("ann")
    assert both["done"] == len(store.events()) and both["left"] == 0


def test_where_reading_fails_the_page_is_told(store: Store) -> None:
    def broken() -> list[AnswerGroup]:
        raise InputError("nothing there")

    annotation = Annotation(broken, store)
    annotation.fill()
    found = annotation.queue("ann")
    assert (found["state"], found["failure"], found["items"]) == ("failed", "nothing there", [])
