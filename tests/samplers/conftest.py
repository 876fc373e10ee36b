"""A cache of the Hub, as if models had been downloaded before."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

COMMIT = "c0ffee" * 6 + "cafe"


@pytest.fixture
def on_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], Path]:
    """Puts a folder there as a repository; gives its snapshot."""
    home = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home))

    def put(folder: Path, repo: str) -> Path:
        place = home / f"models--{repo.replace('/', '--')}"
        (place / "refs").mkdir(parents=True)
        (place / "refs" / "main").write_text(COMMIT)
        return Path(shutil.copytree(folder, place / "snapshots" / COMMIT))

    return put
