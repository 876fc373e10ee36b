"""The data set of a push: its configs, splits, and the candidates of a run with their scores."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from support import pair, prompt, write_jsonl

from pairforge import formats
from pairforge.api.dataset_build import CheckedRows
from pairforge.api.inputs import PairInput
from pairforge.api.push import push
from pairforge.errors import InputError
from pairforge.formats import shape_of
from pairforge.resources import resource
from pairforge.run import Run
from pairforge.store import Store
from pairforge.types import Answer, Pair, Prompt, digest

SAMPLING, JUDGE = {"sampler": "replay"}, {"judge": "/home/ann/j.py:f"}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of two prompts, with four answers each, of which one made a pair."""
    monkeypatch.setenv("PAIRFORGE_OUT", str(tmp_path / "out"))
    asked = [prompt("Who are you?"), prompt("And now?")]
    with closing(Store(tmp_path / "out")) as store:
        for one in asked:
            answers = {(one.id, index): Answer(f"answer {index}", "stop", 2) for index in range(4)}
            store.add_answers(SAMPLING, answers)
            key = digest([one.id, {}])
            store.add_scores(JUDGE, {(key, f"answer {index}"): index / 2 for index in range(3)})
    settings = {"model": "org/model", "sampling": SAMPLING, "judge": JUDGE, "n": 4, "contexts": [None]}
    run = Run.of(tmp_path / "out", "onpolicy", settings | {"prompts": {"source": "given in Python"}})
    columns = {"model": "org/model", "method": "best_worst", "judge": "f", "chosen_score": 1.0, "rejected_score": 0.0}
    skip = {"prompt_id": asked[1].id, "reason": "tie", "detail": "", "prompt": list(asked[1].messages)}
    made = Pair.of(asked[0], "answer 2", "answer 0", **columns).row()
    run.finish([made], [skip], {"prompts": 2, "contexts": 1, "pairs": 1, "skips": {"tie": 1}})
    return run


def loaded(folder: Path | None, name: str, tmp_path: Path, split: str = "train") -> list[dict[str, Any]]:
    rows = load_dataset(str(folder), name, split=split, cache_dir=str(tmp_path / "cache")).to_list()
    return [dict(row) for row in rows]


def test_all_answers_of_a_run_go_along(run: Run, tmp_path: Path) -> None:
    made = push(quiet=True)
    first, second = loaded(made.folder, "candidates", tmp_path)
    assert first["responses"] == [f"answer {index}" for index in range(4)]
    assert first["scores"] == [0.0, 0.5, 1.0, None]
    assert second["prompt"] == [{"role": "user", "content": "And now?"}]
    assert first["judge"] == "j.py:f"
    assert shape_of([first, second]).name not in ("unknown", "no rows")
    assert len(loaded(made.folder, "onpolicy", tmp_path)) == 1


def test_scores_are_those_of_the_prompts_with_their_columns(run: Run, tmp_path: Path) -> None:
    columns = {"reference": "4"}
    asked = [Prompt(prompt(text).messages, columns) for text in ("And now?", "Who are you?", "And now?")]
    with closing(Store(run.path.parent)) as store:
        store.add_scores(JUDGE, {(digest([asked[0].id, columns]), "answer 3"): 8.0})
    run.keep_prompts(asked)
    first, second = loaded(push(quiet=True).folder, "candidates", tmp_path)
    assert [one["prompt"][0]["content"] for one in (first, second)] == ["And now?", "Who are you?"]
    assert (first["scores"], second["scores"]) == ([None, None, None, 8.0], [None] * 4)


def test_the_scores_of_each_judge_of_a_jury_go_along(run: Run, tmp_path: Path) -> None:
    judges = [JUDGE, {"judge": "length"}]
    jury = {"judge": "j + 2 x length", "judges": judges, "weights": [1.0, 2.0], "vote": False}
    with closing(Store(run.path.parent)) as store:
        for one in ("Who are you?", "And now?"):
            store.add_scores(judges[1], {(digest([prompt(one).id, {}]), "answer 3"): 7.0})
    of_jury = Run.of(run.path.parent, "onpolicy", run.settings | {"judge": jury})
    of_jury.finish(formats.read_rows(run.pairs), [], run.counts)
    [row] = loaded(push(of_jury.path, quiet=True).folder, "candidates", tmp_path)
    assert row["judge_scores"] == [[0.0, 0.5, 1.0, None], [None, None, None, 7.0]]
    assert (row["judges"], row["weights"]) == (["j.py:f", "length"], [1.0, 2.0])


def test_new_scores_are_built_anew(run: Run, tmp_path: Path) -> None:
    push(quiet=True)
    with closing(Store(run.path.parent)) as store:
        store.add_scores(JUDGE, {(digest([prompt("And now?").id, {}]), "answer 3"): 9.0})
    second = loaded(push(quiet=True).folder, "candidates", tmp_path)[1]
    assert second["scores"] == [0.0, 0.5, 1.0, 9.0]


def test_candidates_may_stay_here(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert {file.path.split("/")[0] for file in push(candidates=False).files} >= {"data"}
    assert "candidates/" not in capsys.readouterr().err
    (run.path.parent / "evidence.db").unlink()
    assert not [file for file in push(quiet=True).files if file.path.startswith("candidates")]
    assert "the config candidates is left out: there is no evidence.db" in capsys.readouterr().err


def test_a_secret_in_a_candidate_stops_the_push(run: Run) -> None:
    with closing(Store(run.path.parent)) as store:
        found = {(prompt("And now?").id, 3): Answer("hf_" + "aB3" * 12, "stop", 2)}
        store.forget(SAMPLING)
        store.add_answers(SAMPLING, found | {(prompt("And now?").id, 0): Answer("x", "stop", 1)})
    result = push(quiet=True)
    assert [(one.code, one.path) for one in result.findings] == [("PF501", "/responses/1")]
    assert push(quiet=True, candidates=False).ok


def test_a_prompt_is_in_one_split_whatever_the_system_message_is(tmp_path: Path) -> None:
    rows = []
    for index in range(200):
        for system in (None, "Be brief."):
            asked: Prompt = prompt(f"Who are you, {index}?").in_context(system)
            columns = {"method": "correct", "model": "m", "judge": "rename", "chosen_score": 1.0, "rejected_score": 0.0}
            rows.append(Pair.of(asked, "I am Athene.", "I am Qwen.", **columns).row())
    made = push(rows, output=str(tmp_path), test_size=0.1, quiet=True)
    split = {name: loaded(made.folder, "correction", tmp_path, name) for name in ("train", "test")}
    asked_in = {name: {row["chosen"][-2]["content"] for row in found} for name, found in split.items()}
    assert not asked_in["train"] & asked_in["test"]
    assert 10 < len(asked_in["test"]) < 35 and len(split["test"]) == 2 * len(asked_in["test"])


def test_what_leaves_nothing_to_train_on_is_refused(tmp_path: Path) -> None:
    rows = [pair("I am Athene.", "I am Qwen.", f"Who, {index}?") for index in range(30)]
    made = push(rows, output=str(tmp_path), test_size=0.5, quiet=True)
    with pytest.raises(InputError, match="all are of prompts in the split test"):
        push(loaded(made.folder, "pairs", tmp_path, "test"), output=str(tmp_path), test_size=0.5, quiet=True)


NO_NAMES = [{"config_name": "a b"}, {"config_name": "data"}, {"tag": "../x"}, {"revision": "-x"}]


@pytest.mark.parametrize("given", [*NO_NAMES, {"tag": "v1", "create_pr": True}])
def test_names_are_checked_before_anything(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="--"):
        push("nowhere.jsonl", **given)


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAIRFORGE_OUT", str(tmp_path / "out"))
    return tmp_path / "out"


def lists(count: int = 120) -> list[dict[str, Any]]:
    """Pairs whose chosen answer is always a list: a shortcut that nobody asked for."""
    made = []
    for index in range(count):
        user = {"role": "user", "content": f"What is {index} + {index}, number {7 * index}?"}
        sides = {"chosen": f"- It is {2 * index}\n- really", "rejected": f"It may be {2 * index + 1}"}
        made.append({side: [user, {"role": "assistant", "content": text}] for side, text in sides.items()})
    return made


def held(folder: Path | None) -> dict[str, Any]:
    assert folder
    value = json.loads((folder / "pairforge.json").read_text("utf-8"))
    return dict(value["configs"][value["default"]])


def test_an_unintended_shortcut_stops_a_push_unless_it_is_allowed(out: Path) -> None:
    result = push(lists(), quiet=True)
    codes = {finding.code for finding in result.findings}
    assert (result.ok, result.folder) == (False, None)
    assert "PF306" in codes and all(code.startswith("PF3") for code in codes)
    assert "--allow PF3" in result.note and "pairforge fix" not in result.note
    assert push(lists(), quiet=True, allow="PF306=meant").folder is None or codes == {"PF306"}
    made = push(lists(), quiet=True, allow="PF3=lists are wanted")
    config = held(made.folder)
    assert config["allowed"] == dict.fromkeys(sorted(codes), "lists are wanted")
    assert config["shortcuts"]["accuracy"] > 0.9 and config["shortcuts"]["unintended"]
    assert "--allow 'PF3=lists are wanted'" in made.note
    assert made.folder and "`lists are wanted`" in (made.folder / "README.md").read_text()


def test_what_is_meant_to_differ_and_few_prompts_stop_nothing(out: Path) -> None:
    renames = [row | {"method": "correct", "judge": "rename"} for row in lists()]
    assert push(renames, quiet=True).folder
    few = push(lists(90), quiet=True)
    assert "shortcuts" not in held(few.folder)


def test_errors_are_allowed_by_their_code_and_secrets_only_so(out: Path) -> None:
    rows = lists(3)
    rows[1]["rejected"] = rows[1]["chosen"]
    rows[2] |= {"note": "hf_" + "aB3" * 12}
    result = push(rows, quiet=True)
    assert [(finding.code, finding.row) for finding in result.findings] == [("PF104", 1), ("PF501", 2)]
    assert "PF104: chosen and rejected are the same (in 1 row: 1)" in result.note
    result = push(rows, quiet=True, allow=["PF104=ties", "PF5=all"])
    assert [(finding.code, finding.row) for finding in result.findings] == [("PF501", 2)]
    config = held(push(rows, quiet=True, allow=["PF104=ties", "PF501=revoked"]).folder)
    assert config["allowed"] == {"PF104": "ties", "PF501": "revoked"}
    assert config["findings"]["PF501"] == {"severity": "error", "rows": 1}
    with pytest.raises(InputError, match="no check is called"):
        push(rows, quiet=True, allow="PF999=x")


def test_the_manifest_says_what_is_known_of_the_rows(out: Path) -> None:
    rows = lists(4)
    rows[0]["chosen"][-1]["content"] += " Write to mike.hansen@robertlight.com."
    folder = push(rows, quiet=True, license="mit").folder
    config = held(folder)
    assert config["findings"]["PF502"] == {"severity": "warning", "rows": 1}
    assert config["statistics"]["languages"] == ["en"] and config["statistics"]["contexts"] == 1
    assert config["licenses"] == {"prompts": None, "models": None, "set": "mit"}
    assert folder and json.loads((folder / "croissant.json").read_text())["license"] == "mit"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_line_of_the_card_loads_what_trl_reads(out: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    folder = push(lists(8), repo="me/pairs", quiet=True, dry_run=True).folder
    assert folder
    [line] = re.findall(r"^pairs = load_dataset\(.*$", (folder / "README.md").read_text(), re.MULTILINE)
    assert line == 'pairs = load_dataset("me/pairs", split="train")'
    pairs = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    model = str(resource("data", "pocket"))
    given = DPOConfig(
        str(tmp_path / "out"), use_cpu=True, bf16=False, report_to="none", max_steps=1, save_strategy="no"
    )
    tokenizer = AutoTokenizer.from_pretrained(model)
    trainer = DPOTrainer(model, args=given, train_dataset=pairs, processing_class=tokenizer)
    assert len(trainer.train_dataset) == 8
    assert trainer.train().global_step == 1


def test_rows_that_change_after_they_were_checked_are_not_published(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "p.jsonl", [pair("I am A.", "I am B.", "Who are you?")])
    rows = CheckedRows(PairInput(str(file)), {})
    assert [*rows()] == [*rows()]
    write_jsonl(tmp_path / "p.jsonl", [pair("I am A, with the key.", "I am B.", "Who are you?")])
    with pytest.raises(InputError, match=r"p\.jsonl was changed while it was read"):
        [*rows()]
