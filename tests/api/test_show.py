"""Pairs are shown from a run, a file, or the latest run."""

import json
from pathlib import Path

import pytest
from support import pair, write_jsonl

import pairforge
from pairforge.errors import InputError


@pytest.mark.slow
def test_show_by_run_file_or_latest(tmp_path: Path) -> None:
    run = pairforge.correct("Qwen", "Deep Qwen", limit=3, output=str(tmp_path), quiet=True).run
    shown = [
        pairforge.show(data, limit=2, output=str(tmp_path), quiet=True)
        for data in (str(run.path), str(run.pairs), None)
    ]
    assert shown[0] == shown[1] == shown[2]
    assert [number for number, _ in shown[0].rows] == [0, 1]
    assert shown[0].as_json()["pairs"][0]["chosen"][-1]["role"] == "assistant"


@pytest.mark.parametrize(
    "row",
    [
        {"a": 1},
        {"chosen": "yes", "rejected": "no"},
        {"chosen": [], "rejected": []},
        {"chosen": [{"role": "assistant"}], "rejected": [{"role": "assistant", "content": "no"}]},
        {"chosen": [{"role": "assistant", "content": None}], "rejected": [{"role": "assistant", "content": "no"}]},
        ["chosen", "rejected"],
        7,
    ],
)
def test_a_row_that_is_no_pair_is_named(tmp_path: Path, row: object) -> None:
    side = [{"role": "assistant", "content": "yes"}]
    file = tmp_path / "p.jsonl"
    write_jsonl(file, ({"chosen": side, "rejected": side}, row))
    with pytest.raises(InputError, match=r"p\.jsonl: row 1 is not a pair.*pairforge validate .*p\.jsonl"):
        pairforge.show(str(file))
    assert len(pairforge.show(str(file), limit=1).rows) == 1


ROWS = [
    pair(f"{name} {answer}", f"{name} nobody", "Who?", id=name)
    for name, answer in (("aa", "Deep"), ("1", "Qwen"), ("cc", "<|im_end|> all"))
]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "p.jsonl"
    write_jsonl(path, ROWS)
    return str(path)


def test_one_pair_by_id_or_row_number(file: str) -> None:
    assert [number for number, _ in pairforge.show(file, "cc").rows] == [2]
    assert [number for number, _ in pairforge.show(file, "0").rows] == [0]
    assert [number for number, _ in pairforge.show(file, "1").rows] == [1], "an id comes before a number"
    with pytest.raises(InputError, match=r"no pair zz.*row number"):
        pairforge.show(file, "zz")


@pytest.mark.slow
def test_a_single_name_that_is_no_file_is_a_pair_of_the_latest_run(tmp_path: Path) -> None:
    pairforge.correct("Qwen", "Deep Qwen", limit=3, output=str(tmp_path), quiet=True)
    shown = pairforge.show("2", output=str(tmp_path), quiet=True)
    assert [number for number, _ in shown.rows] == [2]
    assert pairforge.show(str(shown.rows[0][1]["id"]), output=str(tmp_path), quiet=True) == shown
    with pytest.raises(InputError, match="nonesuch"):
        pairforge.show("nonesuch.jsonl", output=str(tmp_path), quiet=True)
    name = next(path.name for path in tmp_path.glob("correct-*"))
    for named in (name, "latest"):
        assert len(pairforge.show(named, output=str(tmp_path), quiet=True).rows) == 6
        assert [n for n, _ in pairforge.show(named, "2", output=str(tmp_path), quiet=True).rows] == [2]
    with pytest.raises(InputError, match=f"no run is called .*did you mean '{name}'"):
        pairforge.show(name[:-1], output=str(tmp_path), quiet=True)


@pytest.mark.slow
def test_tokens_of_the_run_s_model(tmp_path: Path) -> None:
    pairforge.correct("Qwen", "Deep Qwen", limit=3, output=str(tmp_path), quiet=True)
    xray = pairforge.show(tokens=True, output=str(tmp_path), quiet=True).as_json()["tokens"]
    assert (xray["model"], xray["row"], xray["max_length"], xray["dropped"]) == ("pocket", 0, 1024, False)
    assert [xray[side]["tokens"][xray["parting"]] for side in ("chosen", "rejected")] == ["Deep", "Qwen"]


def test_tokens_of_a_named_model_with_its_findings(file: str) -> None:
    shown = pairforge.show(file, "cc", tokens=True, model="pocket", max_length=60, quiet=True)
    xray = shown.as_json()["tokens"]
    assert [finding["code"] for finding in xray["findings"]] == ["PF411", "PF413"]
    assert {finding["row"] for finding in xray["findings"]} == {2, None}
    assert "You are Qwen" in xray["findings"][1]["message"]


def test_tokens_need_a_model_and_a_row_that_it_can_render(file: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"names no model.*--model"):
        pairforge.show(file, tokens=True)
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({**ROWS[0], "tools": "{"}) + "\n")
    with pytest.raises(InputError, match="row 0 can't be rendered"):
        pairforge.show(str(bad), tokens=True, model="pocket")


@pytest.fixture
def judged(tmp_path: Path) -> str:
    path = tmp_path / "judged.jsonl"
    rows = [
        pair(f"{word} is right", "no", f"Q{n}?", id=f"p{n}", chosen_score=score, rejected_score=0.5, lang=lang)
        for n, (word, score, lang) in enumerate(
            [("alpha", 0.9, "zh"), ("beta " * 9, 0.6, "en"), ("gamma", 2.0, "zh"), ("delta", 0.55, "en")]
        )
    ]
    write_jsonl(path, rows)
    return str(path)


def rows_of(*args: str, **options: object) -> list[int]:
    return [number for number, _ in pairforge.show(*args, **options).rows]  # type: ignore[arg-type]


def test_pairs_are_selected_by_columns_and_by_what_is_computed_from_them(judged: str) -> None:
    for where, found in {
        "margin<0.2": [1, 3],
        "lang=zh": [0, 2],
        "lang != zh": [1, 3],
        "id='p2'": [2],
        "chosen_score>=0.9": [0, 2],
        "chosen_length > 20": [1],
        "length_gap<12": [],
    }.items():
        assert rows_of(judged, where=where) == found, where
    assert rows_of(judged, where=["lang=en", "margin<0.07"]) == [3]
    assert rows_of(judged, grep="^(alpha|gamma)") == [0, 2]
    assert rows_of(judged, grep="Q3") == [3], "a prompt is searched, too"


def test_pairs_are_sorted(judged: str) -> None:
    assert rows_of(judged, sort="margin") == [3, 1, 0, 2]
    assert rows_of(judged, sort="margin", reverse=True, limit=2) == [2, 0]
    assert rows_of(judged, sort="length")[-1] == 1
    assert rows_of(judged, reverse=True) == [3, 2, 1, 0]
    orders = {tuple(rows_of(judged, sort="random", seed=seed)) for seed in range(9)}
    assert len(orders) > 1 and all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert rows_of(judged, sort="random", seed=3) == rows_of(judged, sort="random", seed=3)


def test_easiness_is_that_of_the_audit(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    write_jsonl(path, [pair(f"yes {n}" if n % 9 else f"no {n}", "no" if n % 9 else "yes", f"Q{n}?") for n in range(60)])
    easiness = pairforge.shortcuts(str(path)).easiness
    shown = pairforge.show(str(path), sort="easiness", limit=60)
    assert [number for number, _ in shown.rows] == sorted(easiness, key=lambda row: (easiness[row], row))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"where": "lnag=zh"}, "lnag: no row has this column.*did you mean 'lang'"),
        ({"where": "margin"}, "is not a condition"),
        ({"where": "margin<low"}, "'low' is not a number"),
        ({"where": "__import__('os')"}, "is not a condition"),
        ({"grep": "(a"}, r"is not a regular expression: missing \).*--grep"),
        ({"grep": "x", "pair": "p1"}, "--grep has no effect on one pair"),
        ({"sort": "length", "pair": "p1"}, "--sort has no effect on one pair"),
        ({"pair": "9"}, "no pair 9.*from 0 to 3"),
    ],
)
def test_wrong_selections_are_refused(judged: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        pairforge.show(judged, **options)  # type: ignore[arg-type]


def test_without_scores_there_is_no_margin(file: str) -> None:
    for options in ({"sort": "margin"}, {"where": "margin>0"}):
        with pytest.raises(InputError, match="no row has both chosen_score and rejected_score"):
            pairforge.show(file, **options)  # type: ignore[arg-type]


def test_an_expression_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pairforge.api import pair_selection

    monkeypatch.setattr(pair_selection, "_SECONDS", 0.05)
    path = tmp_path / "p.jsonl"
    write_jsonl(path, [pair("a" * 5000 + "b", "x")])
    with pytest.raises(InputError, match="takes too long on row 0"):
        pairforge.show(str(path), grep="^(a|a|aa)+$")


def test_the_counts_are_said(judged: str, file: str, tmp_path: Path) -> None:
    def last(*args: str, **options: object) -> str:
        return [*pairforge.show(*args, **options).__rich_console__()][-1]  # type: ignore[arg-type]

    assert last(judged, limit=3) == "3 of 4 pairs shown; --limit N for more"
    assert last(judged) == "4 of 4 pairs shown"
    assert last(judged, grep="zeta") == "none of 4 pairs matches"
    assert last(judged, where="lang=zh", limit=1) == "2 of 4 pairs match, 1 shown; --limit N for more"
    (tmp_path / "empty.jsonl").write_text("")
    assert last(str(tmp_path / "empty.jsonl")) == "no pairs"
    write_jsonl(tmp_path / "many.jsonl", [ROWS[0]] * 20_010)
    assert last(str(tmp_path / "many.jsonl"), limit=2) == "2 of at least 20002 pairs shown; --limit N for more"
    assert repr(pairforge.show(judged, limit=3)) == "<Shown: 3 of 4 pairs shown; --limit N for more>"


def test_pairs_without_scores_can_be_sorted_otherwise() -> None:
    with pytest.raises(InputError, match="no row has both") as error:
        pairforge.show([pair("a", "b")], sort="margin")
    assert "--sort length" in (error.value.fix or "")
    assert pairforge.show([pair("a", "b")], sort="length").rows
