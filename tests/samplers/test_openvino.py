"""OpenVINO: a model is converted once, and answers as through transformers."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pairforge.errors import InputError
from pairforge.resources import resource
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.openvino import OpenVinoSampler
from pairforge.samplers.transformers import TransformersSampler
from pairforge.types import Prompt

# It is not imported here: a report of its use would go to its makers.
pytestmark = pytest.mark.skipif(
    find_spec("openvino_genai") is None, reason="OpenVINO is not installed: pip install 'pairforge[openvino]'"
)
PROMPTS = [Prompt(({"role": "user", "content": text},)) for text in ("What is your name?", "Who made you?", "Hello!")]


def answers(sampler: Any, prompts: list[Prompt] = PROMPTS, n: int = 1) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for batch in sampler.sample(prompts, n, found):
        found |= batch
    return found


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setattr("huggingface_hub.constants.HF_HOME", str(folder))
        yield folder


@pytest.fixture
def model(tmp_path: Path) -> str:
    """The pocket model, the end token of which only generation_config.json names."""
    folder = Path(shutil.copytree(resource("data", "pocket"), tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"eos_token_id": None}))
    return str(folder)


@pytest.mark.slow
def test_greedy_answers_are_those_of_transformers_and_drawn_ones_go_by_their_seeds(cache: Path, model: str) -> None:
    greedy = OpenVinoSampler(model, Decoding(max_new_tokens=24))
    assert answers(greedy) == answers(TransformersSampler("pocket", Decoding(max_new_tokens=24)))
    (converted,) = cache.glob("pairforge/openvino-*")
    written = (converted / "openvino_model.bin").stat()
    drawn = greedy.with_decoding(temperature=1.0, top_k=50, min_p=0.01)
    alone, together = answers(drawn, PROMPTS[:1], 2), answers(drawn, PROMPTS[::-1], 2)
    assert alone.items() <= together.items() and len({answer.text for answer in together.values()}) > 2
    stopped = answers(greedy.with_decoding(stop="Qwen"), PROMPTS[:1])
    assert [(answer.text, answer.finish) for answer in stopped.values()] == [("I am", "stop")]
    stream = drawn.sample(PROMPTS, 3, ())
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    cut = answers(OpenVinoSampler(model, Decoding(max_new_tokens=2)))
    assert {(answer.finish, answer.tokens) for answer in cut.values()} == {("length", 2)}
    assert (converted / "openvino_model.bin").stat() == written
    assert sys.modules["openvino_telemetry"] is None  # type: ignore[comparison-overlap]


def test_the_key_of_the_store_names_the_backend() -> None:
    assert OpenVinoSampler("pocket").settings() == TransformersSampler("pocket").settings() | {"sampler": "openvino"}


def test_another_device_is_refused() -> None:
    with pytest.raises(InputError, match="--device meta"):
        OpenVinoSampler("pocket", device="meta")
