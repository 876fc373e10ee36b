"""The shapes in: each told apart by many rows, and read as a pair of whole conversations."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pairforge import checks, formats
from pairforge.errors import InputError
from pairforge.formats import LOOKED_AT, SHAPES
from pairforge.types import Skip

Row = dict[str, Any]
SYSTEM = "Be brief."


def turns(*texts: str, system: str | None = None) -> list[dict[str, str]]:
    said = [{"role": role, "content": text} for role, text in zip(["user", "assistant"] * 9, texts, strict=False)]
    return [{"role": "system", "content": system}] * (system is not None) + said


def shared(*texts: str) -> list[dict[str, str]]:
    return [{"from": who, "value": text} for who, text in zip(["human", "gpt"] * 9, texts, strict=False)]


def typed(text: str, key: str = "text") -> list[dict[str, str]]:
    return [{"type": "text", key: text}]


ONE = {"chosen": turns("q", "good"), "rejected": turns("q", "bad")}
LONG = {"chosen": turns("q", "a", "r", "good"), "rejected": turns("q", "a", "r", "bad")}
UNDER = {"chosen": turns("q", "good", system=SYSTEM), "rejected": turns("q", "bad", system=SYSTEM)}
GOOD, BAD = {"from": "gpt", "value": "good"}, {"from": "gpt", "value": "bad"}
HH = {
    "chosen": "\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant: good",
    "rejected": "\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant: bad",
}
RANKS = [("bad", 1.0), ("good", 0.0)]
SAID = {"chosen": "good", "rejected": "bad"}
SCORED = {**ONE, "chosen_score": 4.5, "rejected_score": 1.0}
ONE_HOT = {"winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0}
CHATML = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n"
IMPLICIT = {"chosen": turns("The sky is", "blue."), "rejected": turns("The sky is", "big.")}
TREE = {"prompt": {"text": "q", "replies": [{"text": text, "role": "assistant", "rank": rank} for text, rank in RANKS]}}
# shape, row, the pair that it is
READ: list[tuple[str, Row, Row]] = [
    ("trl", ONE, ONE),
    ("trl", {**UNDER, "messages": turns("q", "other")}, {**UNDER, "messages": turns("q", "other")}),
    ("trl-explicit", {"prompt": turns("q"), "chosen": turns("q", "good")[1:], "rejected": turns("q", "bad")[1:]}, ONE),
    ("trl-explicit", {"prompt": turns("q"), **ONE}, ONE),
    ("trl-text-prompt", {"prompt": "q", **ONE}, ONE),
    ("trl-text-prompt", {"prompt": "q", "chosen": turns("q", "good")[1:], "rejected": turns("q", "bad")[1:]}, ONE),
    (
        "typed",
        {side: [{**turn, "content": typed(turn["content"])} for turn in ONE[side]] for side in ONE},
        ONE,
    ),
    (
        "chosen_messages",
        {
            f"{side}_messages": [
                {"role": turn["role"], "content": typed(turn["content"], "value")} for turn in UNDER[side]
            ]
            for side in UNDER
        },
        UNDER,
    ),
    ("ms-swift", {"messages": LONG["chosen"], "rejected_messages": LONG["rejected"]}, LONG),
    ("ms-swift-response", {"messages": LONG["chosen"], "rejected_response": "bad"}, LONG),
    (
        "query-response",
        {"query": "r", "response": "good", "rejected_response": "bad", "history": [["q", "a"]]},
        LONG,
    ),
    ("axolotl", {"messages": turns("q"), "chosen": turns("", "good")[1], "rejected": turns("", "bad")[1]}, ONE),
    ("axolotl", {"messages": turns("q", "a", "r"), "chosen": "good", "rejected": "bad"}, LONG),
    ("sharegpt", {"conversations": shared("q"), "chosen": GOOD, "rejected": BAD}, ONE),
    ("sharegpt", {"conversations": shared("q"), "system": SYSTEM, "chosen": GOOD, "rejected": BAD}, UNDER),
    ("sharegpt", {"conversations": shared("q", "a", "r"), "chosen": "good", "rejected": "bad"}, LONG),
    ("sharegpt", {"conversations": shared("q"), "chosen": [GOOD], "rejected": [BAD]}, ONE),
    ("sharegpt-lists", {"chosen": shared("q", "good"), "rejected": shared("q", "bad")}, ONE),
    ("hh", HH, LONG),
    ("hh", {"prompt": "\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant:", **HH}, LONG),
    ("alpaca", {"instruction": "q", "input": "", "chosen": "good", "rejected": "bad"}, ONE),
    ("alpaca-outputs", {"instruction": "q", "input": "", "output": ["good", "bad"], "history": []}, ONE),
    ("alpaca-outputs", {"instruction": "r", "input": "", "output": ["good", "bad"], "history": [["q", "a"]]}, LONG),
    ("texts", {"prompt": "q", "chosen": "good", "rejected": "bad"}, ONE),
    ("texts", {"system": SYSTEM, "question": "q", "chosen": "good", "rejected": "bad"}, UNDER),
    ("texts", {"system": "", "question": "q", "chosen": "good", "rejected": "bad"}, ONE),
    (
        "texts",
        {"prompt": "\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant:", "chosen": "good", "rejected": "bad"},
        LONG,
    ),
    ("texts", {"system_prompt": SYSTEM, "prompt": "q", "chosen": "good", "rejected": "bad"}, UNDER),
    ("texts", {"system": turns(system=SYSTEM)[0], "prompt": "q", "chosen": "good", "rejected": "bad"}, UNDER),
    ("texts", {"Prompt": "q", "Chosen": "good", "Rejected": "bad"}, ONE),
    ("texts", {"question": "q", "response_j": "good", "response_k": "bad"}, ONE),
    ("texts", {"prompt": "q", "accepted": "good", "rejected": "bad"}, ONE),
    ("texts", {"user": "q", "positive": "good", "negative": "bad"}, ONE),
    ("texts", {"pair": {"prompt": "q", "chosen": "good", "rejected": "bad"}}, ONE),
    ("texts", {"prompt": "q", "responses": {"chosen": "good", "rejected": "bad"}}, ONE),
    ("alpaca", {"instruction": "q", "chosen_response": "good", "rejected_response": "bad"}, ONE),
    ("answers", {"question": "q", "chosen": {"text": "good"}, "rejected": {"text": "bad"}}, ONE),
    ("answers", {"prompt": "q", "chosen": json.dumps(turns("", "good")[1:]), "rejected": turns("", "bad")[1:]}, ONE),
    ("prompt-list", {"prompt": turns("q", system=SYSTEM), "chosen": "good", "rejected": "bad"}, UNDER),
    ("prompt-list", {"context": shared("q"), "chosen": [GOOD], "rejected": [BAD]}, ONE),
    ("prompt-list", {"context": turns("q"), "better": turns("", "good")[1:], "worse": turns("", "bad")[1:]}, ONE),
    ("prompt-list", {"prompt": turns("q")[0], "chosen": turns("", "good")[1], "rejected": turns("", "bad")[1]}, ONE),
    (
        "prompt-list",
        {"system": SYSTEM, "prompt": turns("q"), "chosen": turns("", "good")[1:], "rejected": [BAD]},
        UNDER,
    ),
    ("openai", {"input": {"messages": turns("q")}, "preferred_output": [GOOD], "non_preferred_output": [BAD]}, ONE),
    (
        "speakers",
        {"conversations": [*shared("q"), {**GOOD, "from": "chosen_gpt"}, {**BAD, "from": "rejected_gpt"}]},
        ONE,
    ),
    ("lists", {"prompt": "q", "chosen": ["good"], "rejected": ["bad"]}, ONE),
    ("lists", {"prompt": "q", "chosen": "good", "rejected_responses": ["bad"]}, ONE),
    ("ms-swift", {"system": SYSTEM, "messages": ONE["chosen"], "rejected_messages": ONE["rejected"]}, UNDER),
    ("ms-swift-response", {"messages": ONE["chosen"], "rejected_response": turns("", "bad")[1:]}, ONE),
    ("ms-swift-response", {"messages": ONE["chosen"], "rejected_response": ["bad"]}, ONE),
    ("typed", {side: json.dumps(ONE[side]) for side in ONE}, ONE),
    ("typed", {side: [{**one, "role": one["role"].title()} for one in ONE[side]] for side in ONE}, ONE),
    ("typed", {"system": SYSTEM, **ONE}, UNDER),
    ("ranked", {"instruction": "q", "generations": ["bad", "good"], "ratings": ["1", "4.5"]}, SCORED),
    ("ranked", {"prompt": "q", "responses": [{"text": "bad", "score": 1}, {"text": "good", "score": 4.5}]}, SCORED),
    ("ranked", {"prompt": "q", "summaries": [{"text": "bad"}, {"text": "good"}], "choice": 1}, ONE),
    ("verdict", {"prompt": "q", "response_a": "bad", "response_b": "good", "winner": "model_b"}, ONE),
    ("verdict", {"conversation_a": ONE["chosen"], "conversation_b": ONE["rejected"], "winner": "model_a"}, ONE),
    ("verdict", {"prompt": "q", "response_0": "bad", "response_1": "good", "better_response_id": 1}, ONE),
    ("verdict", {"context": turns("q"), "response1": "good", "response2": "bad", "overall_preference": -2}, ONE),
    ("verdict", {"question": "q", "response_A": "good", "response_B": "bad", "label": "A>B"}, ONE),
    ("verdict", {"instruction": "q", "output_1": "bad", "output_2": "good", "preference": 2}, ONE),
    ("verdict", {"prompt": "q", "answer_0": "bad", "answer_1": "good", "score_0": -1, "score_1": 0.5}, ONE),
    ("verdict", {"prompt": "q", "answer_a": "good", "answer_b": "bad", "annotator_1": "a", "annotator_2": "a"}, ONE),
    ("verdict", {"prompt": '["q"]', "response_a": '["bad"]', "response_b": '["good"]', **ONE_HOT}, ONE),
    ("trees", TREE, {**ONE, "chosen_rank": 0.0, "rejected_rank": 1.0}),
    ("templated-prompt", {"prompt": CHATML, "chosen": "good<|im_end|>", "rejected": "bad<|im_end|>"}, UNDER),
    ("templated", {side: f"{CHATML}{said}<|im_end|>\n" for side, said in SAID.items()}, UNDER),
    ("templated", {side: f"<s>[INST] q [/INST] {said}</s>" for side, said in SAID.items()}, ONE),
    ("templated", {side: f"### Instruction:\nq\n\n### Response:\n{said}" for side, said in SAID.items()}, ONE),
    ("implicit-texts", {"chosen": "The sky is blue.", "rejected": "The sky is big."}, IMPLICIT),
]


def ids(case: tuple[str, Row, Row]) -> str:
    return f"{case[0]}-{'-'.join(case[1])}"


@pytest.mark.parametrize("case", READ, ids=ids)
def test_each_shape_is_named_and_read(case: tuple[str, Row, Row]) -> None:
    name, row, pair = case
    shape = formats.shape_of([row])
    assert shape.name == name
    lost = Counter[str]()
    (made,) = formats.as_pairs([row | {"score": 1}], shape, lost)
    assert made == pair | {"score": 1}
    assert not lost
    assert not [finding.code for finding in checks.check([made])]


def test_every_shape_is_tried() -> None:
    assert {name for name, _, _ in READ} | {"kto"} == {shape.name for shape in SHAPES}


def test_the_documentation_names_every_shape_and_target() -> None:
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")
    assert not [shape.name for shape in SHAPES if f"`{shape.name}`" not in text.partition("## Shapes out")[0]]
    assert not [name for name in formats.TARGETS if f"| `{name}` |" not in text.partition("## Shapes out")[2]]


@pytest.mark.parametrize("case", READ, ids=ids)
def test_native_rows_stand_as_they_are_and_foreign_ones_come_as_pairs(tmp_path: Path, case: Any) -> None:
    name, row, pair = case
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps([row, row]), "utf-8")
    native = next(shape.native for shape in SHAPES if shape.name == name)
    assert list(formats.presented(formats.rows(path))) == [row if native else pair] * 2


def test_alpaca_input_stands_below_the_instruction() -> None:
    row = {"instruction": "Add.", "input": "1 + 1", "chosen": "2", "rejected": "3"}
    (made,) = formats.as_pairs([row], formats.shape_of([row]), Counter())
    assert isinstance(made, dict)
    assert made["chosen"] == turns("Add.\n1 + 1", "2")


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"question": {"text": "q", "source": "web"}, "chosen": "good", "rejected": "bad"}, "question.source"),
        (
            {"prompt": "q", "responses": [{"text": "a", "score": 2, "note": "n"}, {"text": "b", "score": 1}]},
            "note of an answer",
        ),
        ({"prompt": "another", **ONE}, "prompt"),
        ({"prompt": "another", **HH}, "prompt"),
        (
            {"conversations": [*turns(system="x"), *turns("q")], "system": "y", "chosen": GOOD, "rejected": BAD},
            "system",
        ),
        ({"conversations": shared("q"), "chosen": {**GOOD, "weight": 1}, "rejected": BAD}, "weight of a message"),
    ],
)
def test_what_a_pair_can_t_hold_is_counted(row: Row, name: str) -> None:
    lost = Counter[str]()
    assert len(list(formats.as_pairs([row, row], formats.shape_of([row]), lost))) == 2
    assert lost == {name: 2}


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "user", "content": [{"type": "file", "url": "x"}, {"type": "text", "text": "q"}]},
        {"role": "assistant", "content": "q", "tool_calls": [7]},
        {"role": "assistant", "content": None},
        {"role": "narrator", "content": "q"},
        {"role": "user", "content": 7},
        "q",
        None,
    ],
)
def test_what_is_no_text_is_never_dropped(turn: Any) -> None:
    sound = {"messages": turns("q", "good"), "rejected_messages": turns("q", "bad")}
    row = {"messages": [turn, *turns("q", "good")], "rejected_messages": turns("q", "bad")}
    shape = formats.shape_of([sound])
    made, skip = formats.as_pairs([sound, row], shape, Counter())
    assert isinstance(skip, Skip)
    assert (made, skip.reason) == (ONE, "shape")
    assert skip.detail.startswith("row 1: `messages`: ")
    assert list(formats.presented([sound, row])) == [ONE, skip]


def test_many_rows_decide_and_a_broken_first_one_does_not() -> None:
    strange: list[Any] = [None, Skip("json", "x"), ONE]
    rows = [{"a": 1}, *strange] + [HH] * 5
    assert formats.shape_of(rows).name == "hh"
    first, *seen = formats.presented(rows)
    assert isinstance(first, Skip) and first.detail == "row 0: `chosen` is missing"
    assert seen == strange + [LONG] * 5


def test_of_two_shapes_that_are_as_frequent_the_native_one_is_meant() -> None:
    loose = {side: [{**turn, "content": typed(turn["content"])} for turn in ONE[side]] for side in ONE}
    for rows in ([loose, ONE], [ONE, loose]):
        assert formats.shape_of(rows).name == "trl"
        assert list(formats.presented(rows)) == rows


def test_row_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    rows = [HH, HH, {"chosen": HH["chosen"], "rejected": None}, {**HH, "rejected": "\n\nHuman: q\n\nAssistant: "}]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"chosen": "', "utf-8")
    found = {(finding.row, finding.code) for finding in checks.check(formats.presented(formats.rows(path)))}
    assert {(2, "PF011"), (3, "PF106"), (4, "PF001")} <= found
    assert {row for row, _ in found} <= {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"instruction": "q", "input": "", "output": "a"}, "answers without a counterpart"),
        ({"conversations": shared("q", "a")}, "conversations without a rejected answer"),
        ({"messages": turns("q", "a")}, "conversations without a rejected answer"),
        ({"prompt": {"text": "q", "replies": []}, "id": 1}, "message trees"),
        ({"id": 1, "turns": ["q"]}, "the columns 'id', 'turns'"),
        (3, "no rows"),
    ],
)
def test_what_are_no_pairs_is_named(row: Any, what: str) -> None:
    shape = formats.shape_of([row])
    assert shape.name == "unknown"
    assert what in shape.what
    assert list(formats.presented([row])) == [row]
    with pytest.raises(InputError, match="these are not pairs"):
        list(formats.as_pairs([row], shape, Counter()))


def test_where_no_row_makes_a_pair_it_is_said_why() -> None:
    liked = {"prompt": "q", "completion": "a", "label": True}
    (told,) = formats.pairs_of([liked, {**liked, "completion": "b"}])
    assert told.detail == (
        "no pairs: the rows are answers with labels (prompt, completion, label: KTO); "
        "row 0: a pair also needs an answer to the same prompt with the label false"
    )
    (pair,) = formats.pairs_of([liked, liked, {**liked, "label": False, "completion": "b"}])
    assert pair["rejected"][-1]["content"] == "b"


@pytest.mark.parametrize(
    ("row", "what", "option"),
    [
        (
            {"frage": "q", "gut": "a", "schlecht": "b"},
            "it is not known which hold the pair",
            "prompt=frage chosen=gut rejected=schlecht",
        ),
        ({"a": "q", "b": "x", "c": "y"}, "the columns 'a', 'b', 'c'", "prompt=a chosen=b rejected=c"),
        ({"chosen": "a", "rejected": "b"}, "texts without a prompt", "prompt=COLUMN chosen=chosen rejected=rejected"),
        (
            {"text": "q", "my best": "a", "rejected": "b", "n": 1},
            "'my best'",
            "prompt=text 'chosen=my best' rejected=rejected",
        ),
    ],
)
def test_unknown_columns_come_with_the_option_that_names_them(row: Row, what: str, option: str) -> None:
    with pytest.raises(InputError) as raised:
        list(formats.as_pairs([row], formats.shape_of([row]), Counter()))
    assert what in raised.value.message and "not pairs" not in raised.value.message
    assert raised.value.fix == f"name them: --columns {option}"


def test_the_head_is_all_that_is_held() -> None:
    taken = 0

    def rows() -> Any:
        nonlocal taken
        for _ in range(10 * LOOKED_AT):
            taken += 1
            yield HH

    stream = formats.presented(rows())
    assert taken == LOOKED_AT
    next(iter(stream))
    assert taken == LOOKED_AT
