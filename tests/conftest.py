"""What every test stands on: no network, no home of the user's, this tree before any installed pairforge."""

from __future__ import annotations

import atexit
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
HF_HOME = tempfile.TemporaryDirectory(prefix="pairforge-hf-")
atexit.register(HF_HOME.cleanup)
# Before any test module is imported: huggingface_hub reads these once.
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "HF_HOME": HF_HOME.name,
    "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    "COLUMNS": "120",
}
for name in ("PAIRFORGE_OUT", "HF_TOKEN", "HF_ENDPOINT", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(name, None)

# No deadline: a busy machine is no defect. The same examples each time: a red run can be had again.
settings.register_profile("pairforge", deadline=None, derandomize=True)
settings.load_profile("pairforge")


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a folder in a bucket of a server on this machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moto = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'moto[s3,server]'")
        s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed: pip install s3fs")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        s3fs.S3FileSystem(skip_instance_cache=True).makedirs("runs", exist_ok=True)
        yield f"s3://runs/{tmp_path.name}"
    finally:
        server.stop()
