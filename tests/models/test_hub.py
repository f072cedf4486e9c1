"""Weights from a hub, by the hub's own client, which asks a small hub of ours on this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from processor.config import Models
from processor.models import notes, store
from processor.models.table import all_models
from tests.models.fakes import sha256
from tests.workspaces import eventually

pytest.importorskip("huggingface_hub")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
AST = all_models()["ast"]
CONFIG = b'{"model_type": "audio-spectrogram-transformer"}'
GET = """
import json, sys
from processor.config import Models
from processor.errors import ModelError
from processor.models import store
from processor.models.table import all_models
try:
    found = store.get(Models(folder=sys.argv[1]), all_models()[sys.argv[2]])
    print(json.dumps({"source": found.source}))
except ModelError as error:
    print(json.dumps({"kind": type(error).__name__, "error": str(error)}))
"""


@dataclass
class Hub:
    """A hub with one repository.

    Attributes:
        files: name → content.
        lies: name → the SHA-256 that it says a file has, in place of the true one.
        claims: name → the size that it says a file has.
        breaks_off: after so many bytes of a file, once.
        is_stalling: it does not break off, but says nothing more until it is `freed`.
        ranges: from which byte on files were asked for.
        asked: paths.
        address: of the server.
    """

    files: dict[str, bytes]
    lies: dict[str, str] = field(default_factory=dict)
    claims: dict[str, int] = field(default_factory=dict)
    breaks_off: int | None = None
    is_stalling: bool = False
    freed: threading.Event = field(default_factory=threading.Event)
    ranges: list[tuple[str, int]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def facts(self) -> dict[str, Any]:
        siblings = []
        for name, content in self.files.items():
            one: dict[str, Any] = {
                "rfilename": name,
                "size": self.claims.get(name, len(content)),
                "blobId": sha256(content)[:40],
            }
            if is_large(name):
                digest = self.lies.get(name, sha256(content))
                one["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
            siblings.append(one)
        return {"_id": "1", "id": "somebody/net", "modelId": "somebody/net", "sha": COMMIT, "siblings": siblings}

    def tree(self) -> list[dict[str, Any]]:
        """The same in another form, which the client asks for before it fetches."""
        entries = []
        for one in self.facts()["siblings"]:
            entry = {"type": "file", "path": one["rfilename"], "size": one["size"], "oid": one["blobId"]}
            if "lfs" in one:
                entry["lfs"] = {"oid": one["lfs"]["sha256"], "size": one["size"], "pointerSize": 134}
            entries.append(entry)
        return entries


def is_large(name: str) -> bool:
    return not name.endswith((".json", ".txt", ".md", ".yaml"))


class Answers(BaseHTTPRequestHandler):
    """What a hub answers to its client."""

    hub: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.asked.append(self.path)
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/"):
            content = json.dumps(self.hub.tree() if "/tree/" in path else self.hub.facts()).encode()
            self.answer(200, content, {"Content-Type": "application/json"})
            return
        name = path.partition(f"/resolve/{COMMIT}/")[2]
        if name in self.hub.files:
            self.file(name)
        else:
            self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})

    def file(self, name: str) -> None:
        content = self.hub.files[name]
        headers = {"ETag": f'"{sha256(content)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        if self.command == "GET":
            self.hub.ranges.append((name, start))
        if found:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.answer(206 if found else 200, content[start:], headers, breaks=is_large(name))

    def answer(self, code: int, content: bytes, headers: dict[str, str], *, breaks: bool = False) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "GET":
            return
        if breaks and self.hub.breaks_off is not None:
            content, self.hub.breaks_off = content[: self.hub.breaks_off], None
            self.close_connection = True
        stalls = self.close_connection and self.hub.is_stalling
        with suppress(OSError):
            self.wfile.write(content)
        if stalls:
            self.hub.freed.wait(20)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub(
        {
            "config.json": CONFIG,
            "model.safetensors": os.urandom(12_000_000),
            "preprocessor_config.json": b"{}",
            "README.md": b"# Net",
            "pytorch_model.bin": b"a pickle",
            "onnx/config.json": b"{}",
        }
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OurAnswers", (Answers,), {"hub": made}))
    made.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def getting(folder: Path, address: str, name: str = "ast", **more: str) -> subprocess.Popen[str]:
    """A process that fetches a model from the hub at this address."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_ENDPOINT": address, "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_XET": "1", **more}
    environment |= {"NO_PROXY": "127.0.0.1", "HF_HUB_DOWNLOAD_TIMEOUT": "20"}
    return subprocess.Popen(
        [sys.executable, "-c", GET, str(folder / "models"), name],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def get(folder: Path, address: str, name: str = "ast", **more: str) -> dict[str, str]:
    """What came of fetching a model."""
    process = getting(folder, address, name, **more)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "%|" not in err  # the client's own bars
    answer: dict[str, str] = json.loads(out)
    return answer


def test_what_a_model_needs_is_fetched_and_no_more(hub: Hub, tmp_path: Path) -> None:
    assert get(tmp_path, hub.address) == {"source": f"hub {AST.sources[0].where}"}
    settings = Models(folder=str(tmp_path / "models"))
    folder = store.find(settings, AST) if store.lacking(AST, AST.sources[0]) == () else tmp_path / "models" / "ast"
    assert folder is not None
    names = ["config.json", notes.NAME, "model.safetensors", "preprocessor_config.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert (folder / "model.safetensors").read_bytes() == hub.files["model.safetensors"]
    assert (folder / "config.json").read_bytes() == CONFIG
    assert not any("pytorch_model.bin" in path or "onnx/" in path for path in hub.asked)
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [".ast.lock", "ast"]


def test_what_broke_off_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.breaks_off = 11_000_000
    assert "source" in get(tmp_path, hub.address)
    starts = [start for name, start in hub.ranges if name == "model.safetensors"]
    assert len(starts) == 2
    assert starts[0] == 0 < starts[1] <= 11_000_000  # it writes by ten megabytes


def test_killed_in_the_middle_the_next_attempt_keeps_what_was_whole(hub: Hub, tmp_path: Path) -> None:
    hub.breaks_off, hub.is_stalling = 11_000_000, True
    process = getting(tmp_path, hub.address)
    eventually(lambda: any(path.stat().st_size > 0 for path in tmp_path.rglob("*.incomplete")))
    eventually(lambda: {"config.json", "preprocessor_config.json"} <= {path.name for path in tmp_path.rglob("*.json")})
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    hub.freed.set()
    assert not (tmp_path / "models" / "ast").exists()
    assert "source" in get(tmp_path, hub.address)
    assert [name for name, _ in hub.ranges].count("config.json") == 1
    found = tmp_path / "models" / "ast" / "model.safetensors"
    assert found.read_bytes() == hub.files["model.safetensors"]
    assert not list(tmp_path.rglob("models/*/*.incomplete"))


def test_a_file_that_is_not_what_the_hub_says_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.lies["model.safetensors"] = "f" * 64
    answer = get(tmp_path, hub.address)
    assert answer["kind"] == "ModelError"
    assert "model.safetensors is not what the hub says it is" in answer["error"]
    assert not (tmp_path / "models" / "ast").exists()


def test_a_repository_without_safe_weights_is_refused(hub: Hub, tmp_path: Path) -> None:
    del hub.files["model.safetensors"]
    assert "the hub does not have model.safetensors" in get(tmp_path, hub.address)["error"]


def test_far_too_much_is_not_even_asked_for(hub: Hub, tmp_path: Path) -> None:
    hub.claims["model.safetensors"] = 10**12
    assert "which is not the model that we know" in get(tmp_path, hub.address)["error"]
    assert hub.ranges == []


def test_names_that_lead_out_of_the_folder_are_passed_over(hub: Hub, tmp_path: Path) -> None:
    hub.files |= {"../evil.json": b"{}", "a/../../evil.json": b"{}", "..\\evil.json": b"{}"}
    assert "source" in get(tmp_path, hub.address)
    assert not any("evil" in path for path in hub.asked)
    assert not list(tmp_path.rglob("*evil*"))


def test_a_hub_that_does_not_answer_is_told(tmp_path: Path) -> None:
    answer = get(tmp_path, "http://127.0.0.1:9")
    assert answer["kind"] == "Unreachable"
    assert "nobody answers" in answer["error"]
    assert "linernotes models get ast --from DIR" in answer["error"]


def test_a_person_who_wants_no_hub_is_obeyed(hub: Hub, tmp_path: Path) -> None:
    assert get(tmp_path, hub.address, HF_HUB_OFFLINE="1")["kind"] == "Unreachable"
    assert hub.asked == []


def test_demucs_says_where_its_models_are(hub: Hub, tmp_path: Path) -> None:
    pytest.importorskip("demucs.hf")
    hub.files = {"htdemucs_6s.yaml": b"models: ['5c90dfd2']", "5c90dfd2.safetensors": b"weights"}
    folder = tmp_path / "models"
    folder.mkdir()
    licence = {"htdemucs_6s": {"licence": all_models()["htdemucs_6s"].licence}}
    (folder / "accepted-licences.json").write_text(json.dumps(licence))
    assert get(tmp_path, hub.address, "htdemucs_6s") == {"source": "demucs htdemucs_6s"}
    assert sorted(path.name for path in (folder / "htdemucs_6s").glob("[!l]*")) == sorted(hub.files)
    assert any("/adefossez/HTDemucs-6s/" in path for path in hub.asked)
