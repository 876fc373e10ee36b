"""The file of default options: the nearest one, up to the root of the repository, and nobody else's above."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pairforge.api.config_file import config_file


def test_the_nearest_file_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    (inner := tmp_path / "repo" / "a" / "b").mkdir(parents=True)
    (tmp_path / "pairforge.toml").touch()
    (tmp_path / "repo" / ".git").mkdir()
    assert config_file(inner) is None
    (project := tmp_path / "repo" / "pyproject.toml").write_text("[project]\n")
    assert config_file(inner) is None
    project.write_text("[tool.pairforge]\n")
    assert config_file(inner) == project
    (near := tmp_path / "repo" / "a" / "pairforge.toml").touch()
    assert config_file(inner) == near and config_file(tmp_path / "repo") == project


def test_home_is_the_last_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inner := tmp_path / "home" / "a").mkdir(parents=True)
    (tmp_path / "pairforge.toml").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert config_file(inner) is None
    (own := tmp_path / "home" / "pairforge.toml").touch()
    assert config_file(inner) == own


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a file away")
def test_another_users_file_above_is_left_alone(tmp_path: Path) -> None:
    (inner := tmp_path / "a").mkdir()
    (file := tmp_path / "pairforge.toml").touch()
    assert config_file(inner) == file
    os.chown(file, 12345, -1)
    assert config_file(inner) is None
    assert config_file(tmp_path) == file, "the working folder was chosen"
