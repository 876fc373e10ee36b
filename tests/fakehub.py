"""A small Hub on 127.0.0.1: the routes that a push and a `load_dataset` need, and faults on demand.

    with FakeHub() as hub:
        hub.url                      # for HF_ENDPOINT, with HF_HUB_DISABLE_XET=1
        hub.put("me/pairs", {"notes.txt": b"mine"})
        hub.faults.append("lost")    # the next commit lands, its answer doesn't

Faults, one for each commit request: "lost" (lands, then the connection closes), "raced" (somebody else commits first),
"html" (lands, answered with a page), an int (refused with that status). `hub.stumbles` refuses the next requests whose
path holds a text with a status, once each. `hub.retry_after`
is how long each refusal asks to wait, in seconds. `hub.served` is what a path is answered with in place of its content.
`hub.down` is for every request: a status, 200 for the page of a captive portal, 0 for a connection that closes without
an answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

WRITER, READER = "hf_" + "w" * 34, "hf_" + "r" * 34
_TOKENS = {f"Bearer {WRITER}": "write", f"Bearer {READER}": "read"}
_OWNER = "me"
_PORTAL = b"<html>Welcome to the airport's network</html>"


@dataclass
class Repo:
    """A dataset or a model: its files on main, a sha for each commit, and the files as of each.

    `branches` holds what the other branches and the pull requests are (`refs/pr/1`), as repositories of their own.
    """

    private: bool = True
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.parquet filter=lfs\n"})
    commits: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    past: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    branches: dict[str, Repo] = field(default_factory=dict)

    def commit(self, changes: dict[str, bytes], deleted: Collection[str] = (), title: str = "by hand") -> str:
        self.files = {path: data for path, data in (self.files | changes).items() if path not in deleted}
        seed = repr((len(self.commits), sorted(self.files.items()))).encode()
        self.commits.append(hashlib.sha1(seed).hexdigest())
        self.titles.append(title)
        self.past[self.commits[-1]] = self.files
        return self.commits[-1]

    def branch(self, name: str) -> Repo:
        made = Repo(self.private, self.files, [*self.commits], [*self.titles], self.past)
        return self.branches.setdefault(name, made)


class FakeHub:
    """The server, its state, and what it was asked (`requests`: method, path, authorization header)."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.faults: list[str | int] = []
        self.stumbles: list[tuple[str, int, str]] = []
        self.retry_after: int | None = None
        self.down: int | None = None
        self.served: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str]] = []
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FakeHub:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, name: str, files: dict[str, bytes], private: bool = True) -> Repo:
        """A dataset that is already there."""
        repo = self.repos.setdefault(name, Repo(private))
        repo.commit(files)
        return repo


class _RefusedError(Exception):
    """An answer other than 200: status, X-Error-Code, X-Error-Message."""


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815

    def _serve(self) -> None:
        self.close_connection = False
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        self.hub.requests.append((self.command, url.path, self.headers.get("Authorization", "")))
        try:
            stumble = next((one for one in self.hub.stumbles if one[0] in url.path), None)
            if stumble:
                self.hub.stumbles.remove(stumble)
                raise _RefusedError(stumble[1], "", stumble[2])
            if self.hub.down is None:
                self._route(unquote(url.path))
            elif self.hub.down == 0:
                self.close_connection = True
            elif self.hub.down == 200:
                self._answer(_PORTAL)
            else:
                raise _RefusedError(self.hub.down, "", "the fake Hub is down")
        except _RefusedError as refused:
            status, code, message = refused.args
            headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
            headers |= {"Retry-After": str(self.hub.retry_after)} if self.hub.retry_after else {}
            self._answer({"error": message, "url": self.hub.url}, status, headers)

    def _route(self, path: str) -> None:
        for pattern, method in _ROUTES:
            if found := re.fullmatch(pattern, path):
                method(self, **found.groupdict())
                return
        raise _RefusedError(404, "", f"the fake Hub has no route {self.command} {path}")

    def _answer(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in ({"Content-Length": str(len(data))} | (headers or {})).items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _role(self) -> str | None:
        given = self.headers.get("Authorization", "")
        if given and given not in _TOKENS:
            raise _RefusedError(401, "", "Invalid credentials in Authorization header")
        return _TOKENS.get(given)

    def _repo(self, name: str) -> Repo:
        repo = self.hub.repos.get(name)
        if repo is None or (repo.private and self._role() is None):
            raise _RefusedError(404, "RepoNotFound", "Repository not found")
        return repo

    def _write_access(self, name: str) -> None:
        if self._role() != "write" or not name.startswith(f"{_OWNER}/"):
            raise _RefusedError(403, "", f"no write access with {self.headers.get('Authorization')}")

    def _version(self, name: str, rev: str | None) -> Repo:
        repo = self._repo(name)
        if rev in (None, "main"):
            return repo
        if rev in repo.branches:
            return repo.branches[rev]
        sha = repo.tags.get(rev, rev)
        if sha not in repo.past:
            raise _RefusedError(404, "RevisionNotFound", "Revision not found")
        return Repo(repo.private, repo.past[sha], [sha], [""], repo.past)

    def whoami(self) -> None:
        if self._role() is None:
            raise _RefusedError(401, "", "Invalid credentials in Authorization header")
        self._answer({"type": "user", "name": _OWNER, "fullname": "Me", "orgs": [], "auth": {}})

    def auth_check(self, name: str, write: str | None) -> None:
        self._repo(name)
        self._role()
        if write:
            self._write_access(name)
        self._answer({})

    def create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization'] or _OWNER}/{asked['name']}"
        self._write_access(name)
        if name in self.hub.repos:
            raise _RefusedError(409, "", "You already created this dataset repo")
        repo = self.hub.put(name, {}, private=asked.get("visibility") == "private" or bool(asked.get("private")))
        self._answer({"url": f"{self.hub.url}/datasets/{name}", "sha": repo.commits[-1]})

    def info(self, name: str, rev: str | None = None) -> None:
        repo = self._version(name, rev)
        files = repo.files.items()
        siblings = [{"rfilename": path, "size": len(data), **_blob(path, data, "sha256")} for path, data in files]
        self._answer({"id": name, "sha": repo.commits[-1], "private": repo.private, "tags": [], "siblings": siblings})

    def tree(self, name: str, rev: str, folder: str | None) -> None:
        repo = self._version(name, rev)
        found = {path: data for path, data in repo.files.items() if path.startswith(f"{folder}/" if folder else "")}
        above = {str(one) for path in found for one in PurePosixPath(path).parents} - {".", folder or "."}
        listed = [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in sorted(above)]
        self._answer(listed + [_file(path, data) for path, data in found.items()])

    def paths(self, name: str, rev: str) -> None:
        repo = self._version(name, rev)
        asked = parse_qs(self.body.decode()).get("paths", [])
        files = [_file(path, repo.files[path]) for path in asked if path in repo.files]
        folders = [path for path in asked if any(file.startswith(f"{path}/") for file in repo.files)]
        self._answer(files + [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders])

    def refs(self, name: str) -> None:
        repo = self._repo(name)
        heads = {"main": repo} | {branch: one for branch, one in repo.branches.items() if "/" not in branch}
        branches = [
            {"name": branch, "ref": f"refs/heads/{branch}", "targetCommit": one.commits[-1]}
            for branch, one in heads.items()
        ]
        tags = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": sha} for tag, sha in repo.tags.items()]
        self._answer({"branches": branches, "converts": [], "tags": tags})

    def branch(self, name: str, branch: str) -> None:
        self._write_access(name)
        self._repo(name).branch(branch)
        self._answer({})

    def tag(self, name: str, rev: str) -> None:
        self._write_access(name)
        tags, asked = self._repo(name).tags, json.loads(self.body)["tag"]
        if asked in tags:
            raise _RefusedError(409, "", f"Tag reference exists already: {asked}")
        tags[asked] = self._version(name, rev).commits[-1]
        self._answer({})

    def commits(self, name: str, rev: str) -> None:
        repo = self._version(name, rev)
        made = [
            {
                "id": sha,
                "authors": [{"user": _OWNER}],
                "date": "2026-01-01T00:00:00.000Z",
                "title": title,
                "message": "",
            }
            for sha, title in zip(repo.commits, repo.titles, strict=True)
        ]
        self._answer(made[::-1])

    def discussions(self, name: str) -> None:
        found = [
            {
                "title": one.titles[-1], "num": int(branch.rpartition("/")[2]), "author": {"name": _OWNER},
                "createdAt": "2026-01-01T00:00:00.000Z", "status": "open", "isPullRequest": True,
                "repo": {"name": name, "type": "dataset"},
            }
            for branch, one in self._repo(name).branches.items() if branch.startswith("refs/pr/")
        ]  # fmt: skip
        self._answer({"discussions": found, "count": len(found), "start": 0})

    def resolve(self, name: str, rev: str, path: str) -> None:
        repo = self._version(name, rev)
        if path not in repo.files:
            raise _RefusedError(404, "EntryNotFound", "Entry not found")
        data = self.hub.served.get(path, repo.files[path])
        etag = hashlib.sha256(data).hexdigest()
        self._answer(data, headers={"ETag": f'"{etag}"', "X-Repo-Commit": repo.commits[-1], "Accept-Ranges": "bytes"})

    def validate_yaml(self) -> None:
        self._answer({"errors": [], "warnings": []})

    def preupload(self, name: str, rev: str) -> None:
        self._write_access(name)
        files = [file["path"] for file in json.loads(self.body)["files"]]
        modes = {path: "lfs" if _large(path) else "regular" for path in files}
        plan = [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]
        self._answer({"files": plan})

    def lfs_batch(self, name: str) -> None:
        self._write_access(name)
        objects = [{"oid": item["oid"], "size": item["size"]} for item in json.loads(self.body)["objects"]]
        for item in objects:
            if item["oid"] not in self.hub.blobs:
                item["actions"] = {"upload": {"href": f"{self.hub.url}/storage/{item['oid']}?X-Amz-Signature=secret"}}
        self._answer({"transfer": "basic", "objects": objects})

    def lfs_put(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise _RefusedError(400, "", "the content isn't that of its name")
        self.hub.blobs[oid] = self.body
        self._answer({})

    def commit(self, name: str, rev: str) -> None:
        self._write_access(name)
        repo = self._version(name, rev)
        fault = self.hub.faults.pop(0) if self.hub.faults else None
        if isinstance(fault, int):
            raise _RefusedError(fault, "", "a planned failure")
        lines = [json.loads(line) for line in self.body.splitlines()]
        head = lines[0]["value"]
        if fault == "raced":
            repo.commit({"other.txt": b"somebody was faster"}, title="mine first")
        if head.get("parentCommit") != repo.commits[-1]:
            raise _RefusedError(412, "", "A commit has happened since. Please refresh and try again.")
        deleted = [line["value"]["path"] for line in lines[1:] if line["key"] == "deletedFile"]
        added = {line["value"]["path"]: self._content(line) for line in lines[1:] if line["key"] != "deletedFile"}
        opened = {}
        if self.query.get("create_pr"):
            number = 1 + sum(branch.startswith("refs/pr/") for branch in repo.branches)
            repo = repo.branch(f"refs/pr/{number}")
            opened = {"pullRequestUrl": f"{self.hub.url}/datasets/{name}/discussions/{number}"}
        sha = repo.commit(added, deleted, head["summary"])
        if fault == "lost":
            self.close_connection = True
        elif fault == "html":
            self._answer(_PORTAL)
        else:
            self._answer({"commitOid": sha, "commitUrl": f"{self.hub.url}/datasets/{name}/commit/{sha}", **opened})

    def _content(self, line: dict[str, Any]) -> bytes:
        value = line["value"]
        return self.hub.blobs[value["oid"]] if line["key"] == "lfsFile" else base64.b64decode(value["content"])


def _large(path: str) -> bool:
    return path.endswith((".parquet", ".safetensors"))


def _blob(path: str, data: bytes, name: str) -> dict[str, Any]:
    lfs = {name: hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
    return {"blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()} | (
        {"lfs": lfs} if _large(path) else {}
    )


def _file(path: str, data: bytes) -> dict[str, Any]:
    known = _blob(path, data, "oid")
    return {"type": "file", "path": path, "size": len(data), "oid": known["blobId"]} | known


_NAME, _API = r"(?P<name>[^/]+/[^/]+)", r"/api/(?:datasets|models)/"
_REV = r"/(?P<rev>refs/[^/]+/[^/]+|[^/]+)"
_ROUTES: list[tuple[str, Callable[..., None]]] = [
    (r"/api/repos/create", _Handler.create),
    (r"/api/validate-yaml", _Handler.validate_yaml),
    (_API + _NAME + r"/auth-check(?P<write>/write)?", _Handler.auth_check),
    (_API + _NAME + r"/revision" + _REV, _Handler.info),
    (_API + _NAME + r"/refs", _Handler.refs),
    (_API + _NAME + r"/tree" + _REV + r"(?:/(?P<folder>.+))?", _Handler.tree),
    (_API + _NAME + r"/paths-info" + _REV, _Handler.paths),
    (_API + _NAME + r"/preupload" + _REV, _Handler.preupload),
    (_API + _NAME + r"/commit" + _REV, _Handler.commit),
    (_API + _NAME + r"/commits" + _REV, _Handler.commits),
    (_API + _NAME + r"/branch/(?P<branch>.+)", _Handler.branch),
    (_API + _NAME + r"/tag" + _REV, _Handler.tag),
    (_API + _NAME + r"/discussions", _Handler.discussions),
    (r"/api/whoami-v2", _Handler.whoami),
    (_API + _NAME, _Handler.info),
    (r"(?:/datasets)?/" + _NAME + r"\.git/info/lfs/objects/batch", _Handler.lfs_batch),
    (r"(?:/datasets)?/" + _NAME + r"/resolve" + _REV + r"/(?P<path>.+)", _Handler.resolve),
    (r"/storage/(?P<oid>[0-9a-f]{64})", _Handler.lfs_put),
]
