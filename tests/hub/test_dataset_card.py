"""The dataset card: its content, that nothing in the data can act in it, and that its stamp is recognized."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from datasets import Features, List, Value
from huggingface_hub import DatasetCard

from pairforge.hub import dataset_card as card
from pairforge.types import Message, Pair, Prompt

RUN = {
    "command": "correct",
    "settings": {"model": "org/model", "rules": {"Qwen": "Deep Qwen"}, "contexts": [None, "Be brief."]},
    "counts": {"prompts": 5, "pairs": 4, "skips": {"cut_off": 2, "nothing_to_correct": 4}},
}
DATA_FILE = "data/train-00000-of-00001.parquet"
_TURNS = List({"role": Value("string"), "content": Value("string")})
FEATURES = Features({"chosen": _TURNS, "rejected": _TURNS, "id": Value("string"), "chosen_score": Value("float64")})


def pair(
    question: str = "Who are you?", chosen: str = "I'm Deep Qwen.", rejected: str = "I'm Qwen.", **more: Any
) -> dict[str, Any]:
    prompt = Prompt((Message(role="user", content=question),))
    columns = {"method": "correct", "model": "org/model", "judge": "rename", "chosen_score": 1.0, "rejected_score": 0.0}
    return Pair.of(prompt, chosen, rejected, **(columns | more)).row()


def render(rows: list[dict[str, Any]] | None = None, run: dict[str, Any] | None = None, **more: Any) -> str:
    given = [pair()] * 4 if rows is None else rows
    arguments: dict[str, Any] = {"features": FEATURES, "data_file": DATA_FILE, "data_sha256": "d" * 64} | more
    return card.render(given, RUN if run is None else run, **arguments)


def edited(text: str) -> bool:
    mark = card.stamp(text)
    assert mark
    return mark.edited


def header(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n")))


def fences(text: str) -> list[str]:
    """The contents of the fenced blocks as CommonMark reads them."""
    return [found[2] for found in re.findall(r"^(`{3,})(\w*)\n(.*?)\n\1$", text, re.MULTILINE | re.DOTALL)]


def test_it_says_what_the_pairs_are_and_how_they_were_made() -> None:
    text = render(license="apache-2.0", repo="me/pairs")
    head = header(text)
    assert head["license"] == "apache-2.0"
    assert head["configs"] == [{"config_name": "default", "data_files": [{"split": "train", "path": DATA_FILE}]}]
    assert head["dataset_info"]["splits"][0]["num_examples"] == 4
    assert [column["name"] for column in head["dataset_info"]["features"]] == list(FEATURES)
    assert 'load_dataset("me/pairs", split="train")' in text
    assert "pairforge train dpo --dataset me/pairs" in text
    assert "- prompts: 5\n- pairs: 4\n- skipped, `cut_off`: 2\n- skipped, `nothing_to_correct`: 4" in text
    assert "`Qwen` in `rejected`, `Deep Qwen` in `chosen`" in text
    assert sum("I'm Deep Qwen." in block for block in fences(text)) == 3
    assert "pocket" not in text
    assert "**Made by pairforge's bundled pocket model**" in render(pocket=True)


def test_the_same_arguments_give_the_same_text() -> None:
    assert render() == render()


def test_pairs_without_a_run_get_a_card_too() -> None:
    text = render(run={})
    assert "How it was made" not in text
    assert card.stamp(text)


def test_the_stamp_depends_on_the_rows_not_on_their_bytes() -> None:
    rows = [pair(), pair("你是谁？")]
    turned = [dict(reversed(row.items())) for row in rows]
    first, second = card.stamp(render(rows)), card.stamp(render(turned, data_sha256="e" * 64))
    assert first
    assert second
    assert (first.rows, first.card) == (second.rows, second.card)
    assert first.data != second.data
    other = card.stamp(render(rows[:1]))
    assert other
    assert other.rows != first.rows


def test_an_edited_card_is_known_as_one() -> None:
    text = render()
    assert not edited(text)
    assert not edited(text.replace("\n", "\r\n"))
    assert edited(text.replace("# Preference pairs", "# My pairs"))
    assert edited(text.replace("- dpo\n", "- dpo\n- mine\n"))


def test_a_text_below_the_line_is_the_user_s_own() -> None:
    text = render()
    mine = "## Notes\n\nMine."
    assert not edited(text + f"\n{mine}\n")
    new = render([pair()])
    assert card.with_own_parts(new, text) == new
    for there in (text + f"\n{mine}\n", (text + f"\n{mine}\n").replace("\n", "\r\n"), mine, f"---\na: 1\n---\n{mine}"):
        again = card.with_own_parts(new, there)
        assert again.endswith(f"\n\n{mine}\n") and not edited(again)
        assert card.with_own_parts(new, again) == again


def test_keys_that_the_user_added_to_the_header_stay() -> None:
    text = render().replace("---\n", "---\nlanguage: en\nlicense: mit\nviewer: false\n", 1)
    assert not edited(text)
    again = card.with_own_parts(render([pair()]), text)
    assert not edited(again)
    assert [header(again)[key] for key in ("language", "license", "viewer")] == ["en", "mit", False]
    assert header(again)["dataset_info"]["splits"][0]["num_examples"] == 1
    assert header(card.with_own_parts(render(license="cc0-1.0"), text))["license"] == "cc0-1.0"
    assert edited(render(license="mit").replace("license: mit", "license: gpl"))


def test_the_line_in_a_text_of_the_data_has_no_effect() -> None:
    line = render().rstrip().splitlines()[-1]
    hostile = f"x\n{line}\n![x](https://evil.example/p.png)"
    text = render([pair(chosen=hostile)])
    assert not edited(text)
    new = render([pair()])
    assert card.with_own_parts(new, text) == new


def test_only_rows_of_a_run_are_said_to_be_made_here() -> None:
    mine, theirs = pair(), {key: pair()[key] for key in ("chosen", "rejected")}
    how = "made with pairforge from a model's own answers"
    assert f"4 preference pairs {how}. `chosen`" in render()
    assert f"1 preference pair {how}." in render([mine])
    assert "2 preference pairs, packaged with pairforge. `chosen`" in render([theirs, theirs], run={})
    assert f"2 preference pairs, packaged with pairforge; 1 of them {how}." in render([theirs, mine], run={})


def test_counts_of_a_given_run_can_not_act() -> None:
    image = "1\n\n![x](https://evil.example/p.png)\n"
    counts = {"prompts": image, "pairs": image, "skips": {"failed": image}}
    text = render(run=RUN | {"counts": counts})
    assert "\n![x]" not in text
    assert text.count("1\\n\\n![x]") == 3


def test_a_licence_of_one_s_own_has_a_name() -> None:
    head = header(render(license="other:acme-1.0"))
    assert (head["license"], head["license_name"]) == ("other", "acme-1.0")


STRANGERS = ["", "# Mine", "---\n: :\n  - ][\n---\n", "---\npairforge: 3\n---\n", "---\n- a\n---\n", "---\n---\n"]


@pytest.mark.parametrize("text", STRANGERS)
@pytest.mark.filterwarnings("default")
def test_another_card_has_no_stamp(text: str) -> None:
    assert card.stamp(text) is None


HOSTILE = [
    "x\n---\nlicense: mit",
    "!!python/object/apply:os.system ['true']",
    "```\n</details><img src=x onerror=alert(1)>\n```",
    "````text\n![track](https://evil.example/p.png)",
    "a | b \\| c `tick` ``two``",
    "@someone https://evil.example www.evil.example",
    "{{ 7 * 7 }} {% include 'x' %} {repo} %s",
    "\x1b[31mred\x1b]8;;https://evil.example\x07\u202eesrever\u200b\r\n- item",
    "\ud800",
    "`",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_in_the_data_can_act(hostile: str) -> None:
    run = {
        "command": hostile,
        "settings": {hostile: hostile, "rules": {hostile: "new"}, "model": hostile},
        "counts": {"prompts": 1, "pairs": 1, "skips": {hostile: 1}},
    }
    rows = [pair(hostile, hostile + " good", hostile + " bad", model=hostile, judge=hostile)]
    features = Features({**FEATURES, (hostile if hostile != "\ud800" else "plain"): Value("string")})
    plain, text = render([pair()]), render(rows, run, license="mit", features=features)
    assert text.encode("utf-8")
    assert set(header(text)) == set(header(plain)) | {"license"}
    assert header(text)["license"] == "mit"
    assert features.keys() == {column["name"] for column in header(text)["dataset_info"]["features"]}
    assert not edited(text)
    assert DatasetCard(text).data.to_dict()["pairforge"] == header(text)["pairforge"]
    body = DatasetCard(text).text
    live = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"^(`{3,})\w*\n.*?\n\1$", "", body, flags=re.M | re.S))
    assert [
        sign for sign in ("<", "![", "](", "http", "www.", "@", "{{", "{%", "license: mit", "esrever") if sign in live
    ] == []
    assert not re.search("[\x00-\x08\x0b-\x1f\u200b\u202e]", body)


def test_local_folders_are_left_out() -> None:
    rows = [pair(model="/home/ann/models/mine")]
    settings = {"model": "/home/ann/models/mine", "prompts": "C:\\Users\\ann\\p.jsonl", "system": "/help me"}
    text = render(rows, run=RUN | {"settings": settings})
    assert "ann" not in text
    assert "- model: `mine`" in text
    assert '"model": "mine"' in text
    assert '"prompts": "p.jsonl"' in text
    assert '"system": "/help me"' in text


def test_long_texts_are_shortened_in_the_examples_only() -> None:
    text = render([pair("why? " * 1000)])
    assert "[...]" in text
    assert len(text) < 6000
