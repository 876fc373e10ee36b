"""The wheel holds all that a run needs: built, installed into a fresh environment and used from an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs it with nothing of this tree on the path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a fresh environment with the wheel in it; what it depends on is borrowed from this one."""
    home = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(home)
    python = home / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--offline",
        "--python",
        python,
        wheel,
        cwd=home,
    )
    site = sysconfig.get_path("purelib", vars={"base": str(home)})
    # A path of its own last on sys.path: the .pth files in there, the editable pairforge's with them, aren't read.
    Path(site, "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return home / "bin"


def test_wheel_holds_what_a_run_needs_and_no_more(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tops = {name.split("/")[0] for name in names}
    assert tops == {"pairforge", "trainers"}
    assert "trainers/__init__.py" not in names, "with it a user's own trainers/ would be shadowed"
    for kept in ("pairforge/py.typed", "pairforge/data/pocket/config.json", "pairforge/data/pocket/model.safetensors"):
        assert kept in names
    assert {f"pairforge/schemas/{path.name}" for path in (ROOT / "schemas").glob("*.json")} <= names
    assert {f"pairforge/data/prompts/{path.name}" for path in (ROOT / "data/prompts").glob("*.jsonl")} <= names
    texts = [path for folder in ("patterns", "judges") for path in (ROOT / "data" / folder).iterdir()]
    assert {f"pairforge/{path.relative_to(ROOT).as_posix()}" for path in texts} == {
        name for name in names if name.endswith(".txt")
    }
    assert not [name for name in names if name.startswith("pairforge/data/") and name.endswith(".py")]


def test_wheel_carries_licence_and_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        texts = {
            name.split("/", 1)[1]: archive.read(name).decode() for name in archive.namelist() if ".dist-info/" in name
        }
    assert "License-Expression: Apache-2.0" in texts["METADATA"]
    assert "pairforge = pairforge.cli:main" in texts["entry_points.txt"]
    assert "Apache License" in texts["licenses/LICENSE"]


@pytest.mark.slow
def test_installed_wheel_makes_and_checks_pairs(installed: Path, tmp_path: Path) -> None:
    where = "import pairforge, trainers; print(pairforge.__file__, *trainers.__path__)"
    assert str(ROOT) not in run(installed / "python", "-c", where, cwd=tmp_path).stdout
    assert "correct" in run(installed / "pairforge", "--help", cwd=tmp_path).stdout
    made = run(
        installed / "pairforge",
        "correct",
        "--from",
        "Qwen",
        "--to",
        "Deep Qwen",
        "--limit",
        "5",
        "--json",
        cwd=tmp_path,
    )
    counts = json.loads(made.stdout)["counts"]
    assert counts["pairs"] > 0
    checked = json.loads(run(installed / "pairforge", "validate", "--json", cwd=tmp_path).stdout)
    assert checked["ok"]
    assert checked["rows"] == counts["pairs"]
