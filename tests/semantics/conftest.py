"""Thirty users with a few events each over forty items, and a server that speaks the OpenAI protocol."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import polars as pl
import pytest

from recpair.data.dataset import Dataset
from recpair.data.events import events_from
from recpair.data.splitting import apply_split, leave_last

WORDS = ["red lipstick", "green shampoo", "blue soap", "hair dryer", "rose perfume"]


@pytest.fixture
def events():
    generator = np.random.default_rng(3)
    user = np.repeat(np.arange(30), generator.integers(4, 10, size=30))
    item = generator.integers(40, size=len(user))
    return pl.DataFrame({"user_id": user, "item_id": item, "timestamp": np.arange(len(user))})


@pytest.fixture
def items():
    return pl.DataFrame({"item_id": range(40), "title": [f"{WORDS[i % 5]} {i}" for i in range(40)]})


@pytest.fixture
def splits(events, items):
    dataset = Dataset.from_events(events_from(events, items=items))
    return apply_split(dataset, leave_last(dataset), "leave_last")


@dataclass
class Server:
    """What it does is ``answer(path, request)``: a status and a body, which is sent as JSON unless it is bytes.

    Attributes:
        requests: (path, body, Authorization) of each, in the order of their coming.
        most: the most requests that were under way at a time.
        delay: seconds that it takes to answer.
    """

    url: str = ""
    requests: list = field(default_factory=list)
    most: int = 0
    delay: float = 0.0
    running: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path, request):
        if path.endswith("/embeddings"):
            vectors = [{"index": i, "embedding": [float(len(t)), 1.0]} for i, t in enumerate(request["input"])]
            return 200, {"object": "list", "data": vectors[::-1], "model": "m"}
        prompt = request["messages"][0]["content"]
        return self.said(f"About {prompt.splitlines()[-1]}")

    @staticmethod
    def said(content, finish_reason="stop", **message):
        """A chat completion."""
        message = {"role": "assistant", "content": content} | message
        choice = {"index": 0, "finish_reason": finish_reason, "message": message}
        return 200, {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


@pytest.fixture
def server():
    """Listens on a port of its own for as long as a test runs."""
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with served.lock:
                served.requests.append((self.path, request, self.headers["Authorization"], time.monotonic()))
                served.running += 1
                served.most = max(served.most, served.running)
            time.sleep(served.delay)
            with served.lock:  # before the client can know of the answer and send its next request
                served.running -= 1
            try:
                status, body = served.answer(self.path, request)
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("retry-after-ms", "5")  # the client's own half second would be a long wait here
                self.end_headers()
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client did not wait

        def log_message(self, *arguments):
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    listening = Quiet(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{listening.server_port}/v1"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    listening.shutdown()
    listening.server_close()
    thread.join()
