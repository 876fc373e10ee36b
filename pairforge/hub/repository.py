"""The Hugging Face Hub: one commit to a repository that holds all or nothing of it, with truth after trouble.

The Hub's client doesn't repeat a commit, so a lost response leaves open whether the commit succeeded. After such a
failure the head is read again, and compared with what was to be uploaded: what is reported is what the head holds. What
fails for a moment (a busy server, a lost connection) is tried again by the policy of `samplers.retry`.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ..console import note
from ..errors import InputError, OutsideError, PairforgeError
from ..samplers.openai_client import http_library
from ..samplers.retry import LONGEST_WAIT, backoff, retry_after
from ..text import plural, visible

if TYPE_CHECKING:
    from huggingface_hub import CommitOperation, HfApi

T = TypeVar("T")

_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0
_TRIES = 5
_CONFLICT = {409, 412}
_TRANSIENT = {408, 425, 429}  # and those from 500 on, but 507: no room
_FULL = re.compile(r"storage|quota|\blimit", re.IGNORECASE)
_SIGNED = re.compile(r"[?&][\w-]*sig(?:nature)?=", re.IGNORECASE)
_PLAIN = {
    401: ("the Hub doesn't know your token: expired, revoked or mistyped", "{login}"),
    403: ("your token may not write to {repo}: {reason}", "{login}"),
    404: ("the Hub has no {repo} that you may write to", "{login}"),
    409: ("{repo} is being written to by others: nothing was pushed", "run the same command again"),
    412: ("{repo} is being written to by others: nothing was pushed", "run the same command again"),
    429: ("the Hub asks to slow down (429): nothing was pushed", "run the same command again {later}"),
}
_OTHER = ("can't push to {repo}, and nothing was pushed: {reason}", "run it again {later}")
_READING = {
    401: _PLAIN[401],
    403: ("{repo} may not be read with your token: {reason}", "ask for access on its page, or {login}"),
    404: ("the Hub has no data set {repo} that you may read, or not this revision", "check the name, or {login}"),
    429: ("the Hub asks to slow down (429)", "run the same command again {later}"),
}
_UNREAD = ("can't read {repo} on the Hub: {reason}", "run it again {later}")


@dataclass(frozen=True)
class Commit:
    """The commit on the Hub that holds what was to be uploaded; `new` is False where the head held it already."""

    sha: str
    url: str
    new: bool
    private: bool


@dataclass(frozen=True)
class Head:
    """The content of a repository at its latest commit.

    `files` are the paths, each with the digest of the content: SHA-256 of a large file, git's own of a small one;
    `sizes` are their bytes.
    """

    sha: str
    private: bool
    files: Mapping[str, str]
    sizes: Mapping[str, int] = field(default_factory=dict)


def logged_in() -> bool:
    """Return True if this machine has a token for the Hub (HF_TOKEN or `hf auth login`); sends no request."""
    from huggingface_hub import get_token

    return get_token() is not None


def login_advice(may: str = "write") -> str:
    """Return what to do about a token that is missing, wrong, or may not do this: HF_TOKEN wins over a stored one."""
    names = [name for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") if os.environ.get(name)]
    if names:
        return f"set {names[0]} to a token that may {may} there, or unset it and run hf auth login: {names[0]} wins"
    return f"hf auth login, with a token that may {may} there"


@dataclass(frozen=True)
class Repository:
    """A repository on the Hub, as `connected` opens it; its methods raise what the Hub's client raises.

    `revision` is the branch that is read and written, by default main. With `pull_request` the next commit opens one of
    that title.
    """

    api: HfApi
    name: str
    kind: Literal["dataset", "model"]
    quiet: bool = False
    revision: str | None = None
    pull_request: str | None = None

    @property
    def url(self) -> str:
        """The address of its page."""
        page = f"{self.api.endpoint}/{'datasets/' if self.kind == 'dataset' else ''}{self.name}"
        number = (self.revision or "").removeprefix("refs/pr/")
        return page if number == (self.revision or "") else f"{page}/discussions/{number}"

    def user(self) -> str:
        """Return the name of the user whose token it is."""
        return str(self._patiently(self.api.whoami)["name"])

    def make_writable(self, private: bool) -> None:
        """Check before any byte is sent that the token may write there, and create the repository if it is missing."""
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            self.check_write()
        except RepositoryNotFoundError:
            self.create(private, exist_ok=True)

    def check_write(self) -> None:
        """Ask the Hub whether the token may write there."""
        self._patiently(lambda: self.api.auth_check(self.name, repo_type=self.kind, write=True))

    def create(self, private: bool, exist_ok: bool = False) -> str:
        """Create the repository, and return its full name."""
        given = {"repo_type": self.kind, "private": private, "exist_ok": exist_ok}
        return str(self._patiently(lambda: self.api.create_repo(self.name, **given)).repo_id)

    def make_branch(self) -> None:
        """Create the branch if it is missing."""
        if self.revision is None:
            return
        from huggingface_hub.errors import RevisionNotFoundError

        try:
            self.head()
        except RevisionNotFoundError:
            given = {"branch": self.revision, "repo_type": self.kind, "exist_ok": True}
            self._patiently(lambda: self.api.create_branch(self.name, **given))

    def of_pull_request(self, title: str) -> Repository:
        """Return the repository as of the user's own open pull request of that title, or one that will open it."""
        user = self.user()
        given = {"author": user, "discussion_type": "pull_request", "discussion_status": "open", "repo_type": self.kind}
        opened = self._patiently(lambda: [*self.api.get_repo_discussions(self.name, **given)])
        found = next((one.git_reference for one in opened if one.title == title and one.author == user), None)
        return replace(self, revision=found, pull_request=None if found else title)

    def tagged(self, tag: str) -> str | None:
        """Return the commit that a tag names, if there is such a tag."""
        refs = self._patiently(lambda: self.api.list_repo_refs(self.name, repo_type=self.kind))
        return next((str(one.target_commit) for one in refs.tags if one.name == tag), None)

    def make_tag(self, tag: str, sha: str) -> None:
        """Give a commit a name. Raises InputError where another one has it."""

        def create() -> None:
            if (there := self.tagged(tag)) is None:
                self.api.create_tag(self.name, tag=tag, revision=sha, repo_type=self.kind)
            elif there != sha:
                what = f"{sha[:7]} is pushed, but the tag {tag} was given to {there[:7]} meanwhile"
                raise InputError(what, fix="choose another --tag")

        self._patiently(create)

    def head(self) -> Head:
        """Return the content at the latest commit."""
        given = {"repo_type": self.kind, "revision": self.revision, "files_metadata": True}
        info: Any = self._patiently(lambda: self.api.repo_info(self.name, **given))
        files = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in info.siblings or []}
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        return Head(str(info.sha), bool(info.private), files, sizes)

    def download(self, file: str, head: Head, folder: Path | None = None) -> Path:
        """Download a file as of that commit to a folder, past the cache of this machine; without one, to that cache."""
        apart = {"local_dir": folder, "cache_dir": folder / ".cache"} if folder else {}
        given = {"repo_type": self.kind, "revision": head.sha, **apart}
        return Path(self._patiently(lambda: self.api.hf_hub_download(self.name, file, **given)))

    def text(self, file: str, head: Head) -> str:
        """Return the text of a file as of that commit."""
        with TemporaryDirectory() as folder:
            return self.download(file, head, Path(folder)).read_text(encoding="utf-8", errors="replace")

    def commit(
        self, plan: Callable[[Head], Sequence[CommitOperation]], holds: Callable[[Head], bool], message: str
    ) -> Commit:
        """Make one commit, unless the head holds its content already.

        Args:
            plan: returns the operations for a head, or raises InputError where they may not be done there. It is asked
                again for another head, where somebody else commits meanwhile.
            holds: returns True for a head that has the content.
            message: of the commit.

        Raises OutsideError where it isn't known whether the commit succeeded.
        """
        head = self.head()
        if holds(head):
            return Commit(head.sha, self.url, False, head.private)
        for failures in count(1):
            operations = plan(head)
            given: dict[str, Any] = {"repo_type": self.kind, "revision": self.revision, "num_threads": 2}
            given |= {"create_pr": self.pull_request is not None}
            self._upload(operations, **given)
            try:
                given |= {"commit_message": message, "parent_commit": head.sha}
                made = self.api.create_commit(self.name, operations, **given)
                url = self.url if made.pr_url is None else str(made.pr_url)
                return Commit(str(made.oid), url, made.oid != head.sha, head.private)
            except api_failures() as error:
                cause, status = _cause(error)
                if not (status is None or status in _CONFLICT or _passes(status) or _is_signed(cause)):
                    raise
                if self.pull_request and (opened := self.of_pull_request(self.pull_request)).revision:
                    return replace(opened.commit(plan, holds, message), new=True)
                now = self._after(cause)
                if holds(now):
                    return Commit(now.sha, self.url, True, now.private)
                if failures == _TRIES or _wait_asked_for(cause) > LONGEST_WAIT:
                    if status in _PLAIN:
                        raise
                    raise OutsideError(
                        f"the commit to {self.name} failed and its head doesn't hold the content: {reason_of(cause)}",
                        fix=f"run the same command again {_later(cause)}".removesuffix(" later"),
                    ) from error
                if now.sha == head.sha:
                    self._wait(failures, cause)
                elif not self.quiet:
                    note(f"{self.name}: {self._latest(now)} was made meanwhile; comparing again")
            head = now
        raise AssertionError("the tries have an end")

    def _upload(self, operations: Sequence[CommitOperation], **given: Any) -> None:
        """Upload the content of large files, one after the other."""
        for one in operations:
            if isinstance(getattr(one, "path_or_fileobj", None), str | Path):  # the client makes a text of a path
                upload = partial(self.api.preupload_lfs_files, self.name, [one], free_memory=False, **given)
                self._patiently(upload)

    def _latest(self, head: Head) -> str:
        """Return what the latest commit is, and whose."""
        with suppress(*api_failures(), LookupError):
            made = self.api.list_repo_commits(self.name, repo_type=self.kind, revision=self.revision)[0]
            return f"commit {head.sha[:7]} {visible(made.title)!r:.80} by {visible(', '.join(made.authors))}"
        return f"commit {head.sha[:7]}"

    def _after(self, cause: BaseException) -> Head:
        """Return the head after a commit that failed or whose response was lost."""
        try:
            return self.head()
        except api_failures() as error:
            raise OutsideError(
                f"the Hub stopped answering during the commit to {self.name}, so it isn't known whether it "
                f"succeeded ({reason_of(cause)})",
                fix="run the same command again: it checks first, and sends nothing twice",
            ) from error

    def _patiently(self, call: Callable[[], T]) -> T:
        """Return what a request returns, tried again where it fails for a moment."""
        for failures in count(1):
            try:
                return call()
            except api_failures() as error:
                cause, status = _cause(error)
                lost = any(isinstance(one, http_library().TransportError) for one in _chain(error))
                transient = lost if status is None else _passes(status) or _is_signed(cause)
                if not transient or failures == _TRIES or _wait_asked_for(cause) > LONGEST_WAIT:
                    raise
                self._wait(failures, cause)
        raise AssertionError("the tries have an end")

    def _wait(self, failures: int, cause: BaseException) -> None:
        seconds = max(backoff(failures), _wait_asked_for(cause))
        if not self.quiet:
            note(f"the Hub: {reason_of(cause)}; trying again in {seconds:.0f} s")
        time.sleep(seconds)


def check_repo(repo: str, option: str = "--repo", *, owner: bool = True) -> None:
    """Check that a name can be the id of a repository: OWNER/NAME in the Hub's alphabet. Raises InputError.

    Without `owner`, NAME alone is one, too: the Hub takes the user as its owner.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        inside = re.fullmatch(r"(?:https?://[^/]+/)?(?:datasets/)?([\w.-]+/[\w.-]+)/?", repo)
        fix = f"use {inside[1]}" if inside and inside[1] != repo else "use OWNER/NAME"
        raise InputError(f"{option} {visible(repr(repo))} can't be the id of a repository", fix=fix) from error
    if owner and "/" not in repo:
        raise InputError(f"{option} {repo} has no owner", fix=f"use YOUR-NAME/{repo}")


@contextmanager
def connected(
    name: str,
    kind: Literal["dataset", "model"],
    *,
    token: str | None = None,
    quiet: bool = False,
    revision: str | None = None,
    writes: bool = True,
) -> Iterator[Repository]:
    """Open a repository, with a timeout that the Hub's client lacks, and convert its errors to errors of one line.

    Args:
        token: by default that of HF_TOKEN or `hf auth login`.
        quiet: do not say on stderr that a request is tried again.
        revision: the branch; by default main.
        writes: messages are about what is written there, else about what is read.

    Raises InputError and OutsideError.
    """
    from huggingface_hub import HfApi, get_session, get_token

    session: Any = get_session()
    before = session.timeout
    hooks = session.event_hooks["response"]
    hooks.append(_refuse_long_wait)
    session.timeout = type(before)(_READ_SECONDS, connect=_CONNECT_SECONDS)
    try:
        yield Repository(HfApi(library_name="pairforge", token=token or get_token()), name, kind, quiet, revision)
    except api_failures() as error:
        raise _outside(error, name, writes) from error
    finally:
        session.timeout = before
        hooks.remove(_refuse_long_wait)


def api_failures() -> tuple[type[Exception], ...]:
    """Return what the Hub's client raises: errors of its HTTP library (httpx or httpx2, by version) and of
    the operating system, RuntimeError for a failed upload, ValueError for a refused card and for a response that isn't
    JSON.
    """
    from huggingface_hub.errors import HfHubHTTPError

    return (*HfHubHTTPError.__bases__, OSError, RuntimeError, ValueError)


def _outside(error: Exception, repo: str, writes: bool = True) -> PairforgeError:
    """Convert an error of the Hub's client to one line for the user, without a token in it."""
    from huggingface_hub.errors import RepositoryNotFoundError

    cause, status = _cause(error)
    if status is None and isinstance(cause, json.JSONDecodeError):
        what = "what answers for the Hub isn't the Hub: a login page or a proxy?"
        return OutsideError(what, fix="open it in a browser")
    reason = reason_of(cause)
    if writes and (status == 400 or (status is None and isinstance(cause, ValueError))):
        return InputError(f"the Hub refuses the card or its data: {reason_of(error)}", fix="check --license")
    if writes and status in (402, 403, 413, 507) and _FULL.search(reason):
        what = f"the Hub has no room for more in {repo}: {reason}"
        return OutsideError(what, fix="free storage there, or ask the Hub for more")
    if status == 403 and _is_signed(cause):
        return OutsideError(f"the storage of the Hub refuses the upload: {reason}", fix="run the same command again")
    if not writes and isinstance(error, RepositoryNotFoundError):  # 401, where there is no token
        status = 404
    what, fix = (_PLAIN if writes else _READING).get(status or 0, _OTHER if writes else _UNREAD)
    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT"):
        if status is None and (value := os.environ.get(name)) not in (None, "", "0"):
            fix = f"check the network, and {name}, which is {value}"
            break
    login = login_advice("write" if writes else "read")
    return OutsideError(what.format(repo=repo, reason=reason), fix=fix.format(login=login, later=_later(cause)))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes; the client wraps errors in others."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _cause(error: BaseException) -> tuple[BaseException, int | None]:
    """Return the error that carries the server's response, and the status of that."""
    for one in _chain(error):
        if (response := getattr(one, "response", None)) is not None:
            return one, int(response.status_code)
    return error, None


def status_of(error: BaseException) -> int | None:
    """Return the status of the server's response to a request that failed, if there was one."""
    return _cause(error)[1]


def _wait_asked_for(error: BaseException) -> float:
    """Return the seconds that the response which an error carries asks to wait for."""
    response = getattr(error, "response", None)
    return 0.0 if response is None else retry_after(response.headers.get("retry-after"))


def _later(error: BaseException) -> str:
    asked = _wait_asked_for(error)
    return f"in {plural(ceil(asked / 60), 'minute')}" if asked > LONGEST_WAIT else "later"


def _refuse_long_wait(response: Any) -> None:
    """Raise the error of a response that asks for a longer wait than is made here: the Hub's client would sleep."""
    from huggingface_hub.utils import hf_raise_for_status

    if response.status_code >= 400 and retry_after(response.headers.get("retry-after")) > LONGEST_WAIT:
        hf_raise_for_status(response)


def _is_signed(error: BaseException) -> bool:
    """Return True for the response of a signed storage address, which expires: the Hub gives a new one when asked."""
    request = getattr(getattr(error, "response", None), "request", None)
    return bool(_SIGNED.search(str(getattr(request, "url", ""))))


def _passes(status: int) -> bool:
    """Return True for a status that another try may not get."""
    return status in _TRANSIENT or (status >= 500 and status != 507)


def reason_of(error: BaseException) -> str:
    """Return what the server or the network reported: one printable line, without a token, or the query of a URL."""
    said = getattr(error, "server_message", None) or str(error)
    line = next((line for line in said.splitlines() if line.strip()), type(error).__name__)
    line = re.sub(r"hf_\w+|Bearer \S+", "***", visible(line.strip()))
    return re.sub(r"(https?://[^\s?]*)\?[^\s'\")]*", r"\1", line)[:200]
