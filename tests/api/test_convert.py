"""`convert`: any shape in, a trainer's shape out, and what became of each row."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import datasets
import pytest
from rich.console import Console
from support import read_jsonl, write_jsonl

from pairforge import formats
from pairforge.api.convert import convert
from pairforge.errors import InputError
from pairforge.formats import TARGETS
from pairforge.resources import resource
from pairforge.types import Message, Pair, Prompt


def rows(count: int = 4) -> list[dict[str, Any]]:
    scores: dict[str, Any] = {"method": "m", "model": "n", "judge": "j", "chosen_score": 1.0, "rejected_score": 0.0}
    prompts = [
        Prompt((Message(role="system", content="Be brief."), Message(role="user", content=f"Question {n}?")))
        for n in range(count)
    ]
    return [Pair.of(prompt, "Right.", "Wrong.", **scores).row() for prompt in prompts]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "pairs.jsonl", rows())


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet", ".csv"])
@pytest.mark.parametrize("to", TARGETS)
def test_there_and_back(pairs: Path, tmp_path: Path, to: str, suffix: str) -> None:
    there = convert(pairs, tmp_path / f"there{suffix}", to=to)
    assert (there.ok, there.shape, there.rows, there.pairs, dict(there.lost)) == (True, "trl", 4, 4, {})
    assert there.written == (8 if to == "kto" else 4)
    back = convert(tmp_path / f"there{suffix}", tmp_path / "back.jsonl")
    assert (back.ok, dict(back.lost)) == (True, {})
    assert list(formats.read_rows(tmp_path / "back.jsonl")) == rows()


def test_the_same_rows_give_the_same_bytes_and_leave_no_other_file(pairs: Path, tmp_path: Path) -> None:
    for name in ("one.jsonl", "two.jsonl"):
        convert(pairs if name == "one.jsonl" else rows(), tmp_path / name, to="axolotl")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.jsonl", "pairs.jsonl", "two.jsonl"]


def test_what_is_left_out_is_counted_and_the_rest_written(tmp_path: Path) -> None:
    sound = rows(5)
    more = [*sound[3]["chosen"], {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    sound[3] = sound[3] | {"chosen": more}
    sound[4] = sound[4] | {"chosen_score": float("nan")}
    source = write_jsonl(tmp_path / "in.jsonl", [*sound, {"chosen": []}])
    with source.open("a") as file:
        file.write('{"chosen": [')
    made = convert(source, tmp_path / "out.jsonl", to="axolotl")
    assert (made.ok, made.rows, made.pairs, made.written) == (False, 7, 3, 3)
    assert made.skips == {"turns": 1, "not_finite": 1, "shape": 1, "json": 1}
    assert made.first["turns"].startswith("row 3: ")
    assert made.first["not_finite"].startswith("row 4: ")
    assert made.first["shape"].startswith("row 5: ")
    assert made.first["json"].startswith(f"{source}:7: incomplete JSON")
    assert made.as_json()["first"] == made.first
    assert repr(made) == "<Conversion: 3 of 7 rows written (axolotl), 4 skipped: turns, not finite, shape, json>"
    assert made.as_json()["counts"] == {"rows": 7, "pairs": 3, "written": 3, "skips": made.skips}


def test_a_row_of_many_pairs_is_skipped_once(tmp_path: Path) -> None:
    ranked = {"prompt": "Q?", "answers": ["a", "b", "c"], "scores": [3, 2, 1]}
    made = convert([ranked, ranked | {"weight": float("nan")}], tmp_path / "out.jsonl")
    assert (made.rows, made.pairs, made.skips) == (2, 3, {"not_finite": 1})
    assert repr(made) == "<Conversion: 1 of 2 rows written (TRL), as 3 rows, 1 skipped: not finite>"
    labelled = [
        {"prompt": f"{n}?", "completion": f"{n}, {good}", "label": good} for n in (1, 2) for good in (True, False)
    ]
    labelled[0]["weight"] = float("nan")
    made = convert(labelled, tmp_path / "kto.jsonl")
    assert (made.rows, made.pairs) == (4, 1) and 4 - sum(made.skips.values()) == 2


def test_rows_of_other_shapes_than_most_are_read_by_their_own(tmp_path: Path) -> None:
    others = [
        {"prompt": "Q5?", "chosen": "Right.", "rejected": "Wrong."},
        {"prompt": "Q6?", "answers": ["Right.", "Wrong.", "Worse."], "scores": [3, 2, 1]},
        {"x": 1},
    ]
    made = convert([*rows(), *others], tmp_path / "out.jsonl")
    assert (made.shape, made.pairs, made.skips) == ("trl", 8, {"shape": 1})
    assert [row["chosen"][0]["content"] for row in read_jsonl(tmp_path / "out.jsonl")[4:]] == ["Q5?", *["Q6?"] * 3]


def test_late_columns_are_null_before(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [*rows(2), rows(3)[2] | {"late": "x"}])
    convert(source, tmp_path / "out.jsonl")
    made = read_jsonl(tmp_path / "out.jsonl")
    assert [row["late"] for row in made] == [None, None, "x"]
    assert len({tuple(row) for row in made}) == 1
    loaded = datasets.load_dataset(
        "json", data_files=str(tmp_path / "out.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded["late"][:] == [None, None, "x"]


def test_formulas_are_harmless_in_csv_and_said(tmp_path: Path) -> None:
    odd = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a=1", "'=1"]
    source = [row | {"note": text, "=HYPERLINK()": 1} for row, text in zip(rows(8), odd, strict=True)]
    made = convert(source, tmp_path / "out.csv")
    read = list(formats.rows(tmp_path / "out.csv"))
    assert [row["note"] for row in read] == [*(f"'{text}" for text in odd[:6]), *odd[6:]]
    assert "'=HYPERLINK()" in read[0]
    assert made.lost == {"note, as it was: begins with '": 6}
    assert [row["chosen"] for row in read] == [row["chosen"] for row in source]


def test_nothing_is_overwritten_but_when_asked(pairs: Path, tmp_path: Path) -> None:
    out = write_jsonl(tmp_path / "out.jsonl", ["mine"])
    with pytest.raises(InputError, match="exists"):
        convert(pairs, out)
    assert out.read_text() == '"mine"\n'
    convert(pairs, out, overwrite=True)
    assert len(out.read_text("utf-8").splitlines()) == 4


def test_never_in_place(pairs: Path, tmp_path: Path) -> None:
    before = pairs.read_bytes()
    os.link(pairs, tmp_path / "link.jsonl")
    for source, out in ((pairs, pairs), (tmp_path, pairs), (pairs, tmp_path / "link.jsonl")):
        with pytest.raises(InputError, match="in place"):
            convert(source, out, overwrite=True)
    assert pairs.read_bytes() == before


@pytest.mark.parametrize(
    ("out", "to", "said"),
    [
        ("out.txt", "trl", "must end in"),
        ("out", "trl", "must end in"),
        ("out.jsonl", "nonesuch", "is not one of trl, "),
        ("out.jsonl", "llama-factory", "did you mean 'llamafactory'"),
        ("folder.json", "trl", "is a folder"),
        ("dataset_info.json", "llamafactory", "not a name for pairs"),
    ],
)
def test_what_can_t_be_written(pairs: Path, tmp_path: Path, out: str, to: str, said: str) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match=said):
        convert(pairs, tmp_path / out, to=to)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ([], "no rows"),
        ([{"instruction": "q", "output": "a"}], "not pairs: answers without a counterpart"),
        ([{"prompt": "q", "completion": "a", "label": True}], "nothing to convert to trl: row 0: "),
    ],
)
def test_nothing_to_convert_writes_nothing(tmp_path: Path, source: list[Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        convert(source, tmp_path / "out.jsonl")
    assert not list(tmp_path.iterdir())


def test_llamafactory_s_description_is_written_and_added_to(pairs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    made = convert(pairs, folder / "mine.jsonl", to="llamafactory")
    info = folder / "dataset_info.json"
    assert made.files == [folder / "mine.jsonl", info]
    assert list(json.loads(info.read_text())) == ["mine"]
    info.write_text(json.dumps({"other": {"file_name": "x.json"}, "taken": {"file_name": "y.json"}}))
    convert(pairs, folder / "more.json", to="llamafactory")
    assert list(json.loads(info.read_text())) == ["other", "taken", "more"]
    with pytest.raises(InputError, match="describes another 'taken'"):
        convert(pairs, folder / "taken.jsonl", to="llamafactory")
    info.write_text("[]")
    with pytest.raises(InputError, match="can't be read"):
        convert(pairs, folder / "last.jsonl", to="llamafactory")
    assert sorted(file.name for file in folder.iterdir()) == ["dataset_info.json", "mine.jsonl", "more.json"]


def test_the_outcome_for_a_reader_is_plain_text(tmp_path: Path) -> None:
    source = [row | {"prompt": "[/x]\x1b[31m"} for row in rows(2)]
    made = convert(write_jsonl(tmp_path / "[b]in.jsonl", source), tmp_path / "[b]out.jsonl", to="kto")
    console = Console(width=100, markup=False, soft_wrap=True)
    with console.capture() as captured:
        console.print(made)
    shown = captured.get()
    assert f"{tmp_path}/[b]out.jsonl: 2 of 2 rows written (TRL, KTO), as 4 rows" in shown
    assert "trl kto --config kto.yaml" in shown
    assert "\x1b[31m" not in shown
    assert made.lost == {"prompt": 2}


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # TRL's own default
@pytest.mark.parametrize("to", ["trl", "trl-explicit", "openrlhf"])
def test_trl_prepares_what_is_written(tmp_path: Path, to: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    pocket = str(resource("data", "pocket"))
    tokenizer = AutoTokenizer.from_pretrained(pocket)
    convert(rows(), tmp_path / "out.jsonl", to=to)
    loaded = datasets.load_dataset(
        "json", data_files=str(tmp_path / "out.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    config = DPOConfig(output_dir=str(tmp_path / "model"), report_to=[], bf16=False, use_cpu=True)
    model = AutoModelForCausalLM.from_pretrained(pocket)
    prepared = DPOTrainer(model, args=config, train_dataset=loaded, processing_class=tokenizer).train_dataset
    for row, ready in zip(rows(), prepared, strict=True):
        prompt = tokenizer.apply_chat_template(row["chosen"][:-1], add_generation_prompt=True, tokenize=False)
        assert tokenizer.decode(ready["prompt_ids"]) == prompt
        assert tokenizer.decode(ready["chosen_ids"]).startswith("Right.")
        assert tokenizer.decode(ready["rejected_ids"]).startswith("Wrong.")


def test_kto_loads_with_its_types(tmp_path: Path) -> None:
    convert(rows(2), tmp_path / "out.jsonl", to="kto")
    loaded = datasets.load_dataset(
        "json", data_files=str(tmp_path / "out.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded["label"][:] == [True, False, True, False]
    assert loaded.features["label"] == datasets.Value("bool")
    assert [row[-1]["content"] for row in loaded["completion"]] == ["Right.", "Wrong."] * 2
    assert {row[-1]["role"] for row in loaded["prompt"]} == {"user"}
