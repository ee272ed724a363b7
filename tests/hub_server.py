"""A server on the loopback that speaks as much of the Hugging Face Hub's protocol as the zoo and `HfApi` use.

Repositories live in memory as {path: bytes} per branch. `mode` says how weights are uploaded: "lfs" (Git LFS, needs
HF_HUB_DISABLE_XET=1 in the client) or "xet" (hf_xet writes to a folder named by a `local://` address). `fault` makes
the answers to chosen paths go wrong. `requests` records what was asked.
"""

import base64
import hashlib
import json
import re
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

LARGE = (".safetensors", ".bin", ".png")
TOKEN = "hf_loopback"


@dataclass
class Repository:
    """One repository: files per branch, the commit each is at, who may read it. Of other kinds: "spaces/OWNER/NAME"."""

    branches: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"main": {}})
    commits: dict[str, str] = field(default_factory=lambda: {"main": hashlib.sha1(b"root").hexdigest()})
    snapshots: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: list[str] = field(default_factory=lambda: ["fcn-zoo"])
    private: bool = False
    gated: bool = False
    listed_config: dict | None = None
    card: dict | None = None
    claimed_sizes: dict[str, int] = field(default_factory=dict)
    hidden_lfs: bool = False
    variables: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        self.branches[branch] = dict(files)
        seed = self.commits.get(branch, "") + branch + "".join(sorted(files)) + str(time.time_ns())
        self.commits[branch] = hashlib.sha1(seed.encode()).hexdigest()
        self.snapshots[self.commits[branch]] = dict(files)
        return self.commits[branch]

    def resolve(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        if revision in self.branches:
            return self.commits[revision], self.branches[revision]
        return (revision, self.snapshots[revision]) if revision in self.snapshots else None


@dataclass
class Fault:
    pattern: str
    kind: str
    times: int


class HubServer(ThreadingHTTPServer):
    """`with HubServer() as hub:` serves at `hub.endpoint`; `hub.add(id, files)` makes a repository."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, mode: str = "lfs", store: Path | None = None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.mode, self.store = mode, store
        self.repositories: dict[str, Repository] = {}
        self.collections: dict[str, list[str]] = {}
        self.objects: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.tokens: list[str | None] = []
        self.before_commit = None
        self.closing = threading.Event()
        self.endpoint = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.closing.set()
        self.shutdown()
        self.server_close()

    def add(self, name: str, files: dict[str, bytes] | Path, **properties) -> Repository:
        if isinstance(files, Path):
            paths = [path for path in files.rglob("*") if path.is_file()]
            files = {path.relative_to(files).as_posix(): path.read_bytes() for path in paths}
        repository = self.repositories[name] = Repository(**properties)
        repository.commit("main", files)
        return repository

    def fault(self, pattern: str, kind: str, times: int = 1000) -> None:
        """Spoil the next `times` requests that match: status, hang, cut, corrupt, loop, drip, slow, or a URL."""
        self.faults.append(Fault(pattern, kind, times))

    def handle_error(self, request, client_address):
        """A client that goes away in the middle of an answer is part of these tests."""

    def describe(self, name: str, revision: str, blobs: bool = False) -> dict | None:
        repository = self.repositories[name]
        found = repository.resolve(revision)
        if found is None:
            return None
        sha, files = found
        siblings = []
        for path, data in files.items():
            entry = {"rfilename": path}
            if blobs:
                entry |= {"size": repository.claimed_sizes.get(path, len(data)), "blobId": git_blob(data)}
                if path.endswith(LARGE) and not repository.hidden_lfs:
                    digest = hashlib.sha256(data).hexdigest()
                    entry["lfs"] = {"sha256": digest, "size": entry["size"], "pointerSize": 130}
            siblings.append(entry)
        answer = {"id": name, "sha": sha, "tags": repository.tags, "siblings": siblings, "private": repository.private}
        if repository.listed_config is not None:
            answer["config"] = repository.listed_config
        if repository.card is not None:
            answer["cardData"] = repository.card
        return answer

    def xet_hashes(self) -> dict[str, str]:
        """{sha256: xet hash} of the files in the hf_xet store, read from its shards' 48-byte records."""
        found = {}
        for shard in self.store.rglob("*.mdb"):
            data, position = shard.read_bytes(), 48
            while position + 48 <= len(data) and data[position : position + 32] != b"\xff" * 32:
                flags, entries = struct.unpack_from("<II", data, position + 32)
                extra = position + 48 * (1 + entries + (entries if flags >> 31 & 1 else 0))
                if flags >> 30 & 1:
                    found[_words(data[extra : extra + 32])] = _words(data[position : position + 32])
                    extra += 48
                position = extra
        return found


def _words(raw: bytes) -> str:
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", raw))


def git_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: HubServer

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def do_POST(self):
        self._answer()

    def do_PUT(self):
        self._answer()

    # -- plumbing

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, body: bytes = b"", **headers) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _json(self, value, status: int = 200, **headers) -> None:
        self._send(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def _error(self, status: int, code: str = "", **headers) -> None:
        self._json({"error": code or "error"}, status, **({"X_Error_Code": code} if code else {}), **headers)

    def _answer(self):
        self.content = self._body()
        parts = urlsplit(self.path)
        self.query = parse_qsl(parts.query)
        self.server.requests.append(f"{self.command} {self.path}")
        authorization = self.headers.get("Authorization")
        self.server.tokens.append(authorization and authorization.removeprefix("Bearer "))
        self.known = authorization == f"Bearer {TOKEN}"
        self.kind = self._fault(f"{self.command} {unquote(parts.path)}")
        if self.kind == "hang":
            self.server.closing.wait(30)
            self.close_connection = True
        elif self.kind == "loop":
            self._send(302, Location=self.path)
        elif self.kind.startswith("http"):
            self._send(302, Location=self.kind + self.path)
        elif self.kind == "not json":
            self._send(200, b"<html>log in to the airport's network</html>")
        elif self.kind.isdigit():
            self._error(int(self.kind), **({"Retry_After": "7"} if self.kind == "429" else {}))
        else:
            self._route(parts.path)

    def _fault(self, request: str) -> str:
        for fault in self.server.faults:
            if fault.times and re.search(fault.pattern, request):
                fault.times -= 1
                return fault.kind
        return ""

    # -- the protocol

    def _route(self, path: str) -> None:
        for method, pattern, action in ROUTES:
            if method in (self.command, self.command.replace("HEAD", "GET")) and (m := re.fullmatch(pattern, path)):
                return action(self, *map(unquote, m.groups()))
        return self._error(404)

    def _repository(self, name: str) -> Repository | None:
        repository = self.server.repositories.get(name)
        if repository is None or (repository.private and not self.known):
            self._error(404 if self.known else 401, "RepoNotFound")
            return None
        return repository

    def models(self):
        query = dict(self.query)
        names = [
            name
            for name, repository in self.server.repositories.items()
            if query.get("filter", "fcn-zoo") in repository.tags
            and query.get("author", name.split("/")[0]) == name.split("/")[0]
            and (self.known or not repository.private)
        ]
        self._json([self.server.describe(name, "main") for name in names[: int(query.get("limit", 1000))]])

    def model(self, name: str, revision: str = "main"):
        if self._repository(name):
            answer = self.server.describe(name, revision, dict(self.query).get("blobs") == "true")
            return self._json(answer) if answer else self._error(404, "RevisionNotFound")

    def file(self, name: str, revision: str, path: str):
        repository = self._repository(name)
        if repository is None:
            return None
        if repository.gated:
            return self._error(403, "GatedRepo")
        found = repository.resolve(revision)
        if found is None:
            return self._error(404, "RevisionNotFound")
        sha, files = found
        if path not in files:
            return self._error(404, "EntryNotFound", X_Repo_Commit=sha)
        return self._file_body(name, sha, path, files[path])

    def _file_body(self, name: str, sha: str, path: str, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        headers = {"X_Repo_Commit": sha, "ETag": f'"{digest}"', "X_Linked_Size": len(data)}
        if self.server.mode == "xet" and path.endswith(LARGE):
            refresh = f"{self.server.endpoint}/api/models/{name}/xet-read-token/{sha}"
            headers |= {"X_Xet_Hash": self.server.xet_hashes()[digest], "X_Xet_Refresh_Route": refresh}
        if self.kind == "corrupt":
            data = bytes([data[0] ^ 1]) + data[1:-1] + bytes([data[-1] ^ 1])
        if self.kind == "slow":  # whole in three seconds
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            step = -(-len(data) // 20)
            for start in range(0, len(data), step):
                self.wfile.write(data[start : start + step])
                self.server.closing.wait(0.15)
        elif self.kind in ("cut", "drip"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            for index in range(len(data) // 2 if self.kind == "cut" else len(data)):
                self.wfile.write(data[index : index + 1])
                if self.kind == "drip":
                    self.wfile.flush()
                    if self.server.closing.wait(0.05):
                        return
            self.wfile.flush()
            self.close_connection = True
        else:
            self._send(200, data, **headers)

    def collection(self, slug: str):
        if slug not in self.server.collections:
            return self._error(404)
        items = [{"_id": str(i), "id": name, "type": "model"} for i, name in enumerate(self.server.collections[slug])]
        return self._json({"slug": slug, "title": slug, "owner": {"name": "x"}, "items": items})

    def create(self):
        if not self.known:
            return self._error(401)
        wanted = json.loads(self.content)
        name = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
        name = f"{wanted['type']}s/{name}" if wanted.get("type") in ("space", "dataset") else name
        exists = name in self.server.repositories
        if not exists:
            self.server.repositories[name] = Repository(private=wanted.get("visibility") == "private")
        return self._json({"url": f"{self.server.endpoint}/{name}", "id": name}, 409 if exists else 200)

    def branch(self, name: str, branch: str):
        repository = self.server.repositories[name]
        repository.commit(branch, repository.branches["main"])
        self._json({})

    def preupload(self, name: str, revision: str):
        if not self.known:
            return self._error(403)
        files = json.loads(self.content)["files"]
        modes = {f["path"]: "lfs" if f["path"].endswith(LARGE) else "regular" for f in files}
        return self._json({"files": [{"path": p, "uploadMode": m, "shouldIgnore": False} for p, m in modes.items()]})

    def batch(self, name: str):
        objects = []
        for wanted in json.loads(self.content)["objects"]:
            if wanted["oid"] not in self.server.objects:
                wanted["actions"] = {"upload": {"href": f"{self.server.endpoint}/lfs/{wanted['oid']}"}}
            objects.append(wanted)
        self._json({"transfer": "basic", "objects": objects})

    def upload(self, oid: str):
        assert hashlib.sha256(self.content).hexdigest() == oid
        self.server.objects[oid] = self.content
        self._send(200)

    def commit(self, name: str, revision: str):
        if not self.known:
            return self._error(403)
        repository = self.server.repositories[name]
        if self.server.before_commit:
            self.server.before_commit(repository)
        lines = [json.loads(line) for line in self.content.splitlines()]
        parent = lines[0]["value"].get("parentCommit")
        if parent not in (None, repository.commits.get(revision)):
            return self._error(412)
        files = dict(repository.branches[revision])
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self._object(value["oid"])
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        answer = {}
        if dict(self.query).get("create_pr"):
            revision = f"refs/pr/{len(repository.branches)}"
            answer["pullRequestUrl"] = f"{self.server.endpoint}/{name}/discussions/{len(repository.branches)}"
        sha = repository.commit(revision, files)
        return self._json(answer | {"commitUrl": f"{self.server.endpoint}/{name}/commit/{sha}", "commitOid": sha})

    def _object(self, oid: str) -> bytes:
        if self.server.mode != "xet":
            return self.server.objects[oid]
        import hf_xet

        target = self.server.store / "joined" / oid
        target.parent.mkdir(exist_ok=True)
        session = hf_xet.XetSession()
        with session.new_file_download_group(endpoint=f"local://{self.server.store}") as group:
            group.start_download_file(hf_xet.XetFileInfo(self.server.xet_hashes()[oid], None), str(target))
        return target.read_bytes()

    def xet_token(self, name: str, kind: str, revision: str):
        address, expiry = f"local://{self.server.store}", int(time.time()) + 3600
        headers = {"X_Xet_Cas_Url": address, "X_Xet_Access_Token": "x", "X_Xet_Token_Expiration": expiry}
        self._json({"casUrl": address, "accessToken": "x", "exp": expiry}, **headers)

    def variable(self, name: str):
        wanted = json.loads(self.content)
        self.server.repositories[name].variables[wanted["key"]] = wanted["value"]
        self._json({wanted["key"]: {"value": wanted["value"]}})

    def validate(self):
        self._json({"warnings": [], "errors": []})

    def who(self):
        return self._json({"name": "me", "type": "user"}) if self.known else self._error(401)


REPOSITORY, PART = r"((?:spaces/|datasets/)?[\w.-]+/[\w.-]+)", r"([^/]+)"
API = r"/api/(?:models/|(?=spaces/|datasets/))((?:spaces/|datasets/)?[\w.-]+/[\w.-]+)"
ROUTES = [
    ("GET", r"/api/models", Handler.models),
    ("GET", rf"{API}", Handler.model),
    ("GET", rf"{API}/revision/{PART}", Handler.model),
    ("GET", rf"{API}/xet-(read|write)-token/{PART}", Handler.xet_token),
    ("GET", r"/api/collections/(.+)", Handler.collection),
    ("GET", r"/api/whoami-v2", Handler.who),
    ("GET", rf"/{REPOSITORY}/resolve/{PART}/(.+)", Handler.file),
    ("POST", r"/api/repos/create", Handler.create),
    ("POST", rf"{API}/variables", Handler.variable),
    ("POST", r"/api/validate-yaml", Handler.validate),
    ("POST", rf"{API}/branch/{PART}", Handler.branch),
    ("POST", rf"{API}/preupload/{PART}", Handler.preupload),
    ("POST", rf"{API}/commit/{PART}", Handler.commit),
    ("POST", rf"/{REPOSITORY}\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", r"/lfs/([0-9a-f]+)", Handler.upload),
]
