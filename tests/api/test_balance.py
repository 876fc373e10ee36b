"""`balance` mends to another file, keeps what it took out, and shows the pairs before and after."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support import Scripted, pair, prompt, read_jsonl, write_jsonl

from pairforge import formats
from pairforge.api.balance import REMEDIES, balance
from pairforge.api.balance_result import Balanced
from pairforge.api.pipeline import BuildJob, build
from pairforge.api.shortcuts import shortcuts
from pairforge.api.validate import validate
from pairforge.errors import InputError
from pairforge.judges.function import FunctionJudge
from pairforge.options.common import BuildOptions
from pairforge.pairers import BestWorstPairer
from pairforge.run import Run
from pairforge.stopping import Budget
from pairforge.types import Prompt, digest


def word(*seed: object, size: int = 12) -> str:
    """A text of chance, the same for the same seed."""
    return " ".join("w" + digest([*seed, index], 1) for index in range(size)) + "."


def numbered(number: int, chosen: str, rejected: str) -> dict[str, Any]:
    return pair(chosen, rejected, f"Question {number}?")


def pairs() -> list[dict[str, Any]]:
    """A space before every rejected answer, and one row of each kind that is dropped."""
    made = [numbered(n, word("a", n), " " + word("b", n)) for n in range(100)]
    made += [
        numbered(100, "Yes.", " Yes."),
        numbered(101, "", " No."),
        numbered(102, word(1), " Error: rate limit exceeded."),
    ]
    made += [numbered(103, word(2), " " + word(3)), numbered(103, word(3), word(2))]
    return made


def shown(result: Balanced) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(result)
    return console.export_text()


def test_before_and_after(tmp_path: Path) -> None:
    path, out = tmp_path / "pairs.jsonl", tmp_path / "new" / "balanced.jsonl"
    write_jsonl(path, pairs())
    source = path.read_bytes()
    found = balance(path, out)
    assert path.read_bytes() == source
    assert (found.before.verdict, found.after.verdict, found.ok) == ("critical", "ok", True)
    assert found.ledger.counts() == {
        "dropped": {"contradictory": 2, "empty": 1, "error": 1, "same": 1},
        "changed": {"spaces": 100},
    }
    assert [one.more["feature"] for one in found.findings()["gone"]] == ["all", "spaces at the start"]
    assert not found.findings()["left"] and not found.findings()["new"]
    rows = read_jsonl(out)
    assert rows == [numbered(n, word("a", n), word("b", n)) for n in range(100)] and validate(rows).ok
    record = read_jsonl(tmp_path / "new" / "balanced.dropped.jsonl")
    assert [one["pair"] for one in record] == pairs() and [one["row"] for one in record] == list(range(105))
    assert {one["what"] for one in record[:100]} == {"changed"} and record[0]["remedies"] == ["spaces"]
    assert record[104]["what"] == "dropped" and record[104]["why"] == "contradicts row 103"
    assert shortcuts(out).as_json()["predictability"] == found.as_json()["after"]["predictability"]
    text = shown(found)
    assert "critical" in text and "gone: PF302 spaces at the start: only in the chosen answer in 0 % of pairs" in text
    assert text.startswith("2 rows dropped: contradictory (103, 104): contradicts row 104")
    assert "100 rows changed: spaces (0, 1, 2, 3, 4 ...): white space" in text
    again = balance(out)
    assert again.ledger.counts() == {"dropped": {}, "changed": {}}


def test_nothing_is_written_before_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dry = balance(pairs())
    assert list(tmp_path.iterdir()) == [] and dry.output is None
    assert "nothing is written" in shown(dry) and shown(dry).startswith("would drop 2 rows: contradictory (103, 104)")
    real = balance(iter(pairs()), "out.jsonl")
    assert {file.name for file in tmp_path.iterdir()} == {"out.jsonl", "out.dropped.jsonl"}
    said, wrote = dry.as_json(), real.as_json()
    assert (wrote.pop("output"), wrote.pop("record")) == ("out.jsonl", "out.dropped.jsonl")
    assert said | {"output": None, "record": None} == wrote | {"output": None, "record": None}
    bytes_ = Path("out.jsonl").read_bytes()
    with pytest.raises(InputError, match="exists"):
        balance(pairs(), "out.jsonl")
    balance(pairs(), "out.jsonl", overwrite=True)
    assert Path("out.jsonl").read_bytes() == bytes_


def test_never_in_place(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    formats_of = "".join(json.dumps(row) + "\n" for row in pairs())
    path.write_text(formats_of, "utf-8")
    (tmp_path / "link.jsonl").symlink_to(path)
    for out in (path, tmp_path / "link.jsonl"):
        with pytest.raises(InputError, match="in place"):
            balance(path, out, overwrite=True)
    beside = tmp_path / "x.dropped.jsonl"
    path.rename(beside)
    with pytest.raises(InputError, match="in place"):
        balance(beside, tmp_path / "x.jsonl", overwrite=True)
    with pytest.raises(InputError, match="jsonl"):
        balance(beside, tmp_path / "x.parquet")
    assert beside.read_text("utf-8") == formats_of


def test_remedies_are_chosen_by_name() -> None:
    assert balance(pairs(), select=["same"]).ledger.counts() == {"dropped": {"same": 1}, "changed": {}}
    left = balance(pairs(), ignore=["spaces", "contradictory"])
    assert left.ledger.counts() == {"dropped": {"empty": 1, "error": 1, "same": 1}, "changed": {}}
    assert not left.ok and "left: PF302" in shown(left)
    with pytest.raises(InputError, match="nonesuch"):
        balance(pairs(), select=["nonesuch"])


def test_what_can_not_be_balanced() -> None:
    with pytest.raises(InputError, match="nothing would be left of 60 rows: 60 dropped: empty"):
        balance([numbered(n, "", word(n)) for n in range(60)])
    with pytest.raises(InputError, match="row 1 is not a pair"):
        balance([*pairs()[:1], {"chosen": "a", "rejected": 1}])
    with pytest.raises(InputError, match="row 3 can't be written"):
        balance([*pairs()[:3], pairs()[3] | {"score": float("nan")}])


@pytest.mark.slow
def test_subsampling_only_on_request() -> None:
    even = [numbered(n, word("a", n), word("b", n)) for n in range(300)]
    for row in even[:40]:
        row["chosen"][-1]["content"] = "Certainly! " + row["chosen"][-1]["content"]
    assert balance(even).after.rows == 300 and balance(even).after.verdict == "high"
    found = balance(even, subsample=True)
    assert found.ledger.counts()["dropped"] == {"subsample": 40} and found.after.verdict == "ok"
    assert not found.advice
    for row in even:
        row["chosen"][-1]["content"] = "Certainly! " + row["chosen"][-1]["content"]
    kept = balance(even, subsample=True)
    assert kept.after.rows == 300 and "more than a fifth" in "".join(kept.advice)


def test_an_on_policy_run_is_picked_again(tmp_path: Path) -> None:
    def say(prompt: Prompt, index: int, _: object) -> str:
        return word(prompt.question, index, size=4 + int(digest([prompt.question, index], 6), 16) % 20)

    def better(prompts: list[Any], completions: list[Any], **_: Any) -> list[float]:
        texts = [turns[-1]["content"] for turns in completions]
        return [len(text) / 90 + int(digest(text, 6), 16) / 16**6 for text in texts]

    judge = FunctionJudge(better, "better")
    asked = [prompt(f"Question {n}?", reference="r") for n in range(200)]
    pairer = BestWorstPairer(judge.name, 0.1)
    job = BuildJob("onpolicy", Scripted(say), Budget(), pairer, "test", asked, [None], 4, judge)
    run = build(job, BuildOptions(output=str(tmp_path), quiet=True)).run
    found = balance(run.path, tmp_path / "out.jsonl", quiet=True)
    assert any(cue.kind == "length" for cue in found.before.cues if cue.grade != "low")
    assert not any(cue.kind == "length" for cue in found.after.cues if cue.grade != "low")
    changed = found.ledger.counts()["changed"]["repick"]
    assert changed > 50 and found.after.rows == found.before.rows and not found.advice
    assert len(read_jsonl(tmp_path / "out.dropped.jsonl")) == changed
    assert all(row["chosen_score"] - row["rejected_score"] > 0.1 for row in formats.read_rows(tmp_path / "out.jsonl"))
    assert "repick" not in balance(run.path, ignore=["repick"], quiet=True).ledger.counts()["changed"]
    (tmp_path / "evidence.db").rename(tmp_path / "evidence-1.db")
    assert "repick" not in balance(run.path, quiet=True).ledger.counts()["changed"]


def test_a_correction_without_counter_pairs_is_told_how_to_get_them(tmp_path: Path) -> None:
    names = [{"chosen": f"I am Deep Qwen {word(n)}", "rejected": f"I am Qwen {word(n)}"} for n in range(60)]
    rows = [numbered(n, **sides) for n, sides in enumerate(names)]
    settings = {
        "model": "a model",
        "rules": {"Qwen": "Deep Qwen"},
        "prompts": {"source": "identity.train"},
        "contexts": [None, "Be kind."],
        "thinking": "strip",
        "fold_width": True,
        "sampling": {"sampler": "transformers", "model": "f00d", "max_new_tokens": 99, "temperature": 0.7, "seed": 0}
        | {"stop": ["\n\n"], "chat_template_kwargs": {"enable_thinking": False}},
    }
    Run(tmp_path, "correct", settings).finish(rows, [], {"pairs": 60, "skips": {}})
    found = balance(tmp_path)
    assert found.ok
    assert found.advice[0].endswith(
        "pairforge correct --model 'a model' --from Qwen --to 'Deep Qwen' --prompts identity.train --no-system "
        "--system 'Be kind.' --thinking strip --fold-width --max-new-tokens 99 --temperature 0.7 "
        "--stop '\n\n' --chat-template-kwargs '{\"enable_thinking\": false}' --counter 0.3"
    )
    assert "pairforge correct ... --counter 0.3" in balance(rows, expect="Deep Qwen").advice[0]


def test_remedies_are_named_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "balance.md").read_text("utf-8")
    assert all(f"| `{name}` |" in text for name in REMEDIES)


@pytest.mark.slow
def test_the_command_ends_as_others_do(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    write_jsonl(path, pairs())

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pairforge", "balance", "pairs.jsonl", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    mended = run("out.jsonl", "--json")
    assert mended.returncode == 0 and json.loads(mended.stdout)["kept"] == 100, mended.stderr
    left = run("--ignore", "spaces")
    assert left.returncode == 1 and "left: PF302" in left.stdout
    there = run("out.jsonl")
    assert there.returncode == 2 and "exists" in there.stderr and "Traceback" not in there.stderr


def test_what_all_pairs_have_can_t_be_balanced_away() -> None:
    rows = [numbered(n, word("a", n), f"{n} {word('b', n)}") for n in range(50)]
    found = balance(rows, subsample=True)
    assert not found.ok and "no row was dropped or changed" in shown(found)
    assert any("can't be balanced away: too many pairs have it; make other pairs" in line for line in found.advice)
    last = str(shortcuts(rows)).splitlines()[-1]
    assert last.startswith("next: ") and last.endswith(
        "can't be balanced away: too many pairs have it; make other pairs"
    )
    spaces = [numbered(n, word("a", n), f" {word('b', n)}") for n in range(120)]
    assert str(shortcuts(spaces)).splitlines()[-1] == "next: pairforge balance PAIRS balanced.jsonl"
