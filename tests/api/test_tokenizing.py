"""A model's tokenizer is read as training on the model reads it, and nothing more of the model is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pairforge.api.tokenizing import open_reader
from pairforge.errors import InputError
from pairforge.resources import resource
from pairforge.types import PLAIN_TEMPLATE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The pocket model's folder without its weights."""
    for file in resource("data", "pocket").glob("*[!s].json*"):
        shutil.copy(file, tmp_path)
    shutil.copy(resource("data", "pocket") / "chat_template.jinja", tmp_path)
    return tmp_path


def test_what_the_pocket_model_reads_with() -> None:
    reader = open_reader("pocket")
    assert reader.ends == (reader.tokenizer.eos_token_id,)
    assert reader.inserted == "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    assert reader.watch(7).preflight.max_length == 7


def test_a_folder_without_weights_will_do_and_one_without_a_template_gets_the_plain_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert open_reader(str(folder)).inserted
    (folder / "chat_template.jinja").unlink()
    reader = open_reader(str(folder))
    assert (reader.tokenizer.chat_template, reader.inserted) == (PLAIN_TEMPLATE, None)
    assert "no chat template" in capsys.readouterr().err


@pytest.mark.parametrize(("said", "ends"), [([5, 4095], (5, 4095)), (7, (7,)), (None, ())])
def test_the_ends_are_those_of_the_generation_settings(folder: Path, said: object, ends: tuple[int, ...]) -> None:
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": said}))
    assert open_reader(str(folder)).ends == ends


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_reader(str(tmp_path))
