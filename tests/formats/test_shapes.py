"""The columns of public sets and of vendors' formats: each row is read to the same pair, with nothing of it lost."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import pairforge
from pairforge import formats
from pairforge.errors import InputError
from pairforge.types import Skip

Row = dict[str, Any]
Q, G, B = "Name a fruit.", "Pear.", "Chair."


def user(text: str = Q) -> Row:
    return {"role": "user", "content": text}


def said(text: str) -> Row:
    return {"role": "assistant", "content": text}


def talk(text: str) -> list[Row]:
    return [user(), said(text)]


SYSTEM = {"role": "system", "content": "Be brief."}
PLAIN = [user()]
UNDER = [SYSTEM, user()]
LLAMA4 = "<|header_start|>{}<|header_end|>\n\n{}<|eot|>".format
HARMONY = "<|start|>{}<|message|>{}<|end|>".format
GEMINI = [
    {"score": score, "completion": {"role": "model", "parts": [{"text": text}]}} for score, text in ((0, B), (1, G))
]
NOVA = [
    {"preferenceLabel": label, "content": [{"text": text}]} for label, text in (("non-preferred", B), ("preferred", G))
]
RATINGS = [
    {aspect: {"Rating": rating, "Rationale": "x"} for aspect in ("Helpfulness", "Faithfulness")} for rating in "25"
]

SETS: dict[str, tuple[Row, list[Row]]] = {
    "Gemini": ({"contents": [{"role": "user", "parts": [{"text": Q}]}], "completions": GEMINI}, PLAIN),
    "Gemini, system": (
        {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": PLAIN, "completions": GEMINI},
        UNDER,
    ),
    "Nova": (
        {"system": [{"text": "Be brief."}], "messages": [user(), {"role": "assistant", "candidates": NOVA}]},
        UNDER,
    ),
    "both in the last turn": ({"messages": [user(), {"role": "assistant", "chosen": G, "rejected": B}]}, PLAIN),
    "camel case": ({"prompt": Q, "chosenResponse": G, "rejectedResponse": B}, PLAIN),
    "selected": ({"prompt": Q, "selected": G, "rejected": B}, PLAIN),
    "output, rejected_answer": ({"instruction": Q, "output": G, "rejected_answer": B}, PLAIN),
    "response, rejected": ({"prompt": Q, "response": G, "rejected": B}, PLAIN),
    "solutions": ({"problem": Q, "chosen_solution": G, "rejected_solution": B}, PLAIN),
    "more_helpful": ({"prompt": Q, "more_helpful": G, "less_helpful": B}, PLAIN),
    "positive_messages": (
        {"messages": PLAIN, "positive_messages": [[said(G)]], "negative_messages": [[said(B)]]},
        PLAIN,
    ),
    "search arena": (
        {"model_a": "x", "model_b": "y", "winner": "model_b", "messages_a": talk(B), "messages_b": talk(G)},
        PLAIN,
    ),
    "Unified-Feedback": ({"conv_A": talk(G), "conv_A_rating": 4, "conv_B": talk(B), "conv_B_rating": 2}, PLAIN),
    "JudgeLM": ({"score": [7.0, 9.0], "question_body": Q, "answer1_body": B, "answer2_body": G}, PLAIN),
    "left, right": ({"prompt": Q, "left": B, "right": G, "choice": "right"}, PLAIN),
    "a vote for each judge": (
        {
            "query": Q,
            "response_1": {"content": B, "model": "m"},
            "response_2": {"content": G, "model": "n"},
            "preference_labels": {"gpt": "response_2", "human": "response_2", "yi": "response_1"},
        },
        PLAIN,
    ),
    "Argilla": (
        {"instruction": Q, "response-1": B, "response-2": G, "choose-best-response": [{"user_id": "u", "value": 2}]},
        PLAIN,
    ),
    "Label Studio": (
        {
            "data": {"prompt": Q, "answer1": B, "answer2": G},
            "annotations": [{"id": 1, "result": [{"type": "pairwise", "value": {"selected": "right"}}]}],
        },
        PLAIN,
    ),
    "beside a prompt for a judge": (
        {
            "orig_instruction": Q,
            "orig_response_A": B,
            "orig_response_B": G,
            "orig_preference": "B",
            "instruction": "Judge!",
        },
        PLAIN,
    ),
    "summaries": (
        {
            "info": {"post": Q, "title": "x"},
            "summaries": [{"text": B, "policy": "r"}, {"text": G, "policy": "s"}],
            "choice": 1,
        },
        PLAIN,
    ),
    "responses_and_scores": (
        {"user_input": Q, "responses_and_scores": [{"response": B, "score": 3.0}, {"response": G, "score": 9.0}]},
        PLAIN,
    ),
    "ranked completions": ({"prompt": Q, "candidates_completions": [B, G], "ranks": [2, 1]}, PLAIN),
    "ratings beside": (
        {
            "instruction": Q,
            "responses": [{"model": "a", "response": B}, {"model": "b", "response": G}],
            "annotations": [{"model": "a", "rating": "2"}, {"model": "b", "rating": "5"}],
        },
        PLAIN,
    ),
    "ratings by aspect": ({"prompt": Q, "completions": {"annotations": RATINGS, "response": [B, G]}}, PLAIN),
    "choices": (
        {"messages": PLAIN, "choices": [{"message": said(G), "score": 1}, {"message": said(B), "score": 0}]},
        PLAIN,
    ),
    "a struct of lists": (
        {
            side: {"role": ["user", "assistant"], "content": [Q, text]}
            for side, text in (("chosen", G), ("rejected", B))
        },
        PLAIN,
    ),
    "messages within": (
        {side: {"system": "Be brief.", "messages": talk(text)} for side, text in (("chosen", G), ("rejected", B))},
        UNDER,
    ),
    "trajectory": ({"task": "x", "trajectory": [{"from": "user", "value": Q}], "chosen": G, "rejected": B}, PLAIN),
    "custom system prompt": ({"custom_system_prompt": "Be brief.", "prompt": Q, "chosen": G, "rejected": B}, UNDER),
    "Chinese speakers": (
        {
            "conversations": [{"from": "用户", "value": Q}],
            "chosen": {"from": "助手", "value": G},
            "rejected": {"from": "助手", "value": B},
        },
        PLAIN,
    ),
    "Llama 4": (
        {"prompt": LLAMA4("user", Q) + LLAMA4("assistant", "")[:-7], "chosen": f"{G}<|eot|>", "rejected": B},
        PLAIN,
    ),
    "gpt-oss": (
        {
            "prompt": HARMONY("system", "Be brief.")
            + HARMONY("user", Q)
            + "<|start|>assistant<|channel|>final<|message|>",
            "chosen": f"{G}<|return|>",
            "rejected": f"{B}<|return|>",
        },
        UNDER,
    ),
    "DeepSeek": (
        {
            "prompt": f"<｜begin▁of▁sentence｜><｜User｜>{Q}<｜Assistant｜>",
            "chosen": f"{G}<｜end▁of▁sentence｜>",
            "rejected": B,
        },
        PLAIN,
    ),
    "Nemotron": (
        {"prompt": f"<extra_id_0>System\n\n<extra_id_1>User\n{Q}\n<extra_id_1>Assistant\n", "chosen": G, "rejected": B},
        PLAIN,
    ),
    "prompter": ({"prompt": f"<|prompter|>{Q}<|endoftext|><|assistant|>", "chosen": G, "rejected": B}, PLAIN),
}


def read(rows: list[Row]) -> list[Any]:
    shape, stream = formats.recognise(rows)
    return list(formats.as_pairs(stream, shape, Counter()))


@pytest.mark.parametrize("name", SETS)
def test_each_is_read_to_the_same_pair(name: str) -> None:
    row, context = SETS[name]
    (pair,) = read([row])
    assert (pair["chosen"], pair["rejected"]) == ([*context, said(G)], [*context, said(B)])


@pytest.mark.parametrize("column", ["passage", "document", "article", "schema", "initial_reason_steps"])
def test_what_stands_beside_a_question_is_asked_too(column: str) -> None:
    (pair,) = read([{"question": "How many?", column: "Ann bought six eggs.", "chosen": "Six.", "rejected": "Two."}])
    assert pair["chosen"][0]["content"] == "How many?\nAnn bought six eggs."


def test_earlier_turns_in_the_llama_2_template_end_where_they_end() -> None:
    prompt = f"<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello. </s><s>[INST] {Q} [/INST]"
    (pair,) = read([{"prompt": prompt, "chosen": G, "rejected": B}])
    assert pair["chosen"] == [SYSTEM, user("Hi"), said("Hello."), user(), said(G)]


def test_a_majority_of_ties_is_a_tie() -> None:
    votes = [{"annotator1": 0, "annotator2": 0, "annotator3": 1}, {"annotator1": 2, "annotator2": 2, "annotator3": 0}]
    tie, pair = read([{"prompt": Q, "response1": B, "response2": G, **one} for one in votes])
    assert isinstance(tie, Skip) and tie.reason == "tie"
    assert pair["chosen"][-1] == said(G)


def test_steps_of_one_answer_and_answers_without_a_question_are_not_pairs() -> None:
    steps = {"prompt": Q, "completions": ["Step 1.", "Step 2."], "labels": [True, False]}
    assert formats.shape_of([steps]).name == "unknown"
    assert formats.shape_of([{"answers": [G, B], "scores": [1, 0]}]).name == "unknown"


def test_answers_that_are_json_with_a_role_stay_texts(tmp_path: Path) -> None:
    nurse, cook = (json.dumps([{"name": "Ann", "role": role}]) for role in ("nurse", "cook"))
    (pair,) = read([{"prompt": "Ann as JSON?", "chosen": nurse, "rejected": cook}])
    assert (pair["chosen"][-1], pair["rejected"][-1]) == (said(nurse), said(cook))


@pytest.mark.parametrize("columns", ["accepted_answer,rejected_answer", "response_a,response_b,winner"])
def test_cells_of_answers_under_other_names_stay_texts(columns: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(f"question,{columns}\nA list?,[1],one{',a' if 'winner' in columns else ''}\n")
    (pair,) = pairforge.read_pairs(tmp_path / "pairs.csv")
    assert (pair["chosen"][-1], pair["rejected"][-1]) == (said("[1]"), said("one"))


@pytest.mark.parametrize(
    "document",
    [
        {"7": {"prompt": Q, "chosen": G, "rejected": B}, "8": {"prompt": "x?", "chosen": "y", "rejected": "z"}},
        {"prompt": [Q, "x?"], "chosen": [G, "y"], "rejected": [B, "z"]},
    ],
)
def test_rows_by_their_ids_and_columns_of_lists_are_rows(document: Row, tmp_path: Path) -> None:
    (tmp_path / "pairs.json").write_text(json.dumps(document))
    assert [pair["chosen"][-1]["content"] for pair in pairforge.read_pairs(tmp_path / "pairs.json")] == [G, "y"]


def test_a_call_that_is_broken_is_not_an_answer() -> None:
    call = {"from": "function_call", "value": '{"name": "f", '}
    row = {"conversations": [{"from": "human", "value": Q}], "chosen": call, "rejected": {"from": "gpt", "value": B}}
    (skip,) = read([row])
    assert "the call is not valid JSON" in skip.detail


def test_splits_in_one_document_are_not_mixed_or_lost(tmp_path: Path) -> None:
    row = {"prompt": Q, "chosen": G, "rejected": B}
    (tmp_path / "pairs.json").write_text(json.dumps({"train": [row], "test": [row]}))
    with pytest.raises(InputError, match="several splits: train, test"):
        pairforge.read_pairs(tmp_path / "pairs.json")


def test_what_an_object_holds_beside_its_answer_is_kept_or_counted() -> None:
    row = {"prompt": Q, "chosen": {"text": G, "rating": 5, "model": "m"}, "rejected": {"text": B, "rating": 1}}
    shape, stream = formats.recognise([row])
    (pair,) = formats.as_pairs(stream, shape, lost := Counter[str]())
    assert isinstance(pair, dict)
    assert (pair["chosen_rating"], pair["rejected_rating"], lost) == (5, 1, {"chosen.model": 1})
