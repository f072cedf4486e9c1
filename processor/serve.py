"""The site on localhost, with range requests, which players need to seek."""

from __future__ import annotations

import io
import os
import re
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

HOST = "127.0.0.1"
# More digits than any file has bytes are no number that we would convert.
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder: no listings, nothing outside it, single byte ranges."""

    protocol_version = "HTTP/1.1"

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        root = Path(self.directory).resolve()
        asked = self.translate_path(self.path)
        try:
            path = Path(asked).resolve()
            if path.is_dir() and path.is_relative_to(root):
                if not asked.endswith("/"):
                    return super().send_head()  # redirects to the name with a slash
                path = (path / "index.html").resolve()
            elif asked.endswith("/"):
                raise FileNotFoundError
            if not path.is_file() or not path.is_relative_to(root):
                raise FileNotFoundError
            file = _Part(path)
        except (OSError, ValueError, RuntimeError):  # not there, a name that no file can have, links in a circle
            self.send_error(HTTPStatus.NOT_FOUND, "There is no such page")
            return None
        try:
            return self._send_file(file)
        except BaseException:
            file.close()
            raise

    def _send_file(self, file: _Part) -> BinaryIO | None:
        wanted = self._range(file.size)
        if wanted is not None and wanted[0] >= wanted[1]:
            file.close()
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{file.size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        start, end = wanted or (0, file.size)
        self.send_response(HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", self.guess_type(str(file.name)))
        self.send_header("Content-Length", str(end - start))
        if wanted is not None:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{file.size}")
        self.end_headers()
        file.limit(start, end)
        return file

    def _range(self, size: int) -> tuple[int, int] | None:
        """Start and end of the bytes asked for, empty if there are none; None for the whole (RFC 9110, 14.2).

        The whole answers several ranges, what is no range, and a condition on a version that we never named.
        """
        match = _RANGE.fullmatch(self.headers.get("Range", ""))
        if self.command != "GET" or "If-Range" in self.headers or match is None or not any(match.groups()):
            return None
        first, last = match.groups()
        if not first:
            return (max(0, size - int(last)), size) if int(last) else (0, 0)
        if last and int(last) < int(first):
            return None
        return int(first), min(int(last) + 1, size) if last else size

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Part(io.FileIO):
    """A file, or a stretch of it. Its size is that of what was opened, whatever takes its name meanwhile."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.size = os.fstat(self.fileno()).st_size
        self._left = self.size

    def limit(self, start: int, end: int) -> None:
        """Read only from `start` to `end`."""
        self.seek(start)
        self._left = end - start

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        data = super().read(wanted) or b""
        self._left -= len(data)
        return data


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, unless it is that a reader went away, as players do at every seek."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def server(site: Path, port: int) -> ThreadingHTTPServer:
    """A server of the site on this machine only; port 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """
    return _Server((HOST, port), partial(_Handler, directory=str(site)))
