"""doctor: is this machine fit for pairforge, and what to do where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from ..errors import InputError
from ..options.declaration import keywords
from ..options.management import DoctorOptions
from ..run import out_dir
from ..samplers.hardware import usable_processors
from ..text import byte_size, one_line, plural
from .config_file import config_file

_OPTIONAL = {
    "peft": ("LoRA training", "peft"),
    "matplotlib": ("the figures of report, --svg of shortcuts, and training.svg", "pairforge[plot]"),
}
"""Packages that are not installed with pairforge: what they are for, and what to install."""
_LOW_DISK = 5e9  # bytes: a model of a billion parameters and its checkpoints take about as much
_DEVICES = """
import torch
cuda = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
memory = [torch.cuda.get_device_properties(n).total_memory for n in range(torch.cuda.device_count())]
print(repr((cuda, memory, torch.backends.mps.is_available(), torch.get_num_threads())))
"""


@dataclass(frozen=True)
class Examined:
    """One thing that was looked at: ok, warn (works, but), or fail (can't work); `fix` says what to do."""

    name: str
    state: Literal["ok", "warn", "fail"]
    text: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.state:<4}  {self.name}: {self.text}" + (f"\n      -> {self.fix}" if self.fix else "")


@dataclass
class Examination:
    """What was found, in the order in which it was looked at; what takes long comes last."""

    _found: Iterator[Examined]
    found: list[Examined] = field(default_factory=list)

    def __iter__(self) -> Iterator[Examined]:
        yield from self.found
        for one in self._found:
            self.found.append(one)
            yield one

    @property
    def ok(self) -> bool:
        return all(one.state != "fail" for one in self)

    def as_json(self) -> dict[str, Any]:
        return {"command": "doctor", "ok": self.ok, "checks": [asdict(one) for one in self]}

    def lines(self) -> Iterator[str]:
        """Yield the lines for a reader, each as soon as it is known."""
        for one in self:
            yield str(one)
        bad = [one.name for one in self.found if one.state != "ok"]
        yield f"look at: {', '.join(bad)}" if bad else "everything is fine"


@keywords(DoctorOptions)
def doctor(options: DoctorOptions) -> Examination:
    """Look at Python, packages, processors, Hub, disk and output folder.

    Nothing is sent over the network, and no token is shown. torch is asked about devices in a process of its own.
    """
    return Examination(_examined(options.output))


def _examined(output: str | None) -> Iterator[Examined]:
    command = [sys.executable, "-c", _DEVICES]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as devices:
        try:
            version = ".".join(map(str, sys.version_info[:3]))
            yield Examined("python", "ok", f"{version}, {sys.executable}")
            yield from _packages()
            yield _threads()
            yield from _hub()
            yield from _output(output)
            config = config_file(Path.cwd())
            yield Examined("settings", "ok", f"from {config}" if config else "no pairforge.toml is in force")
            yield _devices(devices)
        finally:
            devices.kill()


def _packages() -> Iterator[Examined]:
    from packaging.requirements import Requirement

    try:
        own = metadata.version("pairforge")
        needed = [Requirement(line) for line in metadata.requires("pairforge") or ()]
    except metadata.PackageNotFoundError:
        yield Examined("pairforge", "warn", "not installed: it runs from its source", "pip install -e .")
        own, needed = "", []
    if own:
        yield Examined("pairforge", "ok", own)
    versions = list[str]()
    for one in needed:
        if one.marker and not one.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            yield Examined(one.name, "fail", "not installed", f"pip install '{one.name}{one.specifier}'")
            continue
        if not one.specifier.contains(found, prereleases=True):
            text = f"{found}, and pairforge needs {one.specifier}"
            yield Examined(one.name, "fail", text, f"pip install '{one.name}{one.specifier}'")
        elif one.name in ("torch", "transformers", "trl", "datasets", "huggingface_hub"):
            versions.append(f"{one.name} {found}")
    if versions:
        yield Examined("packages", "ok", ", ".join(versions))
    for name, (purpose, install) in _OPTIONAL.items():
        with suppress(metadata.PackageNotFoundError):
            yield Examined(name, "ok", metadata.version(name))
            continue
        yield Examined(name, "warn", f"not installed; needed for {purpose}", f"pip install '{install}'")


def _threads() -> Examined:
    cores = usable_processors()
    given = os.environ.get("OMP_NUM_THREADS", "")
    text = f"{plural(cores, 'processor core')}, OMP_NUM_THREADS is {given or 'not set'}"
    known = os.cpu_count() or cores
    if given.isdigit() and int(given) > cores:
        return Examined("threads", "warn", f"{text}: more threads than cores", f"export OMP_NUM_THREADS={cores}")
    if not given and known > cores:
        text += f", and torch sees {known} cores"
        return Examined("threads", "warn", text, f"export OMP_NUM_THREADS={cores}")
    return Examined("threads", "ok", text)


def _hub() -> Iterator[Examined]:
    from huggingface_hub import constants, get_token

    if get_token():
        yield Examined("hub login", "ok", "a token is there; whether the Hub takes it is not asked")
    else:
        text = "no token: public models can be fetched, and nothing can be pushed"
        yield Examined("hub login", "warn", text, "hf auth login")
    if constants.HF_HUB_OFFLINE:
        text = "HF_HUB_OFFLINE is set: only what was fetched before can be used"
        yield Examined("hub", "warn", text, "unset HF_HUB_OFFLINE, to use the network")
    else:
        yield Examined("hub", "ok", constants.ENDPOINT)
    yield _free("model cache", Path(constants.HF_HUB_CACHE))


def _output(output: str | None) -> Iterator[Examined]:
    try:
        out = out_dir(output)
    except InputError as error:
        yield Examined("output folder", "fail", error.message, error.fix or "")
        return
    place = _existing(out)
    if not place.is_dir():
        yield Examined("output folder", "fail", f"{place} is not a folder", "choose another folder with -o DIR")
    elif not os.access(place, os.W_OK | os.X_OK):
        yield Examined("output folder", "fail", f"{place} can't be written", "choose another folder with -o DIR")
    else:
        runs = sum(1 for _ in out.glob("*-*/run.json"))
        yield Examined("output folder", "ok", f"{out}, {plural(runs, 'run')}")
    yield _free("disk", out)


def _existing(path: Path) -> Path:
    """Return the path, or the nearest thing above it that exists."""
    return next((one for one in (path, *path.absolute().parents) if os.path.lexists(one)), Path("/"))


def _free(name: str, path: Path) -> Examined:
    try:
        free = shutil.disk_usage(_existing(path)).free
    except OSError as error:
        return Examined(name, "warn", f"{path}: {error.strerror}")
    text = f"{byte_size(free)} free for {path}"
    if free < _LOW_DISK:
        return Examined(name, "warn", text, "free some space, or choose another disk")
    return Examined(name, "ok", text)


def _devices(process: subprocess.Popen[str]) -> Examined:
    import ast

    try:
        said, error = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        return Examined("devices", "warn", "torch did not answer within two minutes")
    if process.returncode:
        why = one_line((error.strip().splitlines() or ["no message"])[-1], 200)
        return Examined("devices", "fail", f"torch can't be imported: {why}", "pip install --force-reinstall torch")
    names, memory, mps, threads = ast.literal_eval(said.strip().splitlines()[-1])
    if names:
        parts = [f"{name}, {byte_size(size)}" for name, size in zip(names, memory, strict=True)]
        return Examined("devices", "ok", f"cuda: {'; '.join(parts)}")
    if mps:
        return Examined("devices", "ok", "mps (Apple)")
    text = f"cpu with {plural(threads, 'thread')}, no GPU that torch can use"
    if shutil.which("nvidia-smi"):
        return Examined("devices", "warn", text, "this torch can't use the NVIDIA driver: see pytorch.org/get-started")
    return Examined("devices", "ok", text)
