"""``recpair serve``: one process, queried over HTTP."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import recpair
from recpair.cli import main
from recpair.testing.models import checkerboard
from recpair.tracking.server import listen

PATIENCE = 120  # seconds; a busy machine needs long to import torch


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    config = {"model": "item_knn", "split": {"name": "predefined"}, "tracking": None}
    output = tmp_path_factory.mktemp("served") / "run"
    recpair.fit(config | {"output": str(output)}, data=checkerboard().drop("timestamp"))
    return output


@pytest.fixture(scope="module")
def server(folder):
    """The process, its port, and the curl command that it printed."""
    package = str(Path(recpair.__file__).parent.parent)
    path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "recpair", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=folder.parent) as process:
        try:
            lines = [process.stdout.readline() for _ in range(3)]
            yield process, int(re.search(r"http://127\.0\.0\.1:(\d+); Ctrl-C", lines[0])[1]), lines[2]
        finally:
            process.kill()


def post(port, body, **headers):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"} | headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_the_server_answers_the_request_that_it_prints(server, folder):
    _, port, curl = server
    body = re.search(r"-d '(.*)'", curl)[1]
    status, found = post(port, body)
    assert status == 200
    (user,) = json.loads(body)["dataframe_split"]["data"][0]
    frame = recpair.load(folder).recommend([user], k=5)
    assert json.loads(found)["predictions"] == [
        {"item_id": frame["item_id"].to_list(), "score": pytest.approx(frame["score"].to_list())}
    ]


def test_errors_over_http(server):
    _, port, _ = server
    status, found = post(port, '{"dataframe_split": {"columns": ["user_id"], "data": [["x"]]}}')
    assert (status, json.loads(found)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert json.loads(found)["message"].startswith("unknown user_id: x (40 users have training events)")
    assert post(port, "user_id\n3\n", **{"Content-Type": "text/csv"}) == (
        415,
        "send the rows as JSON, with the header Content-Type: application/json",
    )
    assert post(port, "{}", Host="attacker.example") == (400, "Invalid host header")
    assert "Traceback" not in post(port, "not JSON")[1]


def test_a_port_in_use(server, folder, capsys):
    _, port, _ = server
    assert main(["serve", str(folder), "--port", str(port)]) == 2
    expected = (
        f"error: cannot listen on 127.0.0.1, port {port}: Address already in use; choose another --port or --host\n"
    )
    assert capsys.readouterr().err == expected
    assert main(["serve", str(folder), "--host", "999.1.1.1"]) == 2
    assert "cannot listen on 999.1.1.1" in capsys.readouterr().err


def test_answers_are_sent_at_once():
    """asyncio switches the algorithm of Nagle off for sockets of this protocol only."""
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_an_interrupt_ends_the_server(server):
    """The last test: the server is not needed any more."""
    process, _, _ = server
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
