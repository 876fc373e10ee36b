"""Push pairs to the Hugging Face Hub: in one commit, private by default, never over files that others made.

The Hub's client doesn't repeat a commit, so a lost response leaves open whether the commit succeeded. After such a
failure the head is read again, and the stamp in its card compared with ours: what is reported is what the head holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from .dataset_card import Stamp, stamp
from .errors import InputError, OutsideError, PairforgeError
from .text import escaped, visible

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD_FILE, DATA_FILE = "README.md", "data/train-00000-of-00001.parquet"
_MADE, _HUB_MADE = (CARD_FILE, DATA_FILE), {".gitattributes"}
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0
_MESSAGE = "Preference pairs built with pairforge"
_MAYBE_COMMITTED = {408, 409, 412}  # and all from 500 on
_LOGIN = "hf auth login, with a token that may write there"
_PLAIN = {
    401: ("the Hub doesn't know your token: expired, revoked or mistyped", _LOGIN),
    403: ("your token may not write to {repo}: {reason}", _LOGIN),
    404: ("the Hub has no {repo} that you may write to", _LOGIN),
    409: ("{repo} is being written to by others: nothing was pushed", "run the same command again"),
    412: ("{repo} is being written to by others: nothing was pushed", "run the same command again"),
    429: ("the Hub asks to slow down (429): nothing was pushed", "run the same command again in some minutes"),
}


@dataclass(frozen=True)
class Commit:
    """The commit on the Hub that holds the pairs; `new` is False where the head held them already."""

    sha: str
    url: str
    new: bool


@dataclass(frozen=True)
class _Head:
    """The target's present content: `stamp` is None without a card of pairforge's, `data` the Parquet's SHA-256."""

    sha: str
    private: bool
    files: frozenset[str]
    stamp: Stamp | None
    data: str | None

    def holds(self, wanted: Stamp) -> bool:
        """Return True if the head has these pairs and this card, with the Parquet bytes that the card names."""
        mark = self.stamp
        return mark is not None and (mark.rows, mark.card, mark.data) == (wanted.rows, wanted.card, self.data)

    @property
    def foreign(self) -> list[str]:
        """The files that pairforge didn't make, and its own card if that was edited since."""
        ours = set() if self.stamp is None else {DATA_FILE} if self.stamp.edited else set(_MADE)
        return sorted(self.files - ours - _HUB_MADE)


def check_repo(repo: str) -> None:
    """Check that a name can be the id of a dataset: OWNER/NAME in the Hub's alphabet. Raises InputError."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise InputError(f"--repo {visible(repr(repo))} can't be a dataset's id", fix="use OWNER/NAME") from error
    if "/" not in repo:
        raise InputError(f"--repo {repo} has no owner", fix=f"use YOUR-NAME/{repo}")


def logged_in() -> bool:
    """Return True if this machine has a token for the Hub (HF_TOKEN or `hf auth login`); sends no request."""
    from huggingface_hub import get_token

    return get_token() is not None


def upload(folder: Path, repo: str, *, private: bool = True, yes: bool = False) -> Commit:
    """Upload `folder`'s card and data to a dataset in one commit, unless its head holds them already.

    Args:
        private: create the dataset as a private one, and refuse one that is public.
        yes: allow a target with files that pairforge didn't make; the card is replaced, no file is deleted.

    Raises:
        InputError: the target may not be written to without `yes` or `private=False`.
        OutsideError: the Hub refuses, or the network fails; the message describes the head at that moment.
    """
    wanted = stamp((folder / CARD_FILE).read_text(encoding="utf-8"))
    if wanted is None:
        raise InputError(f"{folder / CARD_FILE} isn't a card of pairforge's", fix="build it again with pairforge push")
    try:
        with _client() as api:
            return _Upload(api, folder, repo, wanted, private, yes).run()
    except _failures() as error:
        raise _outside(error, repo) from error


@dataclass(frozen=True)
class _Upload:
    """One push to one dataset."""

    api: HfApi
    folder: Path
    repo: str
    wanted: Stamp
    private: bool
    yes: bool

    def run(self) -> Commit:
        from huggingface_hub.errors import RepositoryNotFoundError

        try:  # before any byte is sent: may this token write there?
            self.api.auth_check(self.repo, repo_type="dataset", write=True)
        except RepositoryNotFoundError:
            self.api.create_repo(self.repo, repo_type="dataset", private=self.private, exist_ok=True)
        head = self._head()
        return self._commit(head.sha, new=False) if head.holds(self.wanted) else self._push(head)

    def _head(self) -> _Head:
        info = self.api.dataset_info(self.repo, files_metadata=True)
        files = {file.rfilename: file.lfs for file in info.siblings or []}
        mark = None
        if CARD_FILE in files:
            with TemporaryDirectory() as folder:
                path = self.api.hf_hub_download(
                    self.repo, CARD_FILE, repo_type="dataset", revision=info.sha, local_dir=folder
                )
                mark = stamp(Path(path).read_text(encoding="utf-8", errors="replace"))
        lfs = files.get(DATA_FILE)
        return _Head(str(info.sha), bool(info.private), frozenset(files), mark, lfs.sha256 if lfs else None)

    def _push(self, head: _Head, retry: bool = True) -> Commit:
        from huggingface_hub import CommitOperationAdd

        if self.private and not head.private:
            raise InputError(f"{self.repo} is public on the Hub", fix="push there with --public, or to another --repo")
        if head.foreign and not self.yes:
            names = ", ".join(escaped(name) for name in head.foreign[:5])
            raise InputError(
                f"{self.repo} holds files that pairforge didn't make: {names}{' ...' if len(head.foreign) > 5 else ''}",
                fix="choose another --repo, or --yes to put the pairs beside them and replace the card",
            )
        try:
            files = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=self.folder / name) for name in _MADE]
            made = self.api.create_commit(
                self.repo, files, commit_message=_MESSAGE, repo_type="dataset", parent_commit=head.sha, num_threads=2
            )
            return self._commit(str(made.oid), new=made.oid != head.sha)
        except _failures() as error:
            cause, status = _cause(error)
            if status is not None and status < 500 and status not in _MAYBE_COMMITTED:
                raise
            try:
                now = self._head()
            except _failures() as second:
                raise OutsideError(
                    f"the Hub stopped answering during the commit to {self.repo}, so it isn't known whether it "
                    f"succeeded ({_reason(cause)})",
                    fix="run the same command again: it checks first, and sends nothing twice",
                ) from second
            if now.holds(self.wanted):
                return self._commit(now.sha, new=True)
            if not retry or now.sha == head.sha:
                if status in _PLAIN:
                    raise
                raise OutsideError(
                    f"the commit to {self.repo} failed and its head doesn't hold the pairs: {_reason(cause)}",
                    fix="run the same command again",
                ) from error
        # Somebody else committed meanwhile: check what the dataset holds now, and try once more.
        return self._push(now, retry=False)

    def _commit(self, sha: str, *, new: bool) -> Commit:
        return Commit(sha, f"{self.api.endpoint}/datasets/{self.repo}", new)


@contextmanager
def _client() -> Iterator[HfApi]:
    """Open the Hub's client, which has no timeout of its own, with one for the length of the block."""
    from huggingface_hub import HfApi, get_session, get_token

    session: Any = get_session()
    before = session.timeout
    session.timeout = type(before)(_READ_SECONDS, connect=_CONNECT_SECONDS)
    try:
        yield HfApi(library_name="pairforge", token=get_token())
    finally:
        session.timeout = before


def _failures() -> tuple[type[Exception], ...]:
    """Return what the Hub's client raises: errors of its HTTP library (httpx or httpx2, by version) and of
    the operating system, RuntimeError for a failed upload, ValueError for a refused card and for a response that isn't
    JSON.
    """
    from huggingface_hub.errors import HfHubHTTPError

    return (*HfHubHTTPError.__bases__, OSError, RuntimeError, ValueError)


def _outside(error: Exception, repo: str) -> PairforgeError:
    """Convert an error of the Hub's client to one line for the user, without a token in it."""
    cause, status = _cause(error)
    if status is None and isinstance(cause, json.JSONDecodeError):
        what = "what answers for the Hub isn't the Hub: a login page or a proxy?"
        return OutsideError(what, fix="open it in a browser")
    if status == 400 or (status is None and isinstance(cause, ValueError)):
        return InputError(f"the Hub refuses the card or its data: {_reason(error)}", fix="check --license")
    what, fix = _PLAIN.get(status or 0, ("nothing was pushed to {repo}: {reason}", "the files are kept: run it again"))
    return OutsideError(what.format(repo=repo, reason=_reason(cause)), fix=fix)


def _cause(error: BaseException) -> tuple[BaseException, int | None]:
    """Return the error that carries the server's response, and the status of that; the client wraps it in others."""
    seen: BaseException | None = error
    while seen is not None:
        if (response := getattr(seen, "response", None)) is not None:
            return seen, int(response.status_code)
        seen = seen.__cause__
    return error, None


def _reason(error: BaseException) -> str:
    """Return what the server or the network reported: one printable line, without what looks like a token."""
    said = getattr(error, "server_message", None) or str(error)
    line = next((line for line in said.splitlines() if line.strip()), type(error).__name__)
    return re.sub(r"hf_\w+|Bearer \S+", "***", visible(line.strip()))[:200]
