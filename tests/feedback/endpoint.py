"""A small server on this machine that answers as an endpoint for language models does, well or badly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass
class Endpoint:
    """What the server does, and what it was asked.

    Attributes:
        url: its base address.
        statuses: status of each answer in turn; the last one goes on.
        content: the model's text, or a function of what was asked.
        raw: what is sent in the place of a whole answer, if anything.
        delay_s: how long it thinks.
        asked: bodies of the requests.
        headers: headers of the requests.
    """

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    content: str | Callable[[Body], str] = ""
    raw: bytes | None = None
    delay_s: float = 0.0
    asked: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def endpoint(**facts: Any) -> Iterator[Endpoint]:
    """Run the server while the block lasts."""
    state = Endpoint(**facts)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append({"path": self.path, **body})
            state.headers.append(dict(self.headers))
            time.sleep(state.delay_s)
            status = state.statuses.pop(0) if len(state.statuses) > 1 else state.statuses[0]
            text = state.content(body) if callable(state.content) else state.content
            answer = {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": body["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200},
            }
            payload = state.raw if state.raw is not None else json.dumps(answer).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                if status == 429:
                    self.send_header("Retry-After", "0.05")
                self.end_headers()
                self.wfile.write(payload)
            except OSError:
                pass  # who asked has given up

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def obedient(body: Body) -> str:
    """A model that says one sentence of the first fact."""
    first = json.loads(body["messages"][1]["content"])["facts"][0]["id"]
    sentence = {"text": "It is measured.", "facts": [first]}
    return json.dumps({"summary": [sentence], "notes": [], "priorities": [sentence]})
