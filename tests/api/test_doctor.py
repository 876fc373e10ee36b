"""The doctor: every line says ok, warn or fail, what to do, and never a token."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pairforge
from pairforge.api import doctor as module


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch would say, without torch."""
    monkeypatch.setattr(module, "_DEVICES", "print((['Tesla T4'], [16 * 10**9], False, 1))")


def states(**options: Any) -> dict[str, str]:
    return {one["name"]: one["state"] for one in pairforge.doctor(**options).as_json()["checks"]}


@pytest.mark.usefixtures("quick")
def test_each_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found = pairforge.doctor(output=str(tmp_path / "new"))
    lines = list(found.lines())
    assert found.ok and "devices: cuda: Tesla T4, 16.0 GB" in lines[-2]
    assert any(line.startswith("ok    hub login: a token is there") for line in lines)
    assert not any("hf_secret" in line for line in lines)
    assert all(one.fix for one in found if one.state != "ok")
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("quick")
def test_what_can_t_work_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    assert states(output=str(tmp_path / "file" / "x"))["output folder"] == "fail"
    assert not pairforge.doctor(output=str(tmp_path / "file")).ok
    monkeypatch.setattr(module, "_DEVICES", "raise ImportError('libcuda is missing')")
    found = pairforge.doctor(output=str(tmp_path))
    assert [one.text for one in found if one.state == "fail"] == [
        "torch can't be imported: ImportError: libcuda is missing"
    ]


@pytest.mark.usefixtures("quick")
def test_threads_and_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    monkeypatch.setattr(module.metadata, "requires", lambda _: ["click>=999", "nosuchpackage>=1", "rich>=1"])
    found = {one.name: one for one in pairforge.doctor(output=str(tmp_path))}
    assert found["threads"].state == "warn" and found["threads"].fix.startswith("export OMP_NUM_THREADS=")
    assert found["click"].state == found["nosuchpackage"].state == "fail"
    assert found["nosuchpackage"].fix == "pip install 'nosuchpackage>=1'"
    assert "rich" not in found


@pytest.mark.slow
def test_the_command_asks_torch_in_another_process() -> None:
    code = "import sys, pairforge; print(pairforge.doctor().as_json()['checks'][-1]); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'name': 'devices', 'state': 'ok'" in done.stdout
