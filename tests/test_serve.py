"""The site's server, asked over real sockets: ranges, errors, and nothing but the site."""

from __future__ import annotations

import os
import random
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from itertools import pairwise
from pathlib import Path

import pytest

from processor import serve
from tests import workspaces
from tests.workspaces import eventually, sound

CONTENT = bytes(range(256)) * 1000
SIZE = len(CONTENT)
SECRET = b"a secret beside the site"


@dataclass(frozen=True)
class Site:
    """A running server and what it serves."""

    folder: Path
    port: int

    def connect(self) -> HTTPConnection:
        return HTTPConnection(serve.HOST, self.port, timeout=10)

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
        """Ask for a path, just as it is spelt."""
        connection = self.connect()
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("serve")
    folder = root / "site"
    (folder / "tracks").mkdir(parents=True)
    (folder / "no-index").mkdir()
    (folder / "index.html").write_text("<p>index")
    (folder / "tracks" / "index.html").write_text("<p>tracks")
    (folder / "tracks" / "song.wav").write_bytes(CONTENT)
    (folder / "empty.css").write_bytes(b"")
    (folder / "two words ü.html").write_text("<p>words")
    (root / "secret.txt").write_bytes(SECRET)
    (root / "site-too").mkdir()
    (root / "site-too" / "secret.txt").write_bytes(SECRET)
    (folder / "link.txt").symlink_to(root / "secret.txt")
    (folder / "linked").symlink_to(root)
    (folder / "circle").symlink_to(folder / "circle")
    os.mkfifo(folder / "fifo.html")
    yield from running(folder)


def running(folder: Path) -> Iterator[Site]:
    server = serve.server(folder, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Site(folder, server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_page(site: Site) -> None:
    for path in ("/", "/index.html", "/index.html?x=1", "/?x=/../y"):
        response, body = site.get(path)
        assert (response.status, body) == (200, b"<p>index")
        assert response.headers["Content-Type"] == "text/html"
        assert response.headers["Content-Length"] == "8"
        assert response.headers["Accept-Ranges"] == "bytes"
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_name_with_spaces_and_umlauts(site: Site) -> None:
    assert site.get("/two%20words%20%C3%BC.html")[1] == b"<p>words"


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=0-", 0, SIZE),
        (f"bytes={SIZE - 5}-", SIZE - 5, SIZE),
        ("bytes=-7", SIZE - 7, SIZE),
        (f"bytes=-{SIZE * 2}", 0, SIZE),
        (f"bytes=10-{SIZE * 9}", 10, SIZE),
        (f"bytes=0-{SIZE - 1}", 0, SIZE),
    ],
)
def test_a_range(site: Site, wanted: str, start: int, end: int) -> None:
    response, body = site.get("/tracks/song.wav", Range=wanted)
    assert response.status == 206
    assert body == CONTENT[start:end]
    assert response.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert response.headers["Content-Length"] == str(end - start)


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0", "bytes=999999999999-"])
def test_a_range_that_there_is_not(site: Site, wanted: str) -> None:
    response, body = site.get("/tracks/song.wav", Range=wanted)
    assert (response.status, body) == (416, b"")
    assert response.headers["Content-Range"] == f"bytes */{SIZE}"
    assert response.headers["Content-Length"] == "0"


def test_a_range_of_nothing(site: Site) -> None:
    assert site.get("/empty.css", Range="bytes=0-")[0].status == 416
    assert site.get("/empty.css")[0].headers["Content-Length"] == "0"


@pytest.mark.parametrize(
    "wanted",
    [
        "bytes=0-1,5-6",
        "bytes=0-1, 3-",
        "bytes=5-2",
        "bytes=-",
        "bytes=",
        "bytes=a-b",
        "bytes=1",
        "lines=0-1",
        "nonsense",
        "bytes=" + "9" * 5000 + "-",
        "bytes=0-" + "9" * 5000,
        "bytes=-" + "9" * 5000,
    ],
    ids=lambda wanted: wanted[:12],
)
def test_several_ranges_and_what_is_none_get_the_whole(site: Site, wanted: str) -> None:
    response, body = site.get("/tracks/song.wav", Range=wanted)
    assert (response.status, body) == (200, CONTENT)
    assert "Content-Range" not in response.headers


def test_a_range_of_another_version_gets_the_whole(site: Site) -> None:
    assert site.get("/tracks/song.wav", Range="bytes=0-1", If_Range='"abc"')[1] == CONTENT


def test_ranges_put_together_are_the_file(site: Site) -> None:
    edges = sorted({0, SIZE, *random.Random(1).sample(range(SIZE), 20)})
    parts = [site.get("/tracks/song.wav", Range=f"bytes={a}-{b - 1}")[1] for a, b in pairwise(edges)]
    assert b"".join(parts) == CONTENT


@pytest.mark.parametrize("path", ["/", "/tracks/song.wav", "/nothing"])
def test_head_has_the_headers_of_get_and_no_body(site: Site, path: str) -> None:
    head, body = site.get(path, "HEAD")
    get, content = site.get(path)
    assert (head.status, body) == (get.status, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(content))


def test_head_has_no_ranges(site: Site) -> None:
    response, _ = site.get("/tracks/song.wav", "HEAD", Range="bytes=0-1")
    assert (response.status, response.headers["Content-Length"]) == (200, str(SIZE))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_else_can_be_done(site: Site, method: str) -> None:
    response, _ = site.get("/index.html", method)
    assert response.status == 501
    assert (site.folder / "index.html").is_file()


def test_a_folder_is_named_with_a_slash(site: Site) -> None:
    response, body = site.get("/tracks?x=1")
    assert (response.status, response.headers["Location"], body) == (301, "/tracks/?x=1", b"")
    assert site.get("/tracks/")[1] == b"<p>tracks"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/tracks/nothing.html",
        "/index.html/",
        "/index.html/x",
        "/fifo.html",
        "/circle",
        "/%00",
        "/index.html%00.wav",
        "/" + "x" * 5000,
        "/" + "x/" * 3000,
        "/%ff%fe",
    ],
    ids=lambda path: path[:20],
)
def test_what_is_not_there(site: Site, path: str) -> None:
    response, body = site.get(path)
    assert response.status == 404
    assert response.headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize("path", ["/no-index/", "/no-index/#x", "/no-index/%23", "/no-index/./", "/no-index//"])
def test_folders_are_not_listed(site: Site, path: str) -> None:
    response, body = site.get(path)
    assert response.status == 404
    assert b"<li>" not in body


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/tracks/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "/../site-too/secret.txt",
        "/....//secret.txt",
        "//../secret.txt",
        "/link.txt",
        "/linked/secret.txt",
        "/linked/",
        "/linked",
        "/tracks/%2e%2e/%2e%2e/secret.txt",
        "/{root}/secret.txt",
        "/%2f{root}/secret.txt",
        "{root}/secret.txt",
        "file://{root}/secret.txt",
        "http://127.0.0.1/../secret.txt",
    ],
)
def test_nothing_outside_the_site_is_served(site: Site, path: str) -> None:
    response, body = site.get(path.format(root=site.folder.parent))
    assert SECRET not in body
    assert response.status == 404


def test_a_file_outside_the_site_is_there_to_be_missed(site: Site) -> None:
    """Or the test above would prove nothing."""
    assert (site.folder / "link.txt").read_bytes() == SECRET
    assert (site.folder / ".." / "secret.txt").read_bytes() == SECRET


def test_one_connection_serves_many_requests(site: Site) -> None:
    """A wrong length of any of the answers would spoil the one after it."""
    connection = site.connect()
    asked = [("GET", "/", {}), ("HEAD", "/tracks/song.wav", {}), ("GET", "/tracks/song.wav", {"Range": "bytes=5-9"})]
    asked += [("GET", "/tracks/song.wav", {"Range": f"bytes={SIZE}-"}), ("GET", "/tracks", {}), ("GET", "/", {})]
    found = []
    for method, path, headers in asked:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        found.append((response.status, response.read()))
        assert not response.will_close
    connection.close()
    assert found == [(200, b"<p>index"), (200, b""), (206, CONTENT[5:10]), (416, b""), (301, b""), (200, b"<p>index")]


def test_after_an_error_the_next_request_is_answered(site: Site) -> None:
    connection = site.connect()
    for path, status in (("/nothing", 404), ("/", 200), ("/nothing", 404)):
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == status
        assert len(response.read()) == int(response.headers["Content-Length"])
    connection.close()


def test_many_readers_at_once(site: Site) -> None:
    found: list[bool] = []

    def read() -> None:
        found.append(all(site.get("/tracks/song.wav")[1] == CONTENT for _ in range(5)))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 8


def test_a_page_that_is_replaced_while_it_is_read_stays_whole(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    page = folder / "index.html"
    old, new = b"old" * 2_000_000, b"n"
    page.write_bytes(old)
    for site in running(folder):
        connection = site.connect()
        connection.request("GET", "/")
        response = connection.getresponse()
        first = response.read(10)
        (folder / "next").write_bytes(new)
        (folder / "next").replace(page)
        assert first + response.read() == old
        connection.close()
        assert site.get("/")[1] == new


def test_a_reader_that_goes_away_is_no_news(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "long.wav").write_bytes(bytes(20_000_000))
    for site in running(folder):
        for _ in range(3):
            with socket.create_connection((serve.HOST, site.port)) as reader:
                reader.sendall(b"GET /long.wav HTTP/1.1\r\nHost: x\r\n\r\n")
                reader.recv(1000)
                # With time-out 0, closing resets the connection.
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.2)
    assert capfd.readouterr().err == ""


def test_a_defect_is_news(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a defect")

    (tmp_path / "index.html").write_text("x")
    monkeypatch.setattr(serve._Handler, "guess_type", fail)
    for site in running(tmp_path):
        with pytest.raises(ConnectionError):
            site.get("/")
    assert "a defect" in capfd.readouterr().err


def test_only_this_machine_is_served(site: Site) -> None:
    server = serve.server(site.folder, 0)
    assert server.server_address[0] == "127.0.0.1"
    server.server_close()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:  # another address of this very machine
        other.settimeout(2)
        with pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", site.port))


def test_a_port_is_taken_once(site: Site) -> None:
    with pytest.raises(OSError, match="in use"):
        serve.server(site.folder, site.port)


def test_the_command_serves_the_pages_of_hostile_names_until_ctrl_c(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    names = ["<script>alert(1).wav", "..%2f..%2fetc.wav", "\u202egnp.wav", "a b#c?d&e.wav", "\udcff.wav"]
    files = [sound(tmp_path / f"{seed}.wav", seed).rename(tmp_path / name) for seed, name in enumerate(names)]
    workspaces.process(workspace, files)
    process = workspaces.start("serve", "--home", workspace.home, "--port", "0")
    assert process.stdout is not None
    address = process.stdout.readline().split()[0]
    site = Site(workspace.site, int(address.rstrip("/").rpartition(":")[2]))
    try:
        assert address == f"http://127.0.0.1:{site.port}/"
        pages = [path.name for path in (workspace.site / "tracks").iterdir()]
        assert len(pages) == len(names)
        index = site.get("/")[1].decode()
        assert "<script>" not in index
        for page in pages:
            assert f'href="tracks/{page}"' in index
            response, body = site.get(f"/tracks/{page}")
            assert response.status == 200
            assert b"<script>" not in body
    finally:
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err.strip()) == (0, "", "Stopped.")


def test_sigterm_ends_the_command_as_well(tmp_path: Path) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    process = workspaces.start("serve", "--home", workspace.home, "--port", "0")
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    eventually(lambda: process.poll() is not None)
    assert (process.communicate()[1].strip(), process.returncode) == ("Stopped.", 0)
