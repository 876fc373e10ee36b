"""What the machine offers: types by device, threads by quota, rows by memory."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from pairforge.errors import InputError
from pairforge.samplers import hardware
from pairforge.samplers.decoding import Decoding
from pairforge.samplers.hardware import (
    BatchSizer,
    cores,
    has_fast_bfloat16,
    pick_device,
    pick_dtype,
    thread_note,
    threads,
    usable_processors,
)
from pairforge.samplers.model_loading import load_model
from pairforge.samplers.transformers import TransformersSampler


def test_the_dtype_follows_the_device_unless_said(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, cuda, mps = (torch.device(name) for name in ("cpu", "cuda", "mps"))
    for bfloat16 in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, found=bfloat16: found)
        assert pick_dtype("auto", cuda, torch.float32) is (torch.bfloat16 if bfloat16 else torch.float16)
    assert {pick_dtype("auto", cpu, saved) for saved in (None, torch.float32, torch.bfloat16)} == {torch.float32}
    for fast in (True, False):
        monkeypatch.setattr(hardware, "has_fast_bfloat16", lambda found=fast: found)
        assert pick_dtype("auto", cpu, torch.float32, 135_000_000) is (torch.bfloat16 if fast else torch.float32)
        assert pick_dtype("auto", cpu, torch.bfloat16, 2_700_000) is torch.float32
    assert pick_dtype("auto", mps, torch.bfloat16) is torch.float16
    assert pick_dtype("auto", mps, torch.float32) is torch.float32
    assert pick_dtype("bfloat16", cpu, None) is torch.bfloat16
    with pytest.raises(InputError, match="--dtype int8"):
        pick_dtype("int8", cpu, None)


def test_a_device_that_is_not_there_gets_one_line() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    for name in ("gpu", "cuda:99"):
        with pytest.raises(InputError, match=f"--device {name}") as caught:
            pick_device(name)
        assert "\n" not in str(caught.value)


def test_a_model_is_loaded_as_told() -> None:
    sampler = TransformersSampler(decoding=Decoding(max_new_tokens=4), dtype="bfloat16", device="cpu")
    assert sampler.local.model.dtype is torch.bfloat16
    assert sampler.settings()["dtype"] == "bfloat16"
    assert TransformersSampler().local.model.dtype is torch.float32


def test_a_cpu_is_fast_in_bfloat16_by_its_flags(tmp_path: Path) -> None:
    assert not hardware.has_fast_bfloat16(tmp_path)
    for others in ("flags: fpu avx2 avx512f avx512_vnni", "Features: asimd bf16 i8mm"):
        write(tmp_path, {"proc/cpuinfo": f"processor: 0\n{others}\n"})
        assert not hardware.has_fast_bfloat16(tmp_path)
    for its in ("avx512_vnni avx512_bf16", "avx512_bf16 amx_bf16 amx_tile", "amx_bf16 amx_tile"):
        write(tmp_path, {"proc/cpuinfo": f"processor: 0\nflags: fpu avx512f {its}\n"})
        assert hardware.has_fast_bfloat16(tmp_path)


def test_the_size_of_a_model_follows_from_its_config() -> None:
    model = TransformersSampler().local.model
    assert 0.8 < hardware.parameters(model.config) / model.num_parameters() < 1.25


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


V1 = "sys/fs/cgroup/cpu/"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "20000 100000\n"}, 1),
        # The group above grants less.
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/cpu.max": "600000 100000\n",
                "sys/fs/cgroup/a/cpu.max": "300000 100000\n",
            },
            3,
        ),
        # The first version of control groups; in a container, by a path of the host's that isn't there.
        (
            {
                "proc/self/cgroup": "5:memory:/x\n4:cpu,cpuacct:/docker/1\n",
                f"{V1}cpu.cfs_quota_us": "400000",
                f"{V1}cpu.cfs_period_us": "100000",
            },
            4,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/\n",
                f"{V1}cpu.cfs_quota_us": "-1",
                f"{V1}cpu.cfs_period_us": "100000",
            },
            8,
        ),
        # Two threads a core.
        ({f"sys/devices/system/cpu/cpu{n}/topology/thread_siblings_list": f"{n % 4},{n % 4 + 4}" for n in range(8)}, 4),
    ],
)
def test_cores_are_those_that_the_process_may_use(
    files: dict[str, str], found: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    write(tmp_path, files)
    assert cores(tmp_path) == found
    two_threads = any(name.endswith("thread_siblings_list") for name in files)
    assert usable_processors(tmp_path) == (2 * found if two_threads else found)


@pytest.fixture
def three_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(hardware, "cores", lambda: 3)
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path))
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def slow_with(threads: int, parameters: int = 10**9, device: str = "cpu") -> Any:
    """A model on whose forward pass the clock stands still, but with so many threads."""

    def forward(input_ids: torch.Tensor) -> None:
        if torch.get_num_threads() == threads:
            hardware.time.now += 1.0  # type: ignore[attr-defined]
        hardware.time.now += 0.1  # type: ignore[attr-defined]

    model = Mock(side_effect=forward, device=torch.device(device), spec=["__call__", "device", "num_parameters"])
    model.num_parameters = lambda: parameters
    return model


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    found = SimpleNamespace(now=0.0, time=time.time)
    found.monotonic = lambda: found.now
    monkeypatch.setattr(hardware, "time", found)
    return found


def during(model: Any) -> int:
    with threads(model):
        return int(torch.get_num_threads())


@pytest.mark.usefixtures("three_cores", "clock")
def test_the_faster_number_of_threads_is_set_for_the_time_of_a_batch() -> None:
    assert during(slow_with(3, parameters=10**9)) == 1
    assert during(slow_with(1, parameters=2 * 10**9)) == 3
    assert during(slow_with(1, parameters=10**6)) == 1
    assert during(slow_with(1, device="cuda")) == 4
    assert torch.get_num_threads() == 4
    assert str(thread_note(slow_with(3))).startswith("one thread is used, as 3 were slower")
    assert thread_note(slow_with(1, parameters=2 * 10**9)) is None
    assert thread_note(slow_with(1, parameters=10**6)) is None


@pytest.mark.usefixtures("three_cores", "clock")
def test_a_measured_number_of_threads_is_kept_for_a_day(tmp_path: Path) -> None:
    first, again, later = slow_with(3), slow_with(1), slow_with(1)
    assert (during(first), during(first), during(again)) == (1, 1, 1)
    assert again.call_count == 0 < first.call_count
    (kept,) = tmp_path.glob("pairforge/*.json")
    os.utime(kept, (0, 0))
    assert during(later) == 3
    kept.write_text("[]")
    assert during(slow_with(3)) == 1


@pytest.mark.usefixtures("three_cores", "clock")
def test_a_number_of_threads_that_the_user_has_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(2)
    model = slow_with(2)
    assert during(model) == 2 and thread_note(model) is None
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    torch.set_num_threads(4)
    assert during(slow_with(4)) == 4 and thread_note(slow_with(4)) is None
    assert not model.call_count


def test_measuring_threads_takes_no_random_numbers() -> None:
    layer = torch.nn.Dropout(0.5)
    state = torch.random.get_rng_state()
    hardware._faster(lambda input_ids: layer(input_ids.float()), 1 + torch.get_num_threads())
    assert torch.equal(state, torch.random.get_rng_state())


def model_on(device: str, **config: Any) -> Any:
    values = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 1000, **config}
    text = SimpleNamespace(**values)
    return SimpleNamespace(
        device=torch.device(device), dtype=torch.float16, config=SimpleNamespace(get_text_config=lambda decoder: text)
    )


def test_rows_follow_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_free_memory", lambda device: 100_000_000)
    rows = [BatchSizer.of(model_on("cuda"), None).rows_of(length) for length in (10, 1000, 10_000, 10_000_000)]
    assert rows[0] == 256 and rows == sorted(rows, reverse=True) and rows[2] > 1 and rows[-1] == 1
    grouped = BatchSizer.of(model_on("cuda", num_key_value_heads=1, intermediate_size=64), None)
    assert grouped.rows_of(10_000) > rows[2]
    # What else takes a little memory at the moment makes no other batches.
    monkeypatch.setattr(hardware, "_free_memory", lambda device: 90_000_000)
    assert [BatchSizer.of(model_on("cuda"), None).rows_of(length) for length in (10, 1000, 10_000, 10_000_000)] == rows


def test_without_known_memory_rows_are_a_number() -> None:
    assert BatchSizer.of(model_on("cpu"), None).rows_of(10**9) == 64
    heads = {"num_attention_heads": 14, "num_key_value_heads": 2}
    middle = {"hidden_size": 896, "num_hidden_layers": 24, "vocab_size": 151_936, **heads}
    assert BatchSizer.of(model_on("cpu", **middle), None).rows_of(10**9) == 128
    assert BatchSizer.of(model_on("cpu", **middle | {"num_key_value_heads": 14}), None).rows_of(10**9) == 64
    assert BatchSizer.of(model_on("cuda"), 7).rows_of(10**9) == 7


def test_half_is_left_where_memory_ran_out() -> None:
    room = BatchSizer.of(model_on("cpu"), 64)
    room.shrink(64, 500)
    assert room.rows_of(500) == 32 and 16 <= room.rows_of(1000) < 32 < room.rows_of(250) <= 64
    room.shrink(2, 500)
    assert room.rows_of(500) == 1


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="torch was built without MKL")
def test_linear_weights_are_stored_by_columns_in_float32_and_the_logits_stay() -> None:
    model = TransformersSampler("pocket", dtype="float32").local.model
    plain = load_model("pocket", None, torch.float32)
    linear = [module.weight for module in model.modules() if isinstance(module, torch.nn.Linear)]
    tied = model.get_input_embeddings().weight
    assert all(weight.t().is_contiguous() != (weight is tied) for weight in linear) and len(linear) > 8
    ids = torch.arange(24).view(2, 12)
    with torch.inference_mode():
        torch.testing.assert_close(model(ids).logits, plain.eval()(ids).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(not has_fast_bfloat16(), reason="this CPU has neither AMX nor avx512_bf16")
def test_in_bfloat16_packed_weights_give_the_same_products() -> None:
    model = TransformersSampler("pocket", dtype="bfloat16").local.model
    plain = load_model("pocket", None, torch.bfloat16).eval()
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    assert all(module.packed.is_mkldnn for module in (one.forward for one in linear)) and len(linear) > 8
    assert all(weight.is_contiguous() for weight in model.parameters())
    for ids in (torch.arange(24).view(2, 12), torch.arange(64)[:, None], torch.tensor([[7]])):
        with torch.inference_mode():
            assert torch.equal(model(ids).logits, plain(ids).logits)
        assert torch.equal(model(ids).logits, plain(ids).logits), "with gradients the layers are as they were"


def test_weights_in_bfloat16_stay_as_they_are_where_nothing_is_gained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_memory", lambda: 0)
    model = TransformersSampler("pocket", dtype="bfloat16").local.model
    assert all("forward" not in vars(module) for module in model.modules())
