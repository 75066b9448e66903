"""What the fake Hub stores, and how the real one would answer requests about it."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import yaml

Answer = tuple[int, bytes, dict]  # status, content, headers


@dataclass
class Repo:
    """Commits (sha → file → content), branches (name → sha), and whether its terms must be accepted."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False
    sdk: str | None = None  # of a Space

    def commit(self, changes: dict[str, bytes | None], branch: str = "main", onto: str | None = None) -> str:
        """Commits changes to a branch, which grows out of the branch `onto` where it is new."""
        parent = self.branches.get(branch, self.branches.get(onto))
        files = {**self.commits.get(parent, {}), **changes}
        files = {name: content for name, content in files.items() if content is not None}
        sha = hashlib.sha1(repr((parent, len(self.commits), sorted(files.items()))).encode()).hexdigest()
        self.commits[sha] = files
        self.branches[branch] = sha
        return sha


def is_large(name: str) -> bool:
    """Whether a file lies in the large storage, as .gitattributes of a new repository has it."""
    return name.endswith((".safetensors", ".png", ".webp", ".bin"))


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def etag(name: str, content: bytes) -> str:
    return sha256(content) if is_large(name) else git_hash(content)


def as_json(value: object, status: int = 200) -> Answer:
    return status, json.dumps(value).encode(), {"Content-Type": "application/json"}


class Repositories:
    """`repos` by name (of a Space as "spaces/owner/name"), and the large files that were sent ahead of their commit."""

    def __init__(self):
        self.address = ""
        self.repos: dict[str, Repo] = {}
        self.storage: dict[str, bytes] = {}
        self.messages: list[str] = []  # of the commits
        self.before_commit: Callable[[], object] | None = None  # what others do at the last moment

    def clear(self) -> None:
        self.repos.clear(), self.storage.clear(), self.messages.clear()
        self.before_commit = None

    def route(self, method: str, path: str, query: str, body: bytes) -> Answer:
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return self._validate(json.loads(body)["content"])
        if path == "/api/whoami-v2":
            return as_json({"type": "user", "name": "me", "orgs": []})
        if path.startswith("/storage/"):
            return self._store(path.removeprefix("/storage/"), body)
        if ".git/info/lfs/" in path:
            return self._large_files(path.split(".git/info/lfs/")[1], json.loads(body))
        if path.startswith(("/api/models/", "/api/datasets/", "/api/spaces/")):
            kind, owner, name, *rest = path.split("/")[2:]
            repo_id, action = f"{owner}/{name}", (rest or [""])[0]
            revision = "/".join(rest[1:] if action in ("branch", "revision") else rest[1:2]) or "main"
        elif "/resolve/" in path:
            repo_id, rest = path[1:].split("/resolve/")
            kind, action, (revision, name) = "models", "resolve", rest.split("/", 1)
        else:
            return 404, b"", {}
        repo = self.repos.get(f"spaces/{repo_id}" if kind == "spaces" else repo_id)
        if repo is None:
            return 404, b"", {"X-Error-Code": "RepoNotFound"}
        if repo.gated and action == "resolve":
            return 403, b"", {"X-Error-Code": "GatedRepo"}
        if action == "preupload":
            return self._preupload(repo, revision, json.loads(body)["files"])
        if action == "commit":
            return self._commit(repo_id, repo, revision, body, "create_pr=1" in query)
        if action == "branch":
            return self._branch(repo, revision)
        sha = repo.branches.get(revision, revision)
        if sha not in repo.commits and (repo.commits or action == "resolve"):
            return 404, b"", {"X-Error-Code": "RevisionNotFound"}
        files = repo.commits.get(sha, {})
        if action in ("", "revision"):
            return self._info(repo_id, repo, sha, files, "blobs=" in query)
        if action == "tree":
            return as_json([self._entry(name, content) for name, content in files.items()])
        return self._resolve(path, query, sha, name, files) if action == "resolve" else (404, b"", {})

    @staticmethod
    def _validate(card: str) -> Answer:
        try:
            yaml.safe_load(card.split("---")[1] if card.startswith("---") else "")
        except yaml.YAMLError as error:
            return as_json({"errors": [{"message": str(error)}], "warnings": []}, 400)
        return as_json({"errors": [], "warnings": []})

    def _create(self, wanted: dict) -> Answer:
        name = f"{wanted['organization']}/{wanted['name']}" if wanted.get("organization") else wanted["name"]
        is_space = wanted.get("type") == "space"
        key, private = f"spaces/{name}" if is_space else name, wanted.get("visibility") == "private"
        new = key not in self.repos
        self.repos.setdefault(key, Repo(private=private, sdk=wanted.get("sdk")))
        return as_json({"url": f"{self.address}/{key}", "id": name}, 200 if new else 409)

    def _store(self, oid: str, content: bytes) -> Answer:
        if sha256(content) != oid:
            return 400, b"BadDigest", {}
        self.storage[oid] = content
        return 200, b"", {}

    def _large_files(self, action: str, wanted: dict) -> Answer:
        if action == "verify":
            return as_json({}, 200 if wanted["oid"] in self.storage else 404)
        objects = []
        for each in wanted["objects"]:
            objects.append({"oid": each["oid"], "size": each["size"]})
            if each["oid"] not in self.storage:
                verify = f"{self.address}/me/x.git/info/lfs/verify"
                upload = f"{self.address}/storage/{each['oid']}"
                objects[-1]["actions"] = {"upload": {"href": upload}, "verify": {"href": verify}}
        return as_json({"transfer": "basic", "objects": objects})

    @staticmethod
    def _preupload(repo: Repo, revision: str, files: list[dict]) -> Answer:
        there = repo.commits.get(repo.branches.get(revision), {})
        known = {name: etag(name, content) for name, content in there.items()}
        return as_json({"files": [{
            "path": file["path"], "uploadMode": "lfs" if is_large(file["path"]) else "regular", "shouldIgnore": False,
            "oid": known.get(file["path"]),
        } for file in files]})  # fmt: skip

    def _commit(self, repo_id: str, repo: Repo, revision: str, body: bytes, as_pull_request: bool) -> Answer:
        if self.before_commit is not None:
            self.before_commit()
        changes, parent = {}, None
        for key, value in ((entry["key"], entry["value"]) for entry in map(json.loads, body.splitlines())):
            if key == "header":
                parent = value.get("parentCommit")
                self.messages.append(value["summary"])
            elif key == "file":
                changes[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                if value["oid"] not in self.storage:
                    return 400, b"the object was not uploaded", {}
                changes[value["path"]] = self.storage[value["oid"]]
            elif key == "deletedFile":
                changes[value["path"]] = None
        if parent is not None and parent != repo.branches.get(revision):
            return 412, b"A commit has happened since. Please refresh and try again.", {}
        number = 1 + sum(name.startswith("refs/pr/") for name in repo.branches)
        sha = repo.commit(changes, f"refs/pr/{number}" if as_pull_request else revision, onto=revision)
        pull_request = f"{self.address}/{repo_id}/discussions/{number}" if as_pull_request else None
        url = f"{self.address}/{repo_id}/commit/{sha}"
        return as_json({"commitUrl": url, "commitOid": sha, "pullRequestUrl": pull_request})

    @staticmethod
    def _branch(repo: Repo, name: str) -> Answer:
        if name in repo.branches:
            return 409, b"", {}
        if "main" in repo.branches:
            repo.branches[name] = repo.branches["main"]
        return as_json({})

    def _info(self, repo_id: str, repo: Repo, sha: str, files: dict[str, bytes], with_hashes: bool) -> Answer:
        siblings = [{"rfilename": name} for name in files]
        if with_hashes:
            entries = (self._entry(name, content) for name, content in files.items())
            siblings = [{"rfilename": entry["path"], "blobId": entry["oid"], "size": entry["size"]} | (
                {"lfs": {"sha256": entry["lfs"]["oid"], "size": entry["size"], "pointerSize": 134}} if "lfs" in entry else {}
            ) for entry in entries]  # fmt: skip
        info = {"_id": "0" * 24, "id": repo_id, "modelId": repo_id, "sha": sha if sha in repo.commits else None}
        return as_json({**info, "siblings": siblings, "private": repo.private, "tags": [], "downloads": 0, "likes": 0})

    @staticmethod
    def _entry(name: str, content: bytes) -> dict:
        entry = {"type": "file", "path": name, "size": len(content), "oid": git_hash(content)}
        lfs = {"oid": sha256(content), "size": len(content), "pointerSize": 134}
        return {**entry, "lfs": lfs} if is_large(name) else entry

    def _resolve(self, path: str, query: str, sha: str, name: str, files: dict[str, bytes]) -> Answer:
        if name not in files:
            return 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha}
        content, mark = files[name], f'"{etag(name, files[name])}"'
        if is_large(name) and query != "storage":  # the real one sends to its storage, too, at another host
            headers = {"Location": f"{self.address}{path}?storage", "X-Repo-Commit": sha}
            return 302, b"", {**headers, "X-Linked-Etag": mark, "X-Linked-Size": str(len(content))}
        return 200, content, {"ETag": mark, "X-Repo-Commit": sha}
