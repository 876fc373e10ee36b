"""Which library runs a local model."""

from __future__ import annotations

import pytest

from pairforge.samplers import backends
from pairforge.samplers.backends import pick_backend, sampler_class
from pairforge.samplers.openvino import OpenVinoSampler
from pairforge.samplers.transformers import TransformersSampler
from pairforge.samplers.vllm import VllmSampler


@pytest.mark.parametrize(
    ("name", "model", "device", "installed", "gpu", "found"),
    [
        ("auto", "org/m", "auto", True, True, "vllm"),
        ("auto", "org/m", "cuda", True, True, "vllm"),
        ("auto", "org/m", "auto", True, False, "transformers"),
        ("auto", "org/m", "auto", False, True, "transformers"),
        ("auto", "org/m", "cuda:1", True, True, "transformers"),
        ("auto", "pocket", "auto", True, True, "transformers"),
        ("transformers", "org/m", "auto", True, True, "transformers"),
        ("openvino", "org/m", "auto", True, True, "openvino"),
    ],
)
def test_vllm_is_taken_on_a_gpu_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, name: str, model: str, device: str, installed: bool, gpu: bool, found: str
) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: name if installed else None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    assert pick_backend(name, model, device) == found


def test_each_backend_has_a_sampler() -> None:
    found = [sampler_class(name) for name in ("transformers", "vllm", "openvino")]
    assert found == [TransformersSampler, VllmSampler, OpenVinoSampler]
