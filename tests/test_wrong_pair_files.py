"""Wrong files and options given to the commands that read pairs, and to the trainer: the true cause, in few lines."""

from __future__ import annotations

import gzip
import json
import shlex
from pathlib import Path

import pytest

import pairforge
from pairforge.cli import main

PAIRS = [{"prompt": f"Which town is number {i}?", "chosen": f"Town {i}.", "rejected": "No idea."} for i in range(6)]
LINES = "".join(json.dumps(pair) + "\n" for pair in PAIRS)
FILES = {
    "good.jsonl": LINES,
    "prompts.jsonl": '{"prompt": "hi"}\n',
    "own.jsonl": '{"q": "hi", "good": "yes", "bad": "no"}\n',
    "half.jsonl": '{"prompt": "hi", "chosen": "yes"}\n',
    "bare.jsonl": '{"chosen": "yes", "rejected": "no"}\n',
    "same.jsonl": "".join(json.dumps({**pair, "rejected": pair["chosen"]}) + "\n" for pair in PAIRS),
    "empty.jsonl": "",
    "splits.json": json.dumps({"train": PAIRS[:4], "test": PAIRS[4:]}),
    "by_row.json": json.dumps({str(i): pair for i, pair in enumerate(PAIRS)}),
    "by_column.json": json.dumps({key: {str(i): pair[key] for i, pair in enumerate(PAIRS)} for key in PAIRS[0]}),
    "lists.json": json.dumps({key: [pair[key] for pair in PAIRS] for key in PAIRS[0]}),
    "book.xlsx": "PK\x03\x04",
    "lfs.parquet": "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n",
    "page.jsonl": "<!DOCTYPE html><html><body>404</body></html>",
    "model.gguf": "GGUF",
    "model/model.safetensors": "",
    "model/config.json": "{}",
    "folder/a.jsonl": LINES,
    "folder/b.jsonl": LINES,
    "folder/README.md": "mine",
    "bad.yaml": "beta: [0.1\nx: :\n",
    "checkpoint/notes.txt": "",
}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, "latin1")


@pytest.mark.parametrize(
    ("line", "says", "fix"),
    [
        ("show godo.jsonl", "godo.jsonl does not exist", "did you mean 'good.jsonl'?"),
        ("show ''", "the name of the pairs is empty", "name a run or a file"),
        ("push ' '", "the name of the pairs is empty", "name a run or a file"),
        ("show nothing-like-it.jsonl", "does not exist", "give a file or a folder"),
        ("show https://example.com/pairs.jsonl", "https://example.com/pairs.jsonl is a URL", "download the file"),
        ("show https://huggingface.co/datasets/me/pairs", "is a URL", "give its id: me/pairs"),
        ("show book.xlsx", "book.xlsx is a spreadsheet", "save it as CSV"),
        ("show lfs.parquet", "lfs.parquet is a pointer of Git LFS", "git lfs pull"),
        ("show page.jsonl", "page.jsonl is a web page (HTML)", "fetch the file itself"),
        ("show model.gguf", "model.gguf is a file of weights", "-m"),
        ("show model", "model is the folder of a model, not of pairs", "give a file or a folder"),
        ("show splits.json", "splits.json holds several splits: train, test", "jq -c '.train[]' FILE > train.jsonl"),
        ("show prompts.jsonl", "prompts.jsonl: these are prompts, not pairs", "pairforge onpolicy -p prompts.jsonl"),
        ("balance prompts.jsonl", "prompts.jsonl: these are prompts, not pairs", "pairforge onpolicy -p prompts.jsonl"),
        ("push prompts.jsonl", "prompts.jsonl: these are prompts, not pairs", "pairforge onpolicy -p prompts.jsonl"),
        ("convert prompts.jsonl new.jsonl", "prompts.jsonl: these are prompts, not pairs", "pairforge onpolicy"),
        ("shortcuts own.jsonl", "'q', 'good', 'bad'", "--columns prompt=q chosen=good rejected=bad"),
        ("push own.jsonl", "'q', 'good', 'bad'", "--columns prompt=q chosen=good rejected=bad"),
        ("show bare.jsonl", "bare.jsonl: chosen and rejected texts without a prompt", "--columns prompt=COLUMN"),
        ("fix empty.jsonl new.jsonl", "empty.jsonl has no rows", "give a file with pairs"),
        ("fix same.jsonl new.jsonl", "nothing would be left of 6 rows", "pairforge validate same.jsonl"),
        ("balance same.jsonl", "all 6 rows have the same answer on both sides", "give pairs whose two answers differ"),
        ("convert good.jsonl folder", "folder is a folder", "name a file in it: folder/pairs.jsonl"),
        ("convert folder folder/c.jsonl", "is in the folder that is read", "name a file in another folder"),
        ("convert good.jsonl a.jsonl b.jsonl", "convert can't use b.jsonl", "write: "),
        ("shortcuts good.jsonl --easiness good.jsonl", "good.jsonl is the source itself", "name another file"),
        ("shortcuts good.jsonl --easiness same.jsonl", "same.jsonl exists", "name another file"),
        ("shortcuts good.jsonl --easiness scores.csv", "the name must end in .jsonl", "--easiness scores.jsonl"),
        ("shortcuts good.jsonl --svg p.png", "--svg p.png: the name must end in .svg", "--svg p.svg"),
        ("shortcuts good.jsonl --tokenizer ./none", "no tokenizer folder ./none", "check the path"),
        ("show good.jsonl --where 'length => 3'", "is not a condition", ">= or >"),
        ("validate good.jsonl --select PF1 --ignore PF1", "no check is left: --ignore PF1", "ignore fewer checks"),
        ("push good.jsonl --repo https://huggingface.co/datasets/me/x", "can't be the id of a repository", "use me/x"),
        ("push good.jsonl --repo datasets/me/x", "can't be the id of a repository", "use me/x"),
        ("push good.jsonl --repo 'me/my x'", "can't be the id of a repository", "use OWNER/NAME"),
        ("train --dataset good.jsonl", "train has no option --dataset", "train dpo --dataset?"),
    ],
)
def test_the_true_cause_is_said(capsys: pytest.CaptureFixture[str], line: str, says: str, fix: str) -> None:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line))
    said = capsys.readouterr().err.removeprefix("looking for what separates chosen from rejected answers\n")
    assert ended.value.code == 2, said
    what, _, advice = said.partition("\n  -> ")
    assert says in what and fix in advice and len(said.splitlines()) == 2, said
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("line", "says", "fix"),
    [
        ("--stage dpo", "there is no flag --stage", "leave it out"),
        ("--pref_beta 0.1", "there is no flag --pref_beta", "did you mean --beta?"),
        ("--cutoff_len 9", "there is no flag --cutoff_len", "did you mean --max_length?"),
        ("-dataset good.jsonl", "there is no flag -dataset", "did you mean '--dataset'?"),
        ("--loss_type ipo,sft", "several values are separated by spaces", "--loss_type ipo sft"),
        ("--loss_weights 1,0.2", "several values are separated by spaces", "--loss_weights 1 0.2"),
        ("--optim adam", "--optim adam is not a known value", "did you mean 'adam"),
        ("--config bad.yaml", "bad.yaml is not YAML: line 2: ", "beta: 0.3"),
        ("--dataset godo.jsonl", "there is no file or run godo.jsonl", "did you mean 'good.jsonl'?"),
        ("--dataset own.jsonl", "'q', 'good', 'bad'", "--columns prompt=q chosen=good rejected=bad"),
        ("--dataset same.jsonl -m pocket", "6 errors in 6 pairs: PF104, e.g. row 0: ", "pairforge fix same.jsonl"),
        ("--dataset half.jsonl -m pocket", "half.jsonl: `rejected` is missing", "rejected=COLUMN"),
        ("--dataset model", "model is the folder of a model", "give a file or a folder"),
        ("--dataset good.jsonl -m pocket --seed -1", "--seed -1 must be at least 0", "--help"),
        ("--dataset good.jsonl -m pocket --weight_decay -1", "--weight_decay -1 must be at least 0", "--help"),
        ("--dataset good.jsonl -m pocket --output_dir folder", "e.g. README.md", "--output_dir folder/model"),
        ("--dataset good.jsonl -m model.gguf", "model.gguf is not a whole GGUF file", ""),
        (
            "--dataset good.jsonl -m pocket --resume_from_checkpoint checkpoint",
            "it is not a checkpoint, which holds trainer_state.json",
            "--resume_from_checkpoint auto",
        ),
    ],
)
def test_the_trainer_says_it_before_anything_is_loaded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, line: str, says: str, fix: str
) -> None:
    monkeypatch.setattr("trainers.flags.trl", None)
    with pytest.raises(SystemExit) as ended:
        main(["train", "dpo", *shlex.split(line)])
    said = capsys.readouterr().err
    assert ended.value.code == 2, said
    what, _, advice = said.partition("\n  -> ")
    assert says in what and fix in advice and len(said.splitlines()) <= 3, said


def test_one_list_of_rows_is_still_read_from_an_object(tmp_path: Path) -> None:
    for more in ({"version": "1"}, {"features": [{"name": "prompt"}, {"name": "chosen"}]}, {"test": "none"}):
        (tmp_path / "data.json").write_text(json.dumps({"data": PAIRS, **more}), "utf-8")
        assert pairforge.validate(tmp_path / "data.json").rows == len(PAIRS)
    turns = {side: [{"role": "user", "content": "hi"}, {"role": "assistant", "content": side}] for side in PAIRS[0]}
    (tmp_path / "one.jsonl").write_text(json.dumps(turns | {"prompt": turns["prompt"][:1]}), "utf-8")
    assert pairforge.validate(tmp_path / "one.jsonl").rows == 1
    (tmp_path / "page.jsonl.gz").write_bytes(gzip.compress(FILES["page.jsonl"].encode()))
    with pytest.raises(pairforge.InputError, match=r"page.jsonl.gz is a web page"):
        pairforge.validate(tmp_path / "page.jsonl.gz")


def test_texts_without_a_prompt_are_one_finding_on_the_set() -> None:
    [found] = pairforge.validate("bare.jsonl")
    assert (found.code, found.row) == ("PF010", 0) and "without a prompt" in found.message


def test_errors_are_few_lines_in_the_result_of_a_push(capsys: pytest.CaptureFixture[str]) -> None:
    Path("same.jsonl").write_text(FILES["same.jsonl"] * 5, "utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["push", "same.jsonl"])
    said = capsys.readouterr().out
    assert ended.value.code == 1
    assert "and 20 more" in said and said.count("\n") < 20
    assert "to leave them out: pairforge fix same.jsonl fixed.jsonl" in said


def test_a_push_of_an_empty_file_offers_no_repair(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.jsonl").touch()
    with pytest.raises(SystemExit):
        main(["push", "empty.jsonl"])
    said = capsys.readouterr().out
    assert said.rstrip().endswith("not pushed: PF201: no rows")


@pytest.mark.parametrize("name", ["by_row.json", "by_column.json", "lists.json"])
def test_all_rows_in_one_object_are_read(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(FILES[name])
    answers = [pair["chosen"][-1]["content"] for pair in pairforge.read_pairs(file)]
    assert answers == [pair["chosen"] for pair in PAIRS]
