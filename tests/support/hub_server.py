"""A Hub in memory: the parts of the HTTP API that publishing and loading use, with LFS storage and no Xet.

``fail_at`` makes every request to one step answer with an error or break off. What is committed is never changed in
place, so a repository's history shows whether an old version is whole.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from support.card_heads import EMPTY, card_head_errors, is_empty
from support.hub_repo import DROP_AFTER, NAMESPACE, TOKEN, Blob, Repo

_PAGE = 4  # files listed at a time


class FakeHub:
    """The server; files of a repository are ``contents("model", "org/name")``."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.storage: dict[str, bytes] = {}
        self.requests: list[str] = []  # the steps that were asked for
        self.misuse: list[str] = []  # what a client must not do
        self.broken: dict[str, int] = {}
        self.malformed: dict[str, Any] = {}
        self.meanwhile: dict[str, Callable[[], object]] = {}  # what others do once, before a step
        self.committing = threading.Lock()  # of two commits at once the second follows the first
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.hub = self  # type: ignore[attr-defined]
        port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        self.storage_endpoint = f"http://localhost:{port}"  # to a client another host
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def fail_at(self, step: str, status: int) -> Iterator[None]:
        """Every request to the step fails within."""
        self.broken[step] = status
        try:
            yield
        finally:
            del self.broken[step]

    @contextmanager
    def malformed_at(self, step: str, answer: Any) -> Iterator[None]:
        """Every request to the step is answered with this JSON, and nothing else happens."""
        self.malformed[step] = answer
        try:
            yield
        finally:
            del self.malformed[step]

    def contents(self, kind: str, repo_id: str) -> dict[str, bytes]:
        return {path: blob.data for path, blob in self.repos[kind, repo_id].commits[-1][1].items()}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet: the second of two would wait for the first one's receipt

    @property
    def hub(self) -> FakeHub:
        return self.server.hub  # type: ignore[attr-defined, no-any-return]

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def _serve(self) -> None:
        self.body = self._read_body()
        path = unquote(urlsplit(self.path).path).strip("/").split("/")
        self.query = parse_qs(urlsplit(self.path).query)
        step, action = self._route(path)
        self.hub.requests.append(step)
        self.hub.meanwhile.pop(step, lambda: None)()
        failure = self.hub.broken.get(step, 0)
        if failure == DROP_AFTER:
            action(*path, silent=True)
        if failure < 0:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif failure:
            self._error(failure, "a failure", {"Retry-After": "7"} if failure == 429 else {})
        elif step in self.hub.malformed:
            self._json(self.hub.malformed[step])
        elif step.startswith("lfs_upload") or step == "storage":
            if self.headers["Authorization"]:
                self.hub.misuse.append(f"the token was sent to the storage: {self.path}")
            action(*path)
        elif self.headers["Authorization"] not in (None, f"Bearer {TOKEN}"):
            self._error(401, "Invalid credentials in Authorization header")
        elif self.headers["Authorization"] is None and step not in ("info", "tree", "paths", "resolve"):
            self._error(401, "Invalid username or password.")
        else:
            action(*path)

    def _read_body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _route(self, path: list[str]) -> tuple[str, Any]:
        match path:
            case ["api", "whoami-v2"]:
                return "whoami", lambda *_: self._json(
                    {"name": "someone", "type": "user", "orgs": [{"name": NAMESPACE}]}
                )
            case ["api", "repos", "create"]:
                return "create", self._create
            case ["api", "validate-yaml"]:
                return "validate", self._validate
            case ["api", kind, org, name] | ["api", kind, org, name, "revision", _]:
                return "info", lambda *_: self._info(kind, f"{org}/{name}", path[5] if len(path) > 5 else "main")
            case ["api", kind, org, name, "tree", revision, *folder]:
                return "tree", lambda *_: self._tree(kind, f"{org}/{name}", revision, folder)
            case ["api", kind, org, name, "preupload", _]:
                return "preupload", lambda *_: self._preupload(kind, f"{org}/{name}")
            case ["api", kind, org, name, "commit", _]:
                return "commit", lambda *_, silent=False: self._commit(kind, f"{org}/{name}", silent)
            case [*_, "info", "lfs", "objects", "batch"]:
                return "lfs_batch", self._batch
            case ["storage", oid] if self.command == "PUT":
                return "lfs_upload", lambda *_: self._store(oid)
            case ["storage", oid]:
                return "storage", lambda *_: self._bytes(self.hub.storage[oid])
            case ["lfs-verify"]:
                return "lfs_verify", lambda *_: self._json({})
            case ["spaces" | "datasets" as kind, org, name, "resolve", revision, *file]:
                return "resolve", lambda *_: self._resolve(kind, f"{org}/{name}", revision, "/".join(file))
            case ["api", kind, org, name, "paths-info", revision]:
                return "paths", lambda *_: self._paths(kind, f"{org}/{name}", revision)
            case [org, name, "resolve", revision, *file]:
                return "resolve", lambda *_: self._resolve("models", f"{org}/{name}", revision, "/".join(file))
        return "unknown", lambda *_: self._error(404, "Sorry, we can't find the page you are looking for.")

    def _validate(self, *_: str) -> None:
        asked = json.loads(self.body)
        errors = card_head_errors(asked["content"], asked["repoType"])
        warnings = [{"message": EMPTY}] if not errors and is_empty(asked["content"]) else []
        self._json({"errors": [{"message": e} for e in errors], "warnings": warnings}, 400 if errors else 200)

    def _repo(self, kind: str, repo_id: str) -> Repo | None:
        """The repository; what may not be seen is not there."""
        repo = self.hub.repos.get((kind.removesuffix("s"), repo_id))
        if repo is None or (repo.private and self.headers["Authorization"] is None):
            self._error(404, "Repository not found", {"X-Error-Code": "RepoNotFound"})
            return None
        return repo

    def _at(self, kind: str, repo_id: str, revision: str) -> tuple[str, dict[str, Blob]] | None:
        repo = self._repo(kind, repo_id)
        found = repo.at(revision) if repo else None
        if repo and found is None:
            self._error(404, "Invalid rev id", {"X-Error-Code": "RevisionNotFound"})
        return found

    def _create(self, *_: str, silent: bool = False) -> None:
        asked = json.loads(self.body)
        kind, repo_id = asked.get("type", "model"), f"{asked['organization']}/{asked['name']}"
        url = f"{self.hub.endpoint}/{'spaces/' if kind == 'space' else ''}{repo_id}"
        if asked["organization"] != NAMESPACE:
            self._error(
                403, f"You don't have the rights to create a {kind} under the namespace {asked['organization']!r}"
            )
        elif (kind, repo_id) in self.hub.repos:
            self._json({"error": f"You already created this {kind} repo", "url": url}, 409)
        else:
            repo = Repo(asked.get("visibility") == "private", asked.get("sdk"))
            files = {".gitattributes": Blob(b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n", False)}
            if kind == "space":
                files["README.md"] = Blob(b"---\nsdk: gradio\n---\n", False)
            repo.commit(files)
            self.hub.repos[kind, repo_id] = repo
            if not silent:
                self._json({"url": url})

    def _info(self, kind: str, repo_id: str, revision: str) -> None:
        if found := self._at(kind, repo_id, revision):
            repo = self.hub.repos[kind.removesuffix("s"), repo_id]
            siblings = [{"rfilename": path} for path in found[1]]
            self._json({"id": repo_id, "sha": found[0], "private": repo.private, "siblings": siblings, "tags": []})

    def _tree(self, kind: str, repo_id: str, revision: str, folder: list[str]) -> None:
        if (found := self._at(kind, repo_id, revision)) is None:
            return
        if folder:
            self._error(404, "not found", {"X-Error-Code": "EntryNotFound"})
            return
        start = int(self.query.get("cursor", ["0"])[0])
        entries: list[dict[str, Any]] = []
        entries += [blob.entry(path) for path, blob in sorted(found[1].items())[start : start + _PAGE]]
        more = start + _PAGE < len(found[1])
        next_page = f"{self.hub.endpoint}{urlsplit(self.path).path}?recursive=True&cursor={start + _PAGE}"
        self._json(entries, headers={"Link": f'<{next_page}>; rel="next"'} if more else {})

    def _paths(self, kind: str, repo_id: str, revision: str) -> None:
        if found := self._at(kind, repo_id, revision):
            asked = json.loads(self.body)["paths"]
            self._json([blob.entry(path) for path, blob in found[1].items() if path in asked])

    def _preupload(self, kind: str, repo_id: str) -> None:
        if (repo := self._repo(kind, repo_id)) is None or not self._may_write(repo_id):
            return
        asked, there = json.loads(self.body), repo.commits[-1][1]
        ignored = asked.get("gitIgnore", there[".gitignore"].data.decode() if ".gitignore" in there else "").split()
        files = []
        for file in asked["files"]:
            path = file["path"]
            mode = "lfs" if path.endswith(".safetensors") else "regular"
            answer = {"path": path, "uploadMode": mode, "shouldIgnore": path in ignored}
            files.append({**answer, "oid": there[path].etag} if path in there else answer)
        self._json({"files": files})

    def _batch(self, *_: str) -> None:
        objects = []
        for wanted in json.loads(self.body)["objects"]:
            actions = {
                "upload": {"href": f"{self.hub.storage_endpoint}/storage/{wanted['oid']}?signature=Signed"},
                "verify": {"href": f"{self.hub.endpoint}/lfs-verify"},
            }
            objects.append(wanted if wanted["oid"] in self.hub.storage else {**wanted, "actions": actions})
        self._json({"transfer": "basic", "objects": objects})

    def _store(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            self._error(400, "The checksum is wrong")
            return
        self.hub.storage[oid] = self.body
        self._bytes(b"")

    def _commit(self, kind: str, repo_id: str, silent: bool) -> None:
        if (repo := self._repo(kind, repo_id)) is None or not self._may_write(repo_id):
            return
        with self.hub.committing:
            commit = self._committed(repo)
        if commit and not silent:
            self._json({"commitUrl": f"{self.hub.endpoint}/{repo_id}/commit/{commit}", "commitOid": commit})

    def _committed(self, repo: Repo) -> str | None:
        """The commit that the body asks for; None, and an answer, if it comes too late."""
        files = dict(repo.commits[-1][1])
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            match item["key"]:
                case "header":
                    if value.get("parentCommit", repo.head) != repo.head:
                        self._error(412, "A commit has happened since. Please refresh and try again.")
                        return None
                case "file":
                    files[value["path"]] = Blob(base64.b64decode(value["content"]), False)
                case "lfsFile":
                    files[value["path"]] = Blob(self.hub.storage[value["oid"]], True)
                case "deletedFile":
                    del files[value["path"]]
        return repo.commit(files)

    def _may_write(self, repo_id: str) -> bool:
        allowed = repo_id.startswith(f"{NAMESPACE}/")
        if not allowed:
            self._error(403, "Forbidden: you must use a write token to upload to a repository.")
        return allowed

    def _resolve(self, kind: str, repo_id: str, revision: str, path: str) -> None:
        if (found := self._at(kind, repo_id, revision)) is None:
            return
        commit, files = found
        blob = files.get(path)
        if blob is None:
            self._error(404, "Entry not found", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
            return
        headers = {"X-Repo-Commit": commit, "ETag": f'"{blob.etag}"'}
        if blob.lfs:
            location = f"{self.hub.storage_endpoint}/storage/{blob.etag}?signature=Signed"
            linked = {"X-Linked-Etag": f'"{blob.etag}"', "X-Linked-Size": str(len(blob.data)), "Location": location}
            self._bytes(b"", 302, {**headers, **linked})
        else:
            self._bytes(blob.data, 200, headers)

    def _error(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self._json({"error": message}, status, {"X-Error-Message": message, **(headers or {})})

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._bytes(json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def _bytes(self, data: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
