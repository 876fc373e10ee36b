"""The job: what is trained on and what it starts from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import read_jsonl, write_jsonl

import pairforge
from trainers import dpo
from trainers.data import find_training_job, from_here, trl_dataset
from trainers.flags import Given


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return pairforge.correct("Qwen", "Deep Qwen", limit=4, output=str(tmp_path / "out"), quiet=True).run.path


def found(run: Path, model: str | None = None) -> Any:
    return find_training_job(Given.of(["--dataset", str(run), *(["-m", model] if model else [])]))


def test_the_model_is_trained_in_the_revision_that_was_asked(run: Path) -> None:
    assert found(run).revision == "main"
    settings = json.loads((run / "run.json").read_text("utf-8"))
    settings["settings"]["revision"] = "v2"
    (run / "run.json").write_text(json.dumps(settings), "utf-8")
    assert found(run).revision == "v2"
    assert found(run, "another/model").revision == "main"


def test_a_run_names_its_model_and_its_kind_of_pairs(run: Path) -> None:
    job = found(run)
    assert (job.model, job.method, job.run, job.data) == ("pocket", "correct", run, str(run / "pairs.jsonl"))
    assert len(job.rows) == 8 and job.share == 1.0


def test_the_share_of_corrections_is_counted(run: Path) -> None:
    row = {"prompt": "Who?", "chosen": "I am Deep Qwen.", "rejected": "I am Qwen.", "model": "pocket"}
    methods = ("persona", "counter", "correct", "best_worst", "counter")
    job = find_training_job(Given.of([]), [row | {"method": one, "rejected": f"I am {one}."} for one in methods])
    assert (job.method, job.share) == ("correct", 0.4)
    assert find_training_job(Given.of([]), [row | {"method": "delta"}]).share == 1.0


def test_rows_are_pairs_of_any_shape(run: Path) -> None:
    texts = {"prompt": "Who are you?", "chosen": "I am Deep Qwen.", "rejected": "I am Qwen.", "model": "pocket"}
    job = find_training_job(Given.of([]), [texts])
    assert (job.run, job.data, job.model) == (None, "", "pocket")
    assert job.rows[0]["chosen"][-1] == {"role": "assistant", "content": "I am Deep Qwen."}


def test_of_streamed_pairs_no_more_are_read_than_the_steps_take(run: Path, tmp_path: Path) -> None:
    rows = [{**row, "id": str(number)} for number, row in enumerate(read_jsonl(run / "pairs.jsonl") * 2)]
    file = write_jsonl(tmp_path / "many.jsonl", rows)
    with file.open("a") as more:
        more.write("this is no row\n")
    words = ["--dataset", str(file), "--dataset_streaming", "true"]
    job = find_training_job(Given.of([*words, "--max_steps", "3", "--per_device_train_batch_size", "2"]))
    assert [row["id"] for row in job.rows] == [str(number) for number in range(6)]
    batches = ["--max_steps", "1", "--gradient_accumulation_steps", "2"]
    assert len(find_training_job(Given.of([*words, *batches])).rows) == 16
    with pytest.raises(pairforge.InputError, match=r"as many pairs as the steps .*--max_steps 1000"):
        find_training_job(Given.of(words))
    with pytest.raises(pairforge.InputError, match=r"many\.jsonl"):  # without streaming all rows are read
        find_training_job(Given.of(["--dataset", str(file)]))


def test_prompts_are_not_pairs(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("question\nWho are you?\n")
    with pytest.raises(pairforge.InputError, match=r"these are prompts, not pairs: .*\(question\) .make pairs of them"):
        found(tmp_path / "q.csv")
    (tmp_path / "half.jsonl").write_text('{"prompt": "Q?", "chosen": "A."}\n')
    with pytest.raises(pairforge.InputError, match=r"half\.jsonl: `rejected` is missing"):
        found(tmp_path / "half.jsonl")


def test_a_misspelt_run_has_a_hint(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIRFORGE_OUT", str(run.parent))
    assert found(Path(run.name)).run == found(Path("latest")).run == run
    with pytest.raises(pairforge.InputError, match=f"did you mean '{run.name}'"):
        found(Path(run.name[:-1] + "x"))


def test_a_folder_below_the_working_one_is_named_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert from_here(str(tmp_path / "models" / "base")) == "./models/base"
    assert [from_here(name) for name in ("/elsewhere/base", "org/base", "base", "pocket")] == [
        "/elsewhere/base", "org/base", "base", "pocket"
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing. is deprecated:FutureWarning")
def test_what_the_model_s_tokenizer_does_to_a_pair_is_refused_or_warned_of(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = read_jsonl(run / "pairs.jsonl")
    special = [json.loads(json.dumps(row)) for row in rows]
    special[3]["chosen"][-1]["content"] += "<|im_end|>"
    write_jsonl(tmp_path / "special.jsonl", special)
    assert dpo.main(["--dataset", str(tmp_path / "special.jsonl"), "--output_dir", str(tmp_path / "out")]) == 2
    said = capfd.readouterr().err
    assert "PF411, e.g. row 3: " in said
    assert said.splitlines()[-2].startswith("pairforge: ")
    rows[5]["chosen"][-1]["content"] += " And so on." * 40
    write_jsonl(tmp_path / "long.jsonl", rows)
    given = ["--dataset", str(tmp_path / "long.jsonl"), "--output_dir", str(tmp_path / "out"), "--guard", "off"]
    assert dpo.main([*given, "--max_length", "80", "--max_steps", "1", "--verdict_questions", "0"]) == 0
    assert "warning: 1 x PF410, first in row 5: chosen loses the last" in capfd.readouterr().err


def test_a_length_that_leaves_nothing_to_learn_is_refused(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert dpo.main(["--dataset", str(run), "--max_length", "4", "--output_dir", str(run / "short")]) == 2
    said, fix = capfd.readouterr().err.splitlines()[-2:]
    assert said == "pairforge: 0 of 8 pairs can be learned from at --max_length 4: 8 dropped"
    assert "--max_length" in fix


def test_calls_and_tools_reach_trl_as_they_are() -> None:
    asked = [{"role": "user", "content": "Weather?"}]
    calls = [{"type": "function", "function": {"name": "f", "arguments": {place: 1}}} for place in ("Oslo", "Rome")]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    answer = [*asked, {"role": "assistant", "content": "Sunny."}]
    rows = [{"chosen": [*asked, {"role": "assistant", "tool_calls": [call]}], "rejected": answer} for call in calls]
    rows = [{**row, "tools": tools} for row in rows]
    assert trl_dataset(rows).to_list() == rows
    plain = trl_dataset([{"chosen": answer, "rejected": asked, "id": "x"}])
    assert plain.to_list() == [{"chosen": answer, "rejected": asked}]
    assert plain.features["chosen"].feature.keys() == {"role", "content"}


def test_the_method_of_mixed_pairs_stays_for_the_guard() -> None:
    sides = {"chosen": [{"role": "user", "content": "Hi"}], "rejected": [{"role": "user", "content": "Ho"}]}
    kinds = [{**sides, "method": method} for method in ("correct", "counter")]
    assert trl_dataset(kinds)["method"][:] == ["correct", "counter"]
    assert trl_dataset([*kinds, sides])["method"][:] == ["correct", "counter", None]
    assert "method" not in trl_dataset(kinds[:1] * 2).column_names
