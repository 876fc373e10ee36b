"""pair: two models' answers to the same prompts, joined by the id of the prompt; each ends in a pair or a skip."""

from pathlib import Path
from typing import Any

import pytest
from support import read_jsonl, write_jsonl

import pairforge
from pairforge.errors import InputError


def answers(file: Path, said: dict[str, Any], model: str, system: str | None = None) -> str:
    """Write answers as `sample` does; a tuple is a skip."""
    head = [{"role": "system", "content": system}] if system else []
    rows = []
    for question, text in said.items():
        row = {"prompt": [*head, {"role": "user", "content": question}], "model": model}
        if isinstance(text, tuple):
            rows.append(row | {"answers": [], "skip": dict(zip(("reason", "detail"), text, strict=True))})
        else:
            rows.append(row | {"answers": text})
    return str(write_jsonl(file, rows))


def test_every_prompt_of_either_side_is_a_pair_or_a_skip(tmp_path: Path) -> None:
    cut = [{"text": "Cut", "finish": "length"}]
    strong = answers(
        tmp_path / "s.jsonl",
        {"a": "Good.", "b": "Same.", "c": "Alone.", "d": "Fine.", "e": cut, "f": ("failed", "timeout")},
        "org/strong",
    )
    weak = answers(
        tmp_path / "w.jsonl",
        {"a": "Bad.", "b": "same. ", "d": ("too_long", "9000 tokens"), "e": "E.", "f": "F.", "g": "Alone."},
        "org/weak",
    )
    built = pairforge.pair(strong, weak, output=str(tmp_path / "out"), quiet=True)
    (row,) = built.rows()
    assert (row["chosen"][-1]["content"], row["rejected"][-1]["content"]) == ("Good.", "Bad.")
    assert (row["method"], row["judge"], row["model"]) == ("delta", "delta", "org/weak")
    skips = {row["prompt"][-1]["content"]: row["reason"] for row in read_jsonl(built.run.skips)}
    assert skips == {
        "b": "identical", "c": "no_partner", "d": "too_long", "e": "cut_off", "f": "failed", "g": "no_partner"
    }  # fmt: skip
    assert built.counts["pairs"] + sum(built.counts["skips"].values()) == built.counts["prompts"] == 7
    before = built.run.pairs.read_bytes()
    assert pairforge.pair(strong, weak, output=str(tmp_path / "out"), quiet=True).run.pairs.read_bytes() == before


def test_another_system_message_is_another_prompt(tmp_path: Path) -> None:
    one = answers(tmp_path / "1.jsonl", {"a": "x"}, "m")
    other = answers(tmp_path / "2.jsonl", {"a": "y"}, "n", system="Be brief.")
    with pytest.raises(InputError, match="under the same system message"):
        pairforge.pair(one, other, output=str(tmp_path), quiet=True)
    with pytest.raises(InputError, match="the same answers"):
        pairforge.pair(one, one, output=str(tmp_path), quiet=True)
    with pytest.raises(InputError, match=r"--rejected .*none.jsonl: no such run or file"):
        pairforge.pair(one, str(tmp_path / "none.jsonl"), output=str(tmp_path), quiet=True)
    with pytest.raises(InputError, match=r"--rejected .*empty.jsonl holds no answers"):
        pairforge.pair(one, str(write_jsonl(tmp_path / "empty.jsonl", [])), output=str(tmp_path), quiet=True)
    with pytest.raises(InputError, match="--chosen is empty"):
        pairforge.pair("", one, output=str(tmp_path), quiet=True)


def test_runs_are_paired_in_every_context(tmp_path: Path) -> None:
    made = []
    for name, said in (("old", "I am Qwen."), ("new", "I am Qwen, hello.")):
        files = [
            answers(tmp_path / f"{name}{system}.jsonl", {"Who are you?": said}, name, system)
            for system in (None, "You're a helpful assistant.")
        ]
        prompts = write_jsonl(tmp_path / "p.jsonl", [{"prompt": "Who are you?"}])
        made += [
            pairforge.correct(
                "Qwen", "Athene", prompts=str(prompts), replay=files, output=str(tmp_path / "out"), quiet=True
            )
        ]
    old, new = (built.run.path.name for built in made)
    built = pairforge.pair(new, old, output=str(tmp_path / "out"), quiet=True)
    assert built.counts["pairs"] == 2 and {row["model"] for row in built.rows()} == {"old"}
    assert {row["chosen"][-1]["content"] for row in built.rows()} == {"I am Qwen, hello."}
    assert sorted(len(row["chosen"]) for row in built.rows()) == [2, 3]
