"""Load test of ``recpair serve``: latency, requests per second and memory of the server process, over HTTP.

python benchmarks/serving.py runs/gowalla-ials runs/gowalla-bspm runs/ml-100k-mf-bpr

Beside each run, the same server of MLflow serves a model that returns a constant, in turns: its times are those of MLflow.
"""

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from table import page

import recpair

CLIENTS, K, WARM_UP = 4, 10, 50
USERS = (1, 10, 100)
CONSTANT = """
import mlflow, pandas as pd
class Constant(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return pd.DataFrame({"item_id": [list(range(K))] * len(model_input), "score": [[0.5] * K] * len(model_input)})
mlflow.models.set_model(Constant())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "serving.md")
    arguments = parser.parse_args()
    lines = [
        "| run | items | users a request | p50 | p95 | p99 | p50 of MLflow alone | requests/s | memory |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    with constant() as peer:
        for folder in arguments.runs:
            lines += measured(folder, peer, arguments.requests)
    lines += [
        "",
        f"{arguments.requests:,} requests, each of random users, k {K}, seen items excluded, after {WARM_UP} requests for "
        f"warming up; one connection that is kept. Requests/s: {CLIENTS} connections at a time.",
        "",
        "MLflow alone: its server with a model that returns a constant of the same size, in turns with the run. Memory: "
        "resident memory of the server process after all requests.",
        "",
        "Without HTTP, compared with implicit: [recommend.md](recommend.md).",
    ]
    names = " ".join(f"runs/{folder.name}" for folder in arguments.runs)
    page(arguments.out, "Serving", f"python benchmarks/serving.py {names}", lines)


def measured(folder: Path, peer: int, n: int) -> list[str]:
    """Rows of the table for a run."""
    run = recpair.load(folder)
    train, lines = run.recommender.train, []
    users = train.vocabulary.users.values.to_list()
    title = f"{run.config['model']['name']} on {run.metrics['data']['name']}"
    with served([sys.executable, "-m", "recpair", "serve", str(folder), "--port", "0"]) as (port, process):
        for size in USERS:
            rng = np.random.default_rng(size)
            bodies = [request([users[i] for i in rng.integers(0, len(users), size)]) for _ in range(n)]
            ours, theirs = timed([port, peer], [*bodies[:WARM_UP], *bodies])
            p50, p95, p99 = np.percentile(ours[WARM_UP:], [50, 95, 99]) * 1e3
            alone = statistics.median(theirs[WARM_UP:]) * 1e3
            rate = throughput(port, bodies)
            lines.append(
                f"| {title} | {train.n_items:,} | {size} | {p50:.1f} ms | {p95:.1f} ms | {p99:.1f} ms | {alone:.1f} ms "
                f"| {rate:,.0f} | {memory(process):,.0f} MiB |"
            )
            print(lines[-1], flush=True)
    return lines


def request(users: list[int | str]) -> bytes:
    """The body of a request; k is the default, 10."""
    return json.dumps({"dataframe_split": {"columns": ["user_id"], "data": [[user] for user in users]}}).encode()


def timed(ports: list[int], bodies: list[bytes]) -> list[list[float]]:
    """Seconds of each request to each server, in turns."""
    connections = [http.client.HTTPConnection("127.0.0.1", port) for port in ports]
    seconds: list[list[float]] = [[] for _ in ports]
    for body in bodies:
        for connection, found in zip(connections, seconds, strict=True):
            started = time.perf_counter()
            send(connection, body)
            found.append(time.perf_counter() - started)
    return seconds


def send(connection: http.client.HTTPConnection, body: bytes) -> None:
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    assert response.status == 200, answer


def throughput(port: int, bodies: list[bytes]) -> float:
    """Requests per second of several clients."""

    def client(own: list[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for body in own:
            send(connection, body)

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, [bodies[place::CLIENTS] for place in range(CLIENTS)]))
    return len(bodies) / (time.perf_counter() - started)


def memory(process: int) -> float:
    """Resident memory of a process in MiB."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())[1]) / 1024


@contextmanager
def served(command: list[str]) -> Iterator[tuple[int, int]]:
    """Start a server that prints its address; yield its port and process id."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            first = process.stdout.readline()
            yield int(re.search(r"127\.0\.0\.1:(\d+)", first)[1]), process.pid
        finally:
            process.kill()


@contextmanager
def constant() -> Iterator[int]:
    """Serve a model that returns a constant; yield the port."""
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "constant.py"
        code.write_text(f"K = {K}\n{CONSTANT}")
        start = "\n".join(
            [
                "import socket, sys, uvicorn, mlflow",
                "from mlflow.pyfunc import scoring_server",
                f"mlflow.pyfunc.save_model({folder + '/model'!r}, python_model={str(code)!r}, pip_requirements=[])",
                f"app = scoring_server.init(mlflow.pyfunc.load_model({folder + '/model'!r}))",
                "listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)",
                "listening.bind(('127.0.0.1', 0))",
                "listening.listen()",
                "print(f'http://127.0.0.1:{listening.getsockname()[1]}', flush=True)",
                "uvicorn.Server(uvicorn.Config(app, log_level='warning')).run(sockets=[listening])",
            ]
        )
        with served([sys.executable, "-c", start]) as (port, _):
            yield port


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line sets it
    main()
