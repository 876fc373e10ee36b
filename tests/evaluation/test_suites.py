"""Outside suites: what is read of the harness's results, and what is said where it can't be asked."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import pairforge
from pairforge.errors import InputError, OutsideError
from pairforge.evaluation.suites import check_suites, outcomes_of, suite_outcomes
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.transformers import TransformersSampler
from pairforge.store import Store

TASK = """
task: sums
dataset_path: json
dataset_kwargs: {data_files: FILE}
test_split: train
output_type: generate_until
doc_to_text: "{{prompt}}"
doc_to_target: "{{target}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 16}
filter_list:
  - {name: number, filter: [{function: regex, regex_pattern: "(-?[0-9]+)\\\\D*$"}, {function: take_first}]}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
"""


def test_metrics_of_0_and_1_are_read_document_by_document() -> None:
    rows = [
        {"doc_id": number, "filter": filter_, "exact_match": float(number % 2), "metrics": ["exact_match"]}
        for filter_ in ("strict-match", "flexible")
        for number in range(3)
    ]
    chosen = [{"doc_id": 0, "filter": "none", "acc": 1.0, "bleu": 0.4, "per_word": [True]}]
    figures = {"alias": "x", "sample_len": 3, "exact_match,strict-match": 0.3, "exact_match_stderr,strict-match": "N/A"}
    results: dict[str, Any] = {
        "results": {"gsm8k": figures, "a/b": {"acc,none": 1.0, "bleu,none": 0.4, "per_word,none": 1.0}, "group": {}},
        "samples": {"gsm8k": rows, "a/b": chosen},
    }
    assert outcomes_of(results) == {
        "gsm8k exact_match strict-match": {"0": 0.0, "1": 1.0, "2": 0.0},
        "a-b acc": {"0": 1.0},
    }


def test_without_the_harness_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    check_suites([])
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    monkeypatch.setattr("pairforge.evaluation.suites.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--suite ifeval is asked by lm-evaluation-harness, which is not installed"):
        check_suites(["ifeval"])


def test_a_server_is_not_asked_by_a_suite(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--suite needs a model that is loaded here"):
        pairforge.evaluate("m", base_url="http://127.0.0.1:1", suite="ifeval", from_="A", to="B", output=str(tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("lm_eval") is None, reason="lm-evaluation-harness is not installed")
def test_the_harness_itself_asks_and_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, task = tmp_path / "sums.jsonl", tmp_path / "sums.yaml"
    data.write_text("".join(json.dumps({"prompt": f"What is {n} + 5?", "target": str(n + 5)}) + "\n" for n in range(9)))
    task.write_text(TASK.replace("FILE", str(data)))
    check_suites([str(task)])
    with pytest.raises(InputError, match=r"no such task .*did you mean 'gsm8k'"):
        check_suites(["gsm8kk"])
    with pytest.raises(OutsideError, match="can't run"):
        check_suites(["gsm8k"])
    sampler = TransformersSampler("pocket", Decoding())
    with closing(Store(tmp_path)) as store:
        found = suite_outcomes(sampler, [str(task)], 6, store)
        assert [*found] == ["sums exact_match number"] and len(found["sums exact_match number"]) == 6
        assert sum(map(bool, found["sums exact_match number"].values())) >= 4
        monkeypatch.setattr("pairforge.evaluation.suites._run", None)
        assert suite_outcomes(sampler, [str(task)], 6, store) == found
