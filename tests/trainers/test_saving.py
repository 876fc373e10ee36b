"""Saving: what was left by a training that was killed while it saved goes first."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace as Space

from trainers.saving import save


def test_what_a_killed_save_left_is_no_part_of_the_next(tmp_path: Path) -> None:
    class Trainer:
        model = Space(config=Space(use_cache=False))

        def save_model(self, folder: str) -> None:
            Path(folder).mkdir(exist_ok=True)
            (Path(folder) / "config.json").write_text("{}")

        def is_world_process_zero(self) -> bool:
            return True

    (tmp_path / ".saving").mkdir()
    (tmp_path / ".saving" / "adapter_config.json").write_text("{}")
    save(Trainer(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]
