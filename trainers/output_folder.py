"""Where a trained model goes: to a folder of its own, so that no training replaces the model of another.

By default that is the first of `<run>/model`, `<run>/model-2` ... without a whole model. The folder of a training that
was killed is used again; if only its verdict is missing, the same command makes the verdict.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pairforge
from pairforge.disk import json_object, write_atomic
from pairforge.run import TrainedModel, numbered

from .checkpoints import resumed
from .data import TrainingJob, from_here
from .flags import Given

STATE = "training.state"
"""A file beside the weights: of which training they are, and whether it is finished.

Its name must not end as those of a model's files do: they identify the model to which answers belong.
"""
_LOCK = ".training.lock"
_NOT_OURS = ("run.json", "README.md", "config.json", "pyproject.toml")
"""Files that a training would replace, or that show what a folder is for."""
_NEXT = "choose another --output_dir, or replace that model with --overwrite"


def default_folder(job: TrainingJob) -> Path:
    """Return the first folder for models that are trained on the job's pairs."""
    return job.run / "model" if job.run else Path("pairforge-model")


def check_output_folder(given: Given, job: TrainingJob) -> None:
    """Refuse a folder that can't be written to, that is the model itself, or that holds a model."""
    explicit = given.text("output_dir")
    folder = Path(explicit) if explicit is not None else default_folder(job)
    if not explicit and explicit is not None:
        raise pairforge.InputError("--output_dir is empty", fix="name a folder")
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise pairforge.InputError(f"{existing} is a file, not a folder", fix="choose another --output_dir")
    if not os.access(existing, os.W_OK):
        raise pairforge.InputError(f"{folder} can't be written to", fix="choose another --output_dir")
    if Path(job.model).resolve() == folder.resolve():
        raise pairforge.InputError(f"{job.model} is both the model and the output", fix="choose another --output_dir")
    if explicit and not given.on("overwrite") and (model := TrainedModel.at(folder)):
        resumes = resumed(given.text("resume_from_checkpoint")) and any(folder.glob("checkpoint-*"))
        if not resumes and json_object(folder / STATE).get("finished") is not False:
            raise _holds(model)
    begun = any(folder.glob("checkpoint-*")) or any((folder / name).exists() for name in (_LOCK, STATE))
    found = next((name for name in _NOT_OURS if (folder / name).exists()), None)
    if explicit and found and not (given.on("overwrite") or begun or TrainedModel.at(folder)):
        what = f"{folder} holds other files, e.g. {found}: a model needs a folder of its own"
        raise pairforge.InputError(what, fix=f"--output_dir {folder / 'model'}")


def _holds(model: TrainedModel) -> pairforge.InputError:
    return pairforge.InputError(f"{model.path} holds a trained model already ({model.outcome})", fix=_NEXT)


@dataclass
class OutputFolder:
    """The folder of one training, locked for this process until `close`.

    `state` says which training it is; `trained` is True if its weights are in the folder already.
    """

    path: Path
    state: Mapping[str, Any]
    trained: bool = False
    finished: bool = False
    _lock: Any = field(default=None, repr=False)

    @classmethod
    def open(cls, job: TrainingJob, given: Given, state: Mapping[str, Any]) -> OutputFolder:
        """Choose and lock the folder.

        Args:
            given: with `output_dir`, which is taken if it holds no model, or may be overwritten.
            state: what decides the weights of the training. Its weights are not trained a second time if they were
                saved but not judged, or if they are finished and it is to be resumed.

        Raises InputError where the given folder can't be used.
        """
        from filelock import FileLock, Timeout

        explicit, resumes = given.text("output_dir"), resumed(given.text("resume_from_checkpoint")) == "latest"
        for folder in [Path(from_here(explicit))] if explicit else numbered(default_folder(job)):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                lock = FileLock(folder / _LOCK)
                lock.acquire(timeout=0)
            except Timeout:
                if explicit:
                    what = f"another training is writing to {folder}"
                    raise pairforge.InputError(what, fix="wait for it, or choose another --output_dir") from None
                continue
            except OSError as error:
                raise pairforge.InputError(f"{folder}: {error.strerror}", fix="choose another --output_dir") from error
            model, stored = TrainedModel.at(folder), json_object(folder / STATE)
            finished = stored.pop("finished", None)
            stored.pop("evaluation_seconds", None)
            same = model is not None and stored == state
            if same and (finished is False or resumes):
                return cls(folder, state, trained=True, finished=bool(finished), _lock=lock)
            if not model or (explicit and (given.on("overwrite") or (resumes and any(folder.glob("checkpoint-*"))))):
                return cls(folder, state, _lock=lock)
            lock.release()
            (folder / _LOCK).unlink(missing_ok=True)
            if explicit:
                raise _holds(model)
        raise AssertionError("numbered folders don't end")

    def text(self, finished: bool, seconds: float = 0.0) -> str:
        """Return the content of the state's file; `seconds` are those of the evaluation after training."""
        more = {"evaluation_seconds": round(seconds, 1)} if seconds else {}
        return json.dumps({**self.state, "finished": finished, **more}) + "\n"

    def finish(self, seconds: float) -> None:
        """Store that nothing of this training is left to do."""
        write_atomic(self.path / STATE, self.text(True, seconds))

    def close(self) -> None:
        """Unlock the folder."""
        if self._lock:
            self._lock.release()
            (self.path / _LOCK).unlink(missing_ok=True)


def evaluation_seconds(folder: Path) -> float:
    """Return how long the evaluation of an earlier model beside this folder took; 0 if none says so."""
    states = map(json_object, folder.parent.glob(f"*model*/{STATE}"))
    return max((float(state.get("evaluation_seconds", 0)) for state in states), default=0.0)
