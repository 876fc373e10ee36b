"""Hardware: the device, the dtype, the threads and the batch size of a model."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..disk import json_object, write_atomic
from ..errors import InputError, PairforgeError
from ..text import did_you_mean, one_line
from .conversion_cache import cache_folder

_TINY = 50_000_000  # parameters; for a smaller model a second thread costs more than it gains
_MEASURED = 0.2  # seconds that are measured, or a little more
_KEPT = 24 * 3600  # seconds
_DEVICES = ("cpu", "cuda", "mps", "xpu", "hpu", "npu", "xla", "mtia", "maia", "musa", "meta")
_DTYPES = ("float32", "bfloat16", "float16")
_ROWS_ON_CPU, _ROWS = 64, 256  # at most in a batch; more gain little
_PACKED = 0.25  # of the memory, that packed copies of the weights may take
_SMALL_CACHE = 32_768  # bytes a token; up to this, twice the rows on the CPU gain a third and won't fill the memory


def check_hardware(device: str, dtype: str) -> None:
    """Raise InputError for a device or dtype that can't be used; torch is imported only where it has to be asked."""
    if not re.fullmatch(f"auto|({'|'.join(_DEVICES)})(:[0-9]+)?", device):
        raise InputError(f"--device '{one_line(device, 40)}' is unknown", fix="use auto, cpu, cuda, cuda:1 or mps")
    if device not in ("auto", "cpu"):
        pick_device(device)
    if dtype not in ("auto", *_DTYPES):
        fix = did_you_mean(dtype, _DTYPES) or f"use auto, {', '.join(_DTYPES)}"
        raise InputError(f"--dtype {dtype} is unknown", fix=fix)


def pick_device(name: str) -> Any:
    """Return the torch.device; for "auto" the first accelerator, else the CPU. Raises InputError if unavailable."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        why = str(error).splitlines()[0]
        raise InputError(f"--device {name} is not available: {why}", fix="use --device auto, or cpu") from error
    return torch.device(name)


def pick_dtype(name: str, device: Any, saved: Any, size: int = 0) -> Any:
    """Return the torch.dtype; for "auto" the one that suits the device, and a model of `size` parameters `saved` so.

    bfloat16 on CUDA (float16 where it knows none), float16 on MPS unless saved as float32; on the CPU float32, but
    bfloat16 where that is much faster. Raises InputError for another name.
    """
    import torch

    if name != "auto":
        check_hardware("auto", name)
        return getattr(torch, name)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.float32 if saved is torch.float32 else torch.float16
    return torch.bfloat16 if device.type == "cpu" and size >= _TINY and has_fast_bfloat16() else torch.float32


def has_fast_bfloat16(root: Path = Path("/")) -> bool:
    """Return whether the CPU multiplies matrices in bfloat16 twice as fast as in float32, or more.

    So it is with AMX (Intel's Xeon since Sapphire Rapids) and with the bfloat16 instructions of AVX-512 (AMD since Zen
    4, Intel's Cooper Lake). Without them oneDNN emulates it, more slowly. Only Linux on x86 tells.
    """
    flags = _read(root / "proc/cpuinfo")
    return any(flag in flags for flag in ("amx_bf16", "avx512_bf16"))


def lay_out_weights(model: Any) -> None:
    """Store the weights of linear layers as the CPU multiplies them fastest; the products stay the same.

    MKL, in float32, and oneDNN, in bfloat16, else copy them for each product. In float32 they are stored by columns:
    1.1 times as fast with 128 rows, 2.2 with 8. A matrix that is an embedding, too, stays as it is, since its rows are
    looked up. In bfloat16 a packed copy is held beside them: 1.1 times with 128 rows, 1.6 with 8.
    """
    import torch

    if model.device.type != "cpu":
        return
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    if torch.backends.mkl.is_available():
        embeddings = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
        for weight in (module.weight for module in linear):
            if weight.dtype is torch.float32 and id(weight) not in embeddings:
                weight.data = weight.data.t().contiguous().t()
    halves = [module for module in linear if type(module) is torch.nn.Linear and module.weight.dtype is torch.bfloat16]
    if halves and has_fast_bfloat16() and sum(one.weight.nbytes for one in halves) <= _PACKED * _memory():
        # An older torch has no such operators; then the layers stay as they are.
        with suppress(AttributeError, RuntimeError):
            for module, packed in [(one, _PackedLinear(one)) for one in halves]:
                module.forward = packed


class _PackedLinear:
    """The forward pass of a linear layer, with a copy of its weights in the layout that oneDNN multiplies."""

    def __init__(self, layer: Any) -> None:
        import torch

        self.layer, self.multiply = layer, torch.ops.mkldnn._linear_pointwise
        self.packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), _ROWS_ON_CPU)

    def __call__(self, input: Any) -> Any:
        import torch

        if torch.is_grad_enabled() or input.dtype is not torch.bfloat16:
            return torch.nn.functional.linear(input, self.layer.weight, self.layer.bias)
        return self.multiply(input, self.packed, self.layer.bias, "none", [], "")


def _memory() -> int:
    """Return the bytes of this machine's memory; 0 where that is not known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows
        return 0


def parameters(config: Any) -> int:
    """Return about how many parameters a language model has, by the numbers of its text config."""
    hidden = _number(config, "hidden_size", 4096)
    inner = 3 * _number(config, "intermediate_size", 4 * hidden)
    return hidden * (
        _number(config, "num_hidden_layers", 32) * (4 * hidden + inner) + _number(config, "vocab_size", 150_000)
    )


@contextmanager
def threads(model: Any) -> Iterator[None]:
    """Set the number of torch threads that suits the model, and restore it afterwards: it holds for the whole process.

    It is not changed where the model does not run on the CPU.
    """
    import torch

    before = torch.get_num_threads()
    if model.device.type == "cpu":
        torch.set_num_threads(thread_count(model))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def thread_count(model: Any) -> int:
    """Return the number of torch threads that suits a model on the CPU.

    One for a tiny model; else the faster of one and one for each physical core that the process may use: where others
    use the cores, too, threads wait for each other. A number that the user has set, by OMP_NUM_THREADS or a lower one
    by torch.set_num_threads, is kept.
    """
    import torch

    found = torch.get_num_threads()
    most = cores()
    if os.environ.get("OMP_NUM_THREADS") or found < most:
        return int(found)
    return 1 if most == 1 or model.num_parameters() < _TINY else _measured(model, most)


def thread_note(model: Any) -> str | None:
    """Return a line for the user where one thread is taken since more were slower."""
    import torch

    if model.device.type != "cpu" or model.num_parameters() < _TINY or thread_count(model) != 1:
        return None
    if not 1 < cores() <= torch.get_num_threads():
        return None
    return f"one thread is used, as {cores()} were slower when measured (OMP_NUM_THREADS={cores()} takes them anyway)"


def _measured(model: Any, most: int) -> int:
    """Return the faster number of threads, 1 or `most`.

    It is measured once a day, and kept: sums in other threads differ in their last bits, and a run that is continued is
    to have the same ones.
    """
    kept, name = cache_folder("threads.json"), f"{model.num_parameters()} parameters, {most} threads"
    known = {}
    with suppress(OSError):
        known = json_object(kept) if time.time() - kept.stat().st_mtime < _KEPT else {}
    if known.get(name) not in (1, most):
        known[name] = _faster(model, most)
        with suppress(PairforgeError):  # it is measured again the next time
            write_atomic(kept, json.dumps(known))
    return int(known[name])


def _faster(model: Any, most: int) -> int:
    """Return which number of threads, 1 or `most`, a short forward pass takes less time with."""
    import torch

    tokens, before = torch.ones(1, 8, dtype=torch.long), torch.get_num_threads()
    spent = {1: 0.0, most: 0.0}
    try:
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):  # dropout draws numbers
            model(input_ids=tokens)  # the first one takes longer
            while sum(spent.values()) < _MEASURED:
                for count in spent:
                    torch.set_num_threads(count)
                    start = time.monotonic()
                    model(input_ids=tokens)
                    spent[count] += time.monotonic() - start
    finally:
        torch.set_num_threads(before)
    return min(spent, key=lambda count: spent[count])


def cores(root: Path = Path("/")) -> int:
    """Return the number of physical cores that this process may use, by its affinity and its control groups."""
    topology = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    physical = {_read(root / topology.format(cpu)) or str(cpu) for cpu in _affinity()}
    return max(1, min(len(physical), int(_quota(root))))


def usable_processors(root: Path = Path("/")) -> int:
    """Return the number of logical processors that this process may use: a core with two threads counts as two."""
    return max(1, min(len(_affinity()), int(_quota(root))))


def _affinity() -> Collection[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def _quota(root: Path) -> float:
    """Return how many CPUs' time the control groups allow: the least quota of the group and those above it."""
    found = [float(os.cpu_count() or 1)]
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, place = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        group = Path(place.lstrip("/"))
        for folder in (group, *group.parents):
            if controllers:  # the first version of control groups
                files = root / "sys/fs/cgroup/cpu" / folder
                grant = f"{_read(files / 'cpu.cfs_quota_us')} {_read(files / 'cpu.cfs_period_us')}"
            else:
                grant = _read(root / "sys/fs/cgroup" / folder / "cpu.max")
            quota, period = (*grant.split(), "", "")[:2]
            if quota.isdigit() and period.isdigit() and int(period):
                found.append(int(quota) / int(period))
    return min(found)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


@dataclass
class BatchSizer:
    """The number of rows that a batch may have: at most `rows`, and what fits in `free` bytes (None: unknown)."""

    rows: int
    free: int | None
    per_token: int
    per_row: int

    @classmethod
    def of(cls, model: Any, rows: int | None) -> BatchSizer:
        """Return the sizer for a loaded model on its device, by its free memory, or by the user's `rows` alone.

        The free memory is rounded down to a power of two, so that batches rarely depend on what else is running.
        """
        config = model.config.get_text_config(decoder=True)
        size = model.dtype.itemsize
        hidden = _number(config, "hidden_size", 4096)
        heads = _number(config, "num_attention_heads", 32)
        head = _number(config, "head_dim", hidden // heads)
        cached = 2 * _number(config, "num_hidden_layers", 32) * _number(config, "num_key_value_heads", heads) * head
        activations = 6 * hidden + 3 * _number(config, "intermediate_size", 4 * hidden)  # of one layer of the prefill
        logits = 10 * 4 * _number(config, "vocab_size", 150_000)  # float32, sorted and drawn from
        free = None if rows else _free_memory(model.device)
        twice = 2 if parameters(config) >= _TINY and cached * size <= _SMALL_CACHE else 1
        most = rows or (twice * _ROWS_ON_CPU if model.device.type == "cpu" else _ROWS)
        return cls(most, free and 1 << (max(free, 1).bit_length() - 1), (cached + activations) * size, logits)

    def rows_of(self, length: int) -> int:
        """Return how many rows of so many tokens, prompt and answer, a batch may have: at least one."""
        if self.free is None:
            return self.rows
        return max(1, min(self.rows, self.free // self._bytes(length)))

    def shrink(self, rows: int, length: int) -> None:
        """Halve the memory limit after so many rows did not fit."""
        self.free = max(1, (rows + 1) // 2) * self._bytes(length)

    def _bytes(self, length: int) -> int:
        return length * self.per_token + self.per_row


def _number(config: Any, name: str, default: int) -> int:
    value = getattr(config, name, None)
    return value if isinstance(value, int) and value > 0 else default


def _free_memory(device: Any) -> int | None:
    """Return the bytes of an accelerator that batches may fill; None where that is not known, as on the CPU."""
    import torch

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(0.9 * (free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)))
    if device.type == "mps":
        return int(0.7 * (torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()))
    return None


def release(device: Any) -> None:
    """Release the memory that the allocator caches, after it did not suffice."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
