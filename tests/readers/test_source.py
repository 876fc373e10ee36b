"""What may be named as pairs: files, folders, splits, the Hub, stdin."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from support import write_jsonl

from pairforge import formats
from pairforge.errors import InputError, OutsideError
from pairforge.formats import PAIRS
from pairforge.readers import read

ROWS = [{"prompt": f"q{n}", "chosen": "a", "rejected": "b"} for n in range(3)]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_jsonl(path, rows)


def test_missing_files_are_refused_by_name(tmp_path: Path) -> None:
    for name in ("none.jsonl", "data/none.jsonl", "a/b/c", "x"):
        with pytest.raises(InputError, match=Path(name).name):
            list(formats.rows(tmp_path / name))
    with pytest.raises(InputError, match=r"none\.jsonl"):
        list(formats.rows("data/none.jsonl"))


def test_a_folder_of_files_is_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    lines(tmp_path / "b.jsonl", ROWS[1:])
    lines(tmp_path / "a.jsonl", ROWS[:1])
    (tmp_path / "README.md").write_text("words")
    (tmp_path / "dataset_info.json").write_text("{}")
    assert list(formats.rows(tmp_path)) == ROWS
    lines(tmp_path / "hub" / "data" / "train-00000-of-00001.jsonl", ROWS)
    assert list(formats.rows(tmp_path / "hub")) == ROWS
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="without files of pairs"):
        list(formats.rows(tmp_path / "empty"))


def test_a_run_folder_is_its_pairs(tmp_path: Path) -> None:
    lines(tmp_path / "pairs.jsonl", ROWS)
    lines(tmp_path / "skips.jsonl", ROWS)
    assert list(formats.rows(tmp_path)) == ROWS


def test_splits_are_never_mixed_in_silence(tmp_path: Path) -> None:
    lines(tmp_path / "train-0.jsonl", ROWS[:1])
    lines(tmp_path / "train-1.jsonl", ROWS[1:2])
    lines(tmp_path / "test.jsonl", ROWS[2:])
    with pytest.raises(InputError, match="several splits: test, train") as raised:
        list(formats.rows(tmp_path))
    assert raised.value.fix == f"name one: {tmp_path}:test"
    assert list(formats.rows(f"{tmp_path}:train")) == ROWS[:2]
    assert list(formats.rows(f"{tmp_path}:test")) == ROWS[2:]
    with pytest.raises(InputError, match="no split 'eval'"):
        list(formats.rows(f"{tmp_path}:eval"))


def test_what_datasets_saves(tmp_path: Path) -> None:
    saved = datasets.Dataset.from_list(ROWS)
    saved.save_to_disk(str(tmp_path / "one"))
    assert list(formats.rows(tmp_path / "one")) == ROWS
    datasets.DatasetDict({"train": saved, "test": saved.select([1])}).save_to_disk(str(tmp_path / "both"))
    assert list(formats.rows(f"{tmp_path / 'both'}:test")) == ROWS[1:2]
    with pytest.raises(InputError, match="several splits: test, train"):
        list(formats.rows(tmp_path / "both"))


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert list(formats.rows("-")) == ROWS


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """What is asked of the Hub, where each data set has two splits."""
    monkeypatch.chdir(tmp_path)
    asked: list[tuple[Any, ...]] = []
    table = datasets.Dataset.from_list([*ROWS, {"prompt": "q", "chosen": None, "rejected": "b"}])

    def load(*names: str, revision: str | None, trust_remote_code: bool) -> datasets.DatasetDict:
        asked.append((*names, *filter(None, [revision]), trust_remote_code))
        return datasets.DatasetDict({"a" if names[0] == "org/no-train" else "train": table, "test": table.select([0])})

    monkeypatch.setattr(datasets, "load_dataset", load)
    return asked


def test_a_hub_data_set(hub: list[tuple[Any, ...]], tmp_path: Path) -> None:
    assert list(formats.rows("org/pairs")) == [*ROWS, {"prompt": "q", "rejected": "b"}]
    assert list(formats.rows(Path("org/pairs:test"))) == ROWS[:1]
    assert [where for where, _ in read("org/pairs:config:test", PAIRS)] == ["org/pairs:config:test:row 0"]
    with pytest.raises(InputError, match="org/pairs has no split 'dev': train, test"):
        list(formats.rows("org/pairs:dev"))
    with pytest.raises(InputError, match=r"org/no-train holds several splits: a, test \(name one: org/no-train:a\)"):
        list(formats.rows("org/no-train"))
    with pytest.raises(InputError, match=r"\(name one: org/no-train:config:a\)"):
        list(formats.rows("org/no-train:config:dev"))
    assert hub[1:4] == [("org/pairs", False), ("org/pairs", "config", False), ("org/pairs", False)]
    lines(tmp_path / "org" / "pairs", ROWS[:2])
    assert list(formats.rows("org/pairs")) == ROWS[:2], "what lies on the disk comes first"


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (ConnectionError("Couldn't\nreach"), OutsideError, "no file org/name here, .*Couldn't reach"),
        (datasets.exceptions.DatasetNotFoundError("doesn't exist"), InputError, "org/name on the Hub: doesn't exist"),
        (ValueError("Config name is missing"), InputError, "org/name on the Hub: Config .*org/name:config:split"),
        (RuntimeError("Dataset scripts are no longer supported"), InputError, "scripts are no longer supported"),
    ],
)
def test_what_the_hub_refuses_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception], says: str
) -> None:
    def load(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(kind, match=says) as caught:
        list(read("org/name", PAIRS))
    assert "\n" not in str(caught.value)


def test_a_path_is_not_taken_for_the_hub(hub: list[tuple[Any, ...]]) -> None:
    for missing in ("org/other.jsonl", "./other", "../other", Path("org/other"), "org/other/more", "org/a.csv.gz"):
        with pytest.raises(InputError, match="does not exist"):
            list(read(missing, PAIRS))
    assert not hub


def test_a_hub_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((InputError, OutsideError), match="org/nothing-of-that-name"):
        list(formats.rows("org/nothing-of-that-name"))
