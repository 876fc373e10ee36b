"""What every test stands on: no network, no home of the user's, this tree before any installed pairforge."""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

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
