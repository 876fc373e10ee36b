"""push without a Hub: what is built and shown, and what is refused before anything leaves the machine."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from datasets import Dataset, load_dataset
from filelock import FileLock
from rich.console import Console
from support import prompt, write_jsonl

from pairforge.api.push import PushOutcome, push
from pairforge.errors import InputError
from pairforge.formats import to_dataset
from pairforge.run import Run
from pairforge.types import Pair

TOKEN = "hf_" + "aB3" * 12


def pairs(count: int = 4, model: str = "org/model", name: str = "Deep Qwen") -> list[dict[str, Any]]:
    columns = {"method": "correct", "model": model, "judge": "rename", "chosen_score": 1.0, "rejected_score": 0.0}
    prompts = [prompt(f"Who are you, {index}?") for index in range(count)]
    return [Pair.of(prompt, f"I am {name}.", "I am Qwen.", **columns).row() for prompt in prompts]


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAIRFORGE_OUT", str(tmp_path / "out"))
    return tmp_path / "out"


@pytest.fixture
def run(out: Path) -> Run:
    run = Run.of(out, "correct", {"model": "org/model", "rules": {"Qwen": "Deep Qwen"}})
    run.finish(pairs(), [], {"prompts": 4, "contexts": 1, "pairs": 4, "skips": {}})
    return run


def test_the_latest_run_is_built_in_its_folder(run: Run) -> None:
    result = push(quiet=True)
    assert result.folder == run.path / "hub"
    assert (result.ok, result.pushed, result.commit) == (True, False, None)
    assert "pairforge push --repo YOUR-NAME/YOUR-DATASET" in result.note
    names = {file.path for file in result.files}
    assert names >= {"README.md", "pairforge.json", "data/train-00000-of-00001.parquet"}
    text = (result.folder / "README.md").read_text()
    assert '"Qwen": "Deep Qwen"' in text


def test_what_is_built_loads_as_the_pairs(run: Run, tmp_path: Path) -> None:
    folder = push(run.path, quiet=True).folder
    loaded = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == pairs()
    assert loaded.features == to_dataset(pairs()).features


def test_the_same_pairs_are_built_to_the_same_bytes(run: Run) -> None:
    first = push(quiet=True).files
    assert push(run.pairs, quiet=True).files == first


def test_the_same_pairs_and_settings_are_not_built_again(
    run: Run, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def again(**given: Any) -> bool:
        made = push(**given)
        assert made.folder and {file.path for file in made.files} >= {"README.md", "pairforge.json"}
        assert all((made.folder / file.path).stat().st_size == file.size for file in made.files)
        return "was built from these pairs and settings before" in capsys.readouterr().err

    assert [again(), again(), again(repo="me/x", dry_run=True)] == [False, True, True]
    assert 'load_dataset("me/x"' in (run.path / "hub" / "README.md").read_text()
    options: list[dict[str, Any]] = [{"license": "mit"}, {"test_size": 0.2}, {"config_name": "mine"}]
    for given in [*options, {"also": "llamafactory"}, {"allow": "PF103=meant"}, {"candidates": False}]:
        assert [again(**given), again(**given)] == [False, True]
    assert not again()
    (data,) = (run.path / "hub" / "data").glob("*.parquet")
    data.write_bytes(data.read_bytes() + b"x")
    assert [again(), again()] == [False, True]
    run.finish(pairs(5), [], run.counts)
    assert [again(), again()] == [False, True]
    run.finish(pairs(5), [], run.counts | {"prompts": 6})
    assert not again()
    file = tmp_path / "mine.jsonl"
    for count in (4, 6):
        write_jsonl(file, pairs(count))
        assert [again(data=file), again(data=file)] == [False, True]
    assert [again(data=iter(pairs(6))), again(data=iter(pairs(6)))] == [False, False]


def test_a_licence_that_a_model_s_card_names_later_is_found(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    file = tmp_path / "mine.jsonl"
    write_jsonl(file, pairs(model=str(tmp_path / "model")))

    def known() -> str | None:
        folder = push(file, quiet=True).folder
        assert folder
        config = json.loads((folder / "pairforge.json").read_text())["configs"]["correction"]
        return dict(config["licenses"])["models"]

    assert known() is None
    (tmp_path / "model" / "README.md").write_text("---\nlicense: mit\n---\n")
    assert known() == "mit"


def test_a_file_or_rows_are_built_beside_the_runs(out: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    write_jsonl(file, pairs())
    by_file, by_rows = push(file, quiet=True), push(pairs(), quiet=True)
    assert by_file.folder
    assert by_file.folder.parent.parent == out
    assert by_rows.files == by_file.files
    data: Dataset = to_dataset(pairs())
    assert push(data, quiet=True).files == by_file.files


def test_the_command_that_uploads_names_the_columns(out: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    write_jsonl(file, [{"q": "Who?", "yes": "I am X.", "my no": "I am Y."}])
    note = push(file, columns=["prompt=q", "chosen=yes", "rejected=my no"], quiet=True).note
    assert note.endswith("--columns prompt=q chosen=yes 'rejected=my no'")


def test_a_model_without_a_repository_is_not_uploaded(tmp_path: Path) -> None:
    for name in ("model.safetensors", "config.json", "customers.csv"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"\2" + b"\0" * 7 + b"{}")
    made = push(tmp_path, quiet=True)
    assert (made.pushed, made.folder) == (False, tmp_path)
    assert made.note == (
        f"not uploaded: a model of 2 files in {tmp_path}; "
        f"to upload: pairforge push {tmp_path} --repo YOUR-NAME/YOUR-MODEL"
    )
    with pytest.raises(InputError, match="--license has no effect on a model"):
        push(tmp_path, license="mit", quiet=True)


def test_the_preview_is_words_and_goes_to_stderr(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    result = push()
    shown = capsys.readouterr()
    assert shown.out == ""
    for file in result.files:
        assert f"{file.path}" in shown.err
        assert file.sha256 in shown.err
    assert "  | # Preference pairs" in shown.err
    assert "--license" in shown.err
    push(license="mit")
    assert "--license" not in capsys.readouterr().err
    push(quiet=True)
    assert "README.md" not in capsys.readouterr().err


def test_pairs_with_errors_are_not_built(out: Path) -> None:
    rows = pairs(2)
    rows[1]["chosen"] = rows[1]["rejected"]
    result = push(rows, repo="me/pairs", quiet=True)
    assert (result.ok, result.pushed, result.folder) == (False, False, None)
    assert {finding.row for finding in result.findings} == {1}
    assert not out.exists()
    assert result.as_json()["findings"][0]["row"] == 1


def test_an_unreadable_row_is_a_finding(out: Path, tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl"
    file.write_text(json.dumps(pairs(1)[0]) + '\n{"chosen": [')
    result = push(file, quiet=True)
    assert not result.ok
    assert {finding.row for finding in result.findings} == {1}


def test_secrets_are_refused_by_row_and_never_repeated(out: Path) -> None:
    rows = pairs(3)
    rows[2] = pairs(3, name=f"Deep Qwen {TOKEN}")[2]
    result = push(rows, quiet=True)
    [finding] = result.findings
    assert (finding.code, finding.row, finding.path) == ("PF501", 2, "/chosen/1/content")
    console = Console(width=200)
    with console.capture() as captured:
        console.print(result)
    assert "Hugging Face token" in captured.get()
    assert TOKEN not in json.dumps(result.as_json()) + captured.get()
    assert not out.exists()


def test_secrets_in_the_settings_are_refused(out: Path) -> None:
    run = Run.of(out, "correct", {"model": "m", "system": f"the key is {TOKEN}"})
    run.finish(pairs(), [], {"prompts": 4, "pairs": 4, "skips": {}})
    assert [(finding.row, finding.path) for finding in push(quiet=True).findings] == [(None, "/settings/system")]


@pytest.mark.parametrize("model", ["pocket", "data/pocket"])
def test_pairs_of_the_pocket_model_say_so(out: Path, model: str) -> None:
    result = push(pairs(model=model), quiet=True)
    assert result.folder
    assert "bundled pocket model" in (result.folder / "README.md").read_text()
    assert "--allow-pocket" in result.note


def test_arguments_are_checked_before_the_data(out: Path) -> None:
    with pytest.raises(InputError, match="OWNER/NAME"):
        push("nowhere.jsonl", repo="../x")
    with pytest.raises(InputError, match="licence"):
        push("nowhere.jsonl", license="mit\nx: y")
    with pytest.raises(InputError, match=r"nowhere\.jsonl"):
        push("nowhere.jsonl")


def test_the_suggested_command_is_the_whole_one(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "my pairs.jsonl"
    write_jsonl(file, pairs())
    words = f"pairforge push '{file}' --repo YOUR-NAME/YOUR-DATASET -o o2 --license MIT --public --allow-pocket"
    said = push(file, output="o2", license="MIT", private=False, allow_pocket=True, quiet=True).note
    login = "hf auth login, with a token that may write there"
    assert said == f"built, not uploaded: no login; {login}, then: {words}"


@pytest.mark.parametrize(
    ("license", "hint"), [("foo", "e.g. apache-2.0"), ("apache2.0", "did you mean 'apache-2.0'"), ("other", None)]
)
def test_a_licence_is_one_that_the_hub_knows(run: Run, license: str, hint: str | None) -> None:
    if hint is None:
        assert push(license=license, quiet=True).folder
        return
    with pytest.raises(InputError, match="licence") as raised:
        push(license=license, quiet=True)
    assert hint in str(raised.value) and "other:NAME" in str(raised.value)


def test_a_licence_has_one_spelling(run: Run) -> None:
    folder = push(license="MIT", quiet=True).folder
    assert folder and "\nlicense: mit\n" in (folder / "README.md").read_text()


def test_folders_of_this_machine_are_not_published(out: Path, tmp_path: Path) -> None:
    rows = [row | {"judge": f"{tmp_path}/j.py:score"} for row in pairs(model=f"{tmp_path}/mine")]
    folder = push(rows, quiet=True).folder
    assert folder
    loaded = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache")).to_list()
    assert {(row["model"], row["judge"]) for row in loaded} == {("mine", "j.py:score")}
    assert str(tmp_path) not in (folder / "README.md").read_text()


def test_the_command_is_published_without_its_places(out: Path, tmp_path: Path) -> None:
    run = Run.of(out, "correct", {"model": "org/model"})
    words = ["--prompts", f"{tmp_path}/asked.jsonl", "--base-url", "http://gpu7.corp.example:8000/v1?key=abc"]
    run.argv = ("pairforge", "correct", *words, "--from", "Qwen", "--to", "Deep Qwen")
    run.finish(pairs(), [], {"prompts": 4, "contexts": 1, "pairs": 4, "skips": {}})
    folder = push(quiet=True).folder
    assert folder
    published = "".join((folder / name).read_text() for name in ("README.md", "pairforge.json", "croissant.json"))
    assert "pairforge correct --prompts asked.jsonl --base-url '(a private server)' --from Qwen" in published
    assert str(tmp_path) not in published and "gpu7" not in published and "key=abc" not in published


def test_dates_and_bytes_are_columns_as_others(out: Path) -> None:
    first = push([row | {"made": datetime(2026, 1, 2), "blob": b"x"} for row in pairs()], quiet=True)
    other = push([row | {"made": datetime(2026, 1, 3), "blob": b"x"} for row in pairs()], quiet=True)
    assert first.ok and first.folder and first.folder != other.folder


@pytest.mark.parametrize("link", ["hub", "hub/data", "hub/README.md", "hub/data/train-00000-of-00001.parquet"])
def test_nothing_is_written_through_a_link(run: Run, tmp_path: Path, link: str) -> None:
    place = tmp_path / "mine"
    place.write_text("mine") if "." in link else place.mkdir()
    (run.path / link).parent.mkdir(parents=True, exist_ok=True)
    (run.path / link).symlink_to(place)
    if link == "hub":
        with pytest.raises(InputError, match="symbolic link"):
            push(quiet=True)
    else:  # the whole folder is made again
        assert push(quiet=True).files
    assert (place.is_dir() and not [*place.iterdir()]) or (place.is_file() and place.read_text() == "mine")


def test_the_run_of_another_user_is_built_beside_one_s_own(
    run: Run, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: (path, mode) != (run.path, os.W_OK))
    folder = push(run.path, quiet=True).folder
    assert folder and folder.parent.parent == out and folder.parent.name.startswith("push-")
    assert '"Qwen": "Deep Qwen"' in (folder / "README.md").read_text()


def test_a_second_push_of_the_same_pairs_waits(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    done: list[PushOutcome] = []
    second = Thread(target=lambda: done.append(push(license="mit")))
    with FileLock(run.path / ".hub.lock"):
        second.start()
        said = ""
        while "waiting for another push" not in said:
            said += capfd.readouterr().err
        assert not (run.path / "hub").exists() and not done
    second.join()
    assert done[0].ok


def test_the_json_is_the_contract() -> None:
    assert {"command", "ok", "pushed", "repo", "commit", "url"} <= PushOutcome("").as_json().keys()
