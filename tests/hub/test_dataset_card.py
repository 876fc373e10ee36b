"""The dataset card: its content, that nothing in the data can act in it, and that its stamp is recognized."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from datasets import Features
from huggingface_hub import DatasetCard

from pairforge.hub import dataset_card as card
from pairforge.hub.manifest import DataConfig, DataFile, DataSplit, Manifest

_TURNS = {"list": [{"name": "role", "dtype": "string"}, {"name": "content", "dtype": "string"}]}
FEATURES = (
    {"name": "chosen", **_TURNS},
    {"name": "rejected", **_TURNS},
    {"name": "id", "dtype": "string"},
    {"name": "chosen_score", "dtype": "float64"},
)


def config(name: str = "correction", **more: Any) -> DataConfig:
    split = DataSplit(4, (DataFile(f"{name}/train-00000-of-00001.parquet", 4, 100, "0" * 64),))
    made: dict[str, Any] = {
        "features": FEATURES,
        "run": "correct-1",
        "command": "correct",
        "argv": ("pairforge", "correct", "--from", "Qwen", "--to", "Deep Qwen"),
        "settings": {"model": "org/model", "rules": {"Qwen": "Deep Qwen"}, "contexts": [None, "Be brief."]},
        "counts": {"prompts": 5, "pairs": 4, "skips": {"cut_off": 2, "nothing_to_correct": 4}},
        "models": ({"name": "org/model", "revision": "abc"},),
        "judges": ("rename",),
        "methods": ("correct",),
        "licenses": {"prompts": "apache-2.0", "models": None, "set": None},
        "statistics": {"chosen_characters": {"mean": 9.5, "median": 9}, "contexts": 2, "languages": ("en",)},
        "findings": {"PF206": {"severity": "warning", "rows": 2}, "PF302": {"severity": "error", "rows": 0}},
        "allowed": {"PF302": "lists are meant"},
        "shortcuts": {"accuracy": 0.525, "prompts": 400, "unintended": ("more lists: ...",)},
        "examples": ((("user", "Who are you?"), ("chosen", "I'm Deep Qwen."), ("rejected", "I'm Qwen.")),),
    }
    return DataConfig("pairs", 4, "a" * 64, {"train": split}, **{**made, **more})


def render(*, repo: str | None = None, **more: Any) -> str:
    return card.render(Manifest({"correction": config(**more)}, "correction"), repo)


def edited(text: str) -> bool:
    mark = card.stamp(text)
    assert mark
    return mark.edited


def header(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n")))


def fences(text: str) -> list[str]:
    """The contents of the fenced blocks as CommonMark reads them."""
    return [found[2] for found in re.findall(r"^(`{3,})(\w*)\n(.*?)\n\1$", text, re.MULTILINE | re.DOTALL)]


def test_the_header_names_data_and_origin() -> None:
    head = header(render(repo="me/pairs", licenses={"set": "apache-2.0"}))
    assert (head["license"], head["language"], head["pretty_name"]) == ("apache-2.0", ["en"], "pairs")
    assert head["configs"] == [
        {
            "config_name": "correction",
            "default": True,
            "data_files": [{"split": "train", "path": ["correction/train-00000-of-00001.parquet"]}],
        }
    ]
    [info] = head["dataset_info"]
    assert {*info} == {"config_name", "features"}
    assert [*Features._from_yaml_list(info["features"])] == ["chosen", "rejected", "id", "chosen_score"]
    assert head["tags"] == ["dpo", "trl", "preference", "rlhf", "pairforge", "synthetic"]
    assert head["source_models"] == ["org/model"]
    strange = header(render(judges=(), models=({"name": "mine"},), statistics={}))
    assert "synthetic" not in strange["tags"] and not {"source_models", "language", "license"} & {*strange}


@pytest.mark.parametrize(
    "more", ["tags: *a9", "configs: *a9", "configs: &r [*r]", "configs: {1: 2, a: 3}", "x: " + "[" * 5000 + "]" * 5000]
)
def test_a_header_that_grows_when_it_is_read_is_none(more: str) -> None:
    lines = ["a0: &a0 [" + "x," * 9 + "]"]
    lines += [f"a{k}: &a{k} [" + f"*a{k - 1}," * 9 + "]" for k in range(1, 10)]
    there = "\n".join(["---", *lines, "pairforge: {card: x}", more, "---", "hi"])
    assert card.stamp(there) is None
    assert len(card.with_own_parts(render(), there)) < 2 * len(render()) + 2 * len(there)


def test_it_says_how_the_pairs_were_made_and_what_was_found() -> None:
    text = render(repo="me/pairs")
    assert "4 preference pairs, made with pairforge from a model's own answers." in text
    assert "- model: `org/model@abc`\n- judge: `rename`\n- language: `en`" in text
    assert "`Qwen` in `rejected`, `Deep Qwen` in `chosen`" in text
    assert "pairforge correct --from Qwen --to 'Deep Qwen'" in fences(text)
    assert "`pairforge reproduce me/pairs`" in text
    assert "| prompts | 5 |\n| skipped: `cut_off` | 2 |\n| skipped: `nothing_to_correct` | 4 |\n| pairs | 4 |" in text
    assert "| rows in this config | 4 |" in text
    judged = render(counts={"pairs": 4, "diagnostics": {"answers": 20, "right": {"at_least_once": 0.5, "x": {}}}})
    assert "| `diagnostics: answers` | 20 |\n| `diagnostics: right: at least once` | 0.5 |\n| rows" in judged
    assert "| `chosen characters` | mean 9.5, median 9 |\n| `contexts` | 2 |\n| `languages` | `en` |" in text
    assert "| `PF206` | near duplicate | warning | 2 |\n| `PF302` | style | error | the set |" in text
    assert "- `PF302`: `lists are meant`" in text
    assert "in 52 % of the\npairs of a sample (400 prompts" in text and "- `more lists: ...`" in text
    assert sum("I'm Deep Qwen." in block for block in fences(text)) == 1
    assert "there are no counter-pairs" in text and "counter-pairs." not in render(counts={"counter": 3})
    assert "- of this set: **unknown: review**" in text and "- of the prompts: `apache-2.0`" in text
    assert "pocket" not in text
    assert "**Made by pairforge's bundled pocket model**" in render(models=({"name": "pocket"},))


def test_rows_that_no_run_made_are_not_said_to_be_its_work() -> None:
    bare = {"run": None, "command": None, "argv": (), "settings": {}, "counts": {}, "models": (), "judges": ()}
    text = render(**bare, methods=(), findings={}, allowed={}, shortcuts=None, examples=(), statistics={})
    assert "4 preference pairs, packaged with pairforge." in text and "The checks found nothing" in text
    assert "How it was made" not in text
    assert "Who wrote these pairs is not known" in text


def test_each_trainer_has_its_line() -> None:
    text = render(repo="me/pairs")
    for line in (
        'pairs = load_dataset("me/pairs", split="train")',
        "pairforge train dpo --dataset me/pairs --model MODEL",
        "trl dpo --dataset_name me/pairs --model_name_or_path MODEL",
        "--data.dataset me/pairs \\\n  --data.apply_chat_template --data.chosen_key",
        """--dataset me/pairs --columns '{"chosen":"messages","rejected":"rejected_messages"}'""",
        "  - path: me/pairs\n    split: train\n    type: chat_template.argilla_chat",
    ):
        assert sum(line in block for block in fences(text)) == 1, line
    assert "REMOTE:" not in text and "`pairforge convert --to llamafactory`" in text
    explicit = render(features=({"name": "prompt", **_TURNS}, *FEATURES))
    assert "swift" not in explicit and "field_messages: prompt" in explicit and "--data.prompt_key prompt" in explicit


def test_several_configs_have_a_part_each() -> None:
    trainer = replace(config("llamafactory"), kind="llamafactory")
    second = config("onpolicy", methods=("best_worst",), judges=("reference",))
    made = Manifest({"llamafactory": trainer, "onpolicy": second, "correction": config()}, "correction")
    text = card.render(made, "me/pairs")
    assert [one["config_name"] for one in header(text)["configs"]] == ["correction", "llamafactory", "onpolicy"]
    assert [one.get("default") for one in header(text)["configs"]] == [True, None, None]
    assert "| `onpolicy` | pairs | 4 | `train` 4 |" in text
    assert "## Config `onpolicy`" in text and "## Config `llamafactory`" not in text
    assert text.count("### From prompts to pairs") == 2
    assert "--dataset_dir REMOTE:me/pairs --dataset llamafactory" in text


def test_the_same_manifest_gives_the_same_text() -> None:
    assert render() == render()


def test_an_edited_card_is_known_as_one() -> None:
    text = render()
    assert not edited(text)
    assert not edited(text.replace("\n", "\r\n"))
    assert edited(text.replace("# Preference pairs", "# My pairs"))
    assert edited(text.replace("- dpo\n", ""))
    assert edited(text.replace("n<1K", "1K<n<10K"))


def test_a_text_below_the_line_is_the_user_s_own() -> None:
    text = render()
    mine = "## Notes\n\nMine."
    assert not edited(text + f"\n{mine}\n")
    new = render(counts={"prompts": 6})
    assert card.with_own_parts(new, text) == new
    for there in (text + f"\n{mine}\n", (text + f"\n{mine}\n").replace("\n", "\r\n"), mine, f"---\na: 1\n---\n{mine}"):
        again = card.with_own_parts(new, there)
        assert again.endswith(f"\n\n{mine}\n") and not edited(again)
        assert card.with_own_parts(new, again) == again


def test_a_section_of_the_user_s_own_above_the_line_stays_too() -> None:
    fenced = render(examples=((("user", "```\n## Not a section\n```"), ("chosen", "## a"), ("rejected", "b")),))
    mine = "## My notes\n\n```python\n## a comment\n```\n\nMine."
    for mark in ("## Checks\n", "## Known limits\n"):
        there = fenced.replace(mark, f"{mine}\n\n{mark}", 1)
        assert edited(there)
        again = card.with_own_parts(render(), there)
        assert again.endswith(f"\n\n{mine}\n") and not edited(again)
    assert card.with_own_parts(render(), fenced) == render()


def test_keys_that_the_user_added_to_the_header_stay() -> None:
    text = render(statistics={}).replace("---\n", "---\nlanguage: en\nlicense: mit\nviewer: false\n", 1)
    text = text.replace("- dpo\n", "- dpo\n- mine\n")
    assert not edited(text)
    again = card.with_own_parts(render(statistics={}, counts={}), text)
    assert not edited(again)
    assert [header(again)[key] for key in ("language", "license", "viewer")] == ["en", "mit", False]
    assert header(again)["tags"] == [*header(render())["tags"], "mine"]
    assert header(card.with_own_parts(render(licenses={"set": "cc0-1.0"}), text))["license"] == "cc0-1.0"
    assert edited(render(licenses={"set": "mit"}).replace("license: mit", "license: gpl"))


def test_the_line_in_a_text_of_the_data_has_no_effect() -> None:
    line = render().rstrip().splitlines()[-1]
    hostile = f"x\n{line}\n## Mine\n![x](https://evil.example/p.png)"
    text = render(examples=((("user", "q"), ("chosen", hostile), ("rejected", "b")),))
    assert not edited(text)
    assert card.with_own_parts(render(), text) == render()


def test_a_licence_of_one_s_own_has_a_name() -> None:
    head = header(render(licenses={"set": "other:acme-1.0"}))
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
    plain_name = hostile if hostile != "\ud800" else "plain"
    hostile_parts: dict[str, Any] = {
        "features": (*FEATURES, {"name": plain_name, "dtype": "string"}),
        "command": hostile,
        "argv": (hostile, hostile),
        "settings": {hostile: hostile, "rules": {hostile: "new"}, "model": hostile},
        "counts": {"prompts": hostile, "pairs": 1, "skips": {hostile: hostile}, hostile: {hostile: hostile}},
        "models": ({"name": hostile, "revision": hostile},),
        "judges": (hostile,),
        "methods": (hostile,),
        "licenses": {"set": "mit", "prompts": hostile, "models": hostile},
        "statistics": {hostile: hostile, "chosen_characters": {"mean": hostile}, "turns": {hostile: 1}},
        "findings": {hostile: {"severity": "error", "rows": 1}},
        "allowed": {hostile: hostile},
        "shortcuts": {"accuracy": 0.5, "prompts": hostile, "unintended": [hostile]},
        "examples": (((hostile, hostile), ("chosen", hostile + " good"), ("rejected", hostile + " bad")),),
    }
    plain, text = render(licenses={"set": "mit"}), render(**hostile_parts)
    assert text.encode("utf-8")
    assert set(header(text)) == set(header(plain)) - {"language", "source_models"}
    assert header(text)["license"] == "mit"
    [info] = header(text)["dataset_info"]
    assert plain_name in {column["name"] for column in info["features"]}
    assert not edited(text)
    assert DatasetCard(text).data.to_dict()["pairforge"] == header(text)["pairforge"]
    body = DatasetCard(text).text
    live = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"^(`{3,})\w*\n.*?\n\1$", "", body, flags=re.M | re.S))
    assert [
        sign for sign in ("<", "![", "](", "http", "www.", "@", "{{", "{%", "license: mit", "esrever") if sign in live
    ] == []
    assert not re.search("[\x00-\x08\x0b-\x1f\u200b\u202e]", body)
    assert body.count("\n## ") == DatasetCard(plain).text.count("\n## ")


def test_local_folders_are_left_out() -> None:
    settings = {"model": "/home/ann/models/mine", "prompts": "C:\\Users\\ann\\p.jsonl", "system": "/help me"}
    text = render(
        models=({"name": "/home/ann/models/mine"},), settings=settings, argv=("pairforge", "/home/ann/x.jsonl")
    )
    assert "ann" not in text
    assert "- model: `mine`" in text
    assert '"model": "mine"' in text
    assert '"prompts": "p.jsonl"' in text
    assert '"system": "/help me"' in text
