"""croissant.json: valid for the reference library, true to the manifest, and without what is not known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pairforge.hub import croissant
from pairforge.hub.manifest import DataConfig, DataFile, DataSplit, Manifest

FILE = DataFile("correction/train-00000-of-00001.parquet", 3, 100, "0" * 64)
BARE = DataConfig("pairs", 3, "a" * 64, {"train": DataSplit(3, (FILE,))})
MADE = DataConfig(
    "pairs",
    3,
    "a" * 64,
    {"train": DataSplit(3, (FILE,))},
    run="correct-1",
    command="correct",
    settings={"prompts": {"source": "identity.train"}, "rules": {"Qwen": "Deep Qwen"}},
    counts={"prompts": 4, "pairs": 3, "skips": {"cut_off": 1}},
    models=({"name": "org/model", "revision": "abc"},),
    judges=("rename",),
    methods=("correct",),
    licenses={"set": "apache-2.0"},
    statistics={"languages": ("en", "zh")},
    findings={"PF502": {"severity": "warning", "rows": 2}, "PF302": {"severity": "error", "rows": 0}},
    allowed={"PF302": "lists are meant"},
    shortcuts={"accuracy": 0.8, "prompts": 300, "unintended": ("more lists",)},
)


def made(config: DataConfig = MADE) -> dict[str, Any]:
    return dict(json.loads(croissant.text(Manifest({"correction": config}, "correction"), "me/pairs")))


def test_it_says_where_the_pairs_come_from_and_what_is_known_of_them() -> None:
    value = made()
    labels = [one["prov:label"] for one in value["prov:wasDerivedFrom"]]
    assert labels == ["prompts: identity.train", "model: org/model@abc"]
    assert value["prov:wasGeneratedBy"]["prov:label"] == "pairforge correct"
    assert (value["license"], value["inLanguage"]) == ("apache-2.0", ["en", "zh"])
    [file] = value["distribution"]
    assert (file["contentUrl"], file["sha256"], file["contentSize"]) == (FILE.path, FILE.sha256, "100 B")
    assert value["rai:machineAnnotationTools"] == ["rename"]
    assert value["rai:dataBiases"] == ["more lists"]
    assert value["rai:dataCollectionMissingData"] == 'Prompts without a pair, by reason: {"cut_off": 1}'
    assert value["rai:dataManipulationProtocol"] == 'Replaced in the answers: {"Qwen": "Deep Qwen"}'
    assert value["rai:dataLimitations"] == [
        "PF302 (error): the set as a whole",
        "PF502 (warning): 2 rows",
        "PF302 was allowed: lists are meant",
    ]
    assert value["rai:personalSensitiveInformation"] == ["2 rows with what looks like e-mail addresses"]


def test_what_is_not_known_is_left_out() -> None:
    assert {name for name in made(BARE) if name.startswith(("rai:", "prov:"))} == {"rai:dataUseCases"}
    assert not {"license", "inLanguage"} & {*made(BARE)}
    assert croissant.text(Manifest({"a": MADE}, "a")) == croissant.text(Manifest({"a": MADE}, "a"))


@pytest.mark.parametrize("config", [MADE, BARE], ids=["made", "bare"])
@pytest.mark.filterwarnings("default")
def test_the_reference_library_reads_it(config: DataConfig, tmp_path: Path) -> None:
    library = pytest.importorskip("mlcroissant")
    file = tmp_path / croissant.FILE
    file.write_text(croissant.text(Manifest({"correction": config}, "correction"), "me/pairs"))
    metadata = library.Dataset(str(file)).metadata
    assert not metadata.ctx.issues.errors
    assert metadata.distribution[0].content_url == FILE.path
    assert metadata.data_use_cases == ["Preference optimization, such as DPO"]
    assert metadata.machine_annotation_tools == (["rename"] if config is MADE else None)


def test_texts_from_outside_are_json_and_nothing_else() -> None:
    hostile = 'x"}</script><img src=x onerror=alert(1)>\n@id'
    text = croissant.text(Manifest({"a": DataConfig(**{**vars(MADE), "judges": (hostile,)})}, "a"))
    assert json.loads(text)["rai:machineAnnotationTools"] == [hostile]
    assert "\n@id" not in text
