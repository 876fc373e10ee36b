"""What a user names as pairs: where there is no run, none is made unasked; what can be read once is read again."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pairforge
from pairforge.api import correct
from pairforge.api.inputs import PairInput, check_output, find_run, run_folder
from pairforge.errors import InputError
from pairforge.run import Run
from pairforge.types import Skip

PAIR = {
    side: [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}]
    for side, text in (("chosen", "good"), ("rejected", "bad"))
}
HH = {"chosen": "\n\nHuman: q\n\nAssistant: good", "rejected": "\n\nHuman: q\n\nAssistant: bad"}


@pytest.mark.parametrize(
    "call",
    [
        pairforge.show,
        pairforge.validate,
        pairforge.shortcuts,
        pairforge.read_pairs,
        pairforge.latest_run,
        pairforge.pairs_file,
        partial(pairforge.balance, None),
        partial(pairforge.convert, None, "out.jsonl"),
    ],
)
def test_in_a_folder_without_runs_that_is_said_and_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PAIRFORGE_OUT", raising=False)
    with pytest.raises(InputError, match=r'no run under pairforge-out.*pairforge correct --from Qwen --to "Deep Qwen"'):
        call()
    assert not list(tmp_path.iterdir())


def test_push_makes_the_default_run_and_says_so_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(correct, "correct", partial(correct.correct, limit=2))
    result = pairforge.push(output=str(tmp_path))
    assert result.ok and result.folder and result.folder.parent.parent == tmp_path
    said = capsys.readouterr().err
    assert said.startswith(f"no run under {tmp_path}: making one with pairforge correct")
    assert pairforge.default_run(str(tmp_path)) == result.folder.parent, "made once"


def test_a_run_is_named_by_folder_file_name_or_latest(tmp_path: Path) -> None:
    def made(name: str, pairs: int, seconds: int) -> Path:
        run = Run(tmp_path / name, "correct", {"model": "pocket"})
        run.path.mkdir()
        run.finish([PAIR] * pairs, [], {"pairs": pairs, "skips": {}})
        os.utime(run.path / "run.json", (seconds, seconds))
        return run.path

    old, new = made("correct-old", 1, 10), made("correct-new", 1, 20)
    empty, out = made("correct-empty", 0, 30), str(tmp_path)
    for name in (str(new), f"{new}/pairs.jsonl", "correct-new", "latest", "latest~0"):
        assert run_folder(name, out) == new
        assert pairforge.pairs_file(name, out) == new / "pairs.jsonl"
    assert run_folder("latest~1", out) == old
    assert run_folder("correct-empty", out) == empty, "a run without pairs is never the latest"
    assert find_run("org/name", out) is None
    Run.load(old).give_name("first-try")
    assert run_folder("first-try", out) == old and PairInput("first-try", out).path == old / "pairs.jsonl"
    with pytest.raises(InputError, match="did you mean 'first-try'"):
        PairInput("frist-try", out)
    with pytest.raises(InputError, match="did you mean 'correct-new'"):
        run_folder("corect-new", out)
    with pytest.raises(InputError, match="no run latest~2"):
        run_folder("latest~2", out)


def test_foreign_rows_come_as_pairs_from_a_file_and_from_a_list(tmp_path: Path) -> None:
    file = tmp_path / "hh.jsonl"
    file.write_text(json.dumps(HH) + "\n")
    for data in (file, str(file), [HH], iter([HH])):
        assert list(PairInput(data)) == [PAIR]


def test_the_first_row_that_can_t_be_read_is_an_error_and_otherwise_a_skip(tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl"
    file.write_text(json.dumps(PAIR) + '\n{"chosen": [')
    row, skip = PairInput(file).raw()
    assert row == PAIR and isinstance(skip, Skip)
    with pytest.raises(InputError, match=r"cut.jsonl:2: incomplete JSON"):
        list(PairInput(file))


def test_an_iterator_and_stdin_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def once() -> Iterator[dict[str, Any]]:
        yield from (HH, HH)

    line = json.dumps(HH).encode() + b"\n"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(2 * line))))  # type: ignore[arg-type]
    for data in (once(), "-"):
        with PairInput(data) as pairs:
            assert [list(pairs), list(pairs), list(pairs.raw())] == [[PAIR, PAIR], [PAIR, PAIR], [HH, HH]]


def test_a_run_knows_its_new_names(tmp_path: Path) -> None:
    made = pairforge.correct("Qwen", "Deep Qwen", limit=2, output=str(tmp_path), quiet=True)
    for data in (made.run.path, made.run.pairs, None):
        given = PairInput(data, str(tmp_path), quiet=True)
        assert given.new_names == ["Deep Qwen"] and given.run and given.run.path == made.run.path
    assert PairInput([PAIR]).run is None and PairInput([PAIR]).new_names == []


@pytest.mark.parametrize(
    "part", [{"rules": {"a": ["x"]}}, {"fill": {"a": {}}}, {"persona": {}}, {"persona": {"names": 3}}]
)
def test_the_names_of_a_run_that_somebody_gave_are_texts(tmp_path: Path, part: dict[str, Any]) -> None:
    run = Run.of(tmp_path, "correct", {"model": "m", **part})
    run.finish([PAIR], [], {"prompts": 1, "pairs": 1, "skips": {}})
    assert PairInput(run.pairs).new_names == []


def test_where_a_file_may_be_written(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    file.write_text(json.dumps(PAIR) + "\n")
    folder.mkdir()
    source = PairInput(file)
    for path, says in ((tmp_path / "a.txt", "must end in .jsonl"), (folder, "is a folder"), (file, "in place")):
        with pytest.raises(InputError, match=says):
            check_output(path, (".jsonl",), source, overwrite=True)
    with pytest.raises(InputError, match=r"exists .*--overwrite"):
        check_output(file, (".jsonl",))
    with pytest.raises(InputError, match=r"exists \(name another file\)"):
        check_output(file, (".jsonl",), overwrite=None)
    assert check_output(tmp_path / "new.jsonl", (".jsonl",), source) == tmp_path / "new.jsonl"


def test_the_note_on_the_latest_run_says_where_a_later_one_has_no_pairs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, pairs, seconds in (("correct-full", 1, 10), ("correct-empty", 0, 20)):
        run = Run(tmp_path / name, "correct", {"model": "pocket"})
        run.finish([PAIR] * pairs, [], {"pairs": pairs, "skips": {}})
        os.utime(run.path / "run.json", (seconds, seconds))
    pairforge.latest_run(str(tmp_path))
    said = capsys.readouterr().err
    assert said == (
        f"using the latest run with pairs: {tmp_path}/correct-full (correct-empty was made later and has 0 pairs)\n"
    )
    with pytest.raises(InputError, match=f"without files of pairs .*give {tmp_path}/correct-full, the latest"):
        pairforge.pairs_file(tmp_path)
    (tmp_path / "more.jsonl").write_text(json.dumps(PAIR) + "\n")
    assert pairforge.pairs_file(tmp_path) == tmp_path
    for split in ("train", "test"):
        shutil.copy(tmp_path / "more.jsonl", tmp_path / f"{split}.jsonl")
    with pytest.raises(InputError, match=rf"several splits.*name one: {tmp_path}:test"):
        pairforge.read_pairs(tmp_path)
    assert pairforge.pairs_file("x" * 5000) == Path("x" * 5000), "no file has so long a name, and none is looked into"
    shutil.rmtree(tmp_path / "correct-full")
    with pytest.raises(InputError, match=r"has pairs: correct-empty, the latest, has 0.*runs show correct-empty"):
        pairforge.latest_run(str(tmp_path))


def test_a_run_that_stopped_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/pairforge", "correct", "--to", "X"])
    with pytest.raises(KeyboardInterrupt), Run(tmp_path / "correct-0123456789", "correct", {}).lock():
        raise KeyboardInterrupt
    with pytest.raises(InputError, match=r"stopped before it had pairs \(pairforge correct --to X\)"):
        PairInput("correct-0123456789", str(tmp_path))


def test_the_questions_of_a_run_are_prompts_and_what_must_not_be_trained_on(tmp_path: Path) -> None:
    made = pairforge.correct("Qwen", "Deep Qwen", limit=2, no_system=True, output=str(tmp_path), quiet=True, name="one")
    asked = pairforge.sample("one", n=1, output=str(tmp_path), quiet=True, replay="one")
    assert [item.prompt.question for item in asked if item.prompt] == [
        row["chosen"][0]["content"] for row in made.rows()
    ]
    found = pairforge.validate("one", against="one", output=str(tmp_path), quiet=True)
    assert found.counts["PF209"] == 2
    with pytest.raises(InputError, match=r"--replay on is neither a run nor a file \(did you mean 'one'"):
        pairforge.sample("one", replay="on", output=str(tmp_path))
