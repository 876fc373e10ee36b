"""The model card: its content, and that names from outside stay text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from trl import DPOConfig

from trainers.model_card import render

# TRL uses a name that transformers calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing. is deprecated:FutureWarning")


def card(folder: Path, **more: Any) -> tuple[dict[str, Any], str]:
    config = DPOConfig(output_dir=str(folder / "tuned"), loss_type=["sigmoid", "sft"], report_to="none", bf16=False)
    given = {"base": "org/base", "dataset": "org/pairs", "rows": [{"method": "correct"}], "config": config}
    given |= {"adapter": False, "steps": 3, "guard": "stop"}
    text = render(**(given | more))
    header, _, body = text.removeprefix("---\n").partition("\n---\n")
    return yaml.safe_load(header), body


def test_it_says_from_what_and_on_what(tmp_path: Path) -> None:
    header, body = card(tmp_path, verdict="## Verdict\n\nPASS")
    assert header["base_model"] == "org/base"
    assert header["datasets"] == ["org/pairs"]
    assert (header["library_name"], "dpo" in header["tags"]) == ("transformers", True)
    assert body.count("## Verdict") == 1
    assert "| loss | `1 sigmoid + 1 sft` |" in body
    assert "![" in body and "(training.svg)" in body
    assert "training.svg" not in card(tmp_path, curves=False)[1]
    assert "trl 1." in body


def test_an_adapter_is_said_to_be_one_and_how_to_merge_it(tmp_path: Path) -> None:
    header, body = card(tmp_path, adapter=True)
    assert header["library_name"] == "peft"
    assert "lora" in header["tags"]
    assert "merge_and_unload" in body


def test_a_folder_of_this_machine_is_its_last_name_and_its_licence_is_kept(tmp_path: Path) -> None:
    base = tmp_path / "secret" / "base"
    base.mkdir(parents=True)
    (base / "config.json").write_text("{}")
    (base / "README.md").write_text("---\nlicense: mit\n---\n# Base\n")
    header, body = card(tmp_path, base=str(base), dataset=str(tmp_path / "secret" / "pairs.jsonl"))
    assert header["license"] == "mit"
    assert not {"base_model", "datasets"} & set(header)
    assert "`base`" in body and "secret" not in body and str(tmp_path) not in body


def test_names_can_not_act(tmp_path: Path) -> None:
    _, body = card(tmp_path, dataset="a`b](http://x)|\n# c", stopped="![x](http://y) | \x1b[2J")
    assert "\n# c" not in body
    assert "\x1b" not in body
    assert "`![x](http://y) | \\x1b[2J`" in body
