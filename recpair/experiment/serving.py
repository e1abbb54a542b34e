"""Serving of a run over HTTP."""

import json
import shlex
import socket
from collections.abc import Callable
from typing import Any

from recpair.boundary import boundary
from recpair.experiment.load import require_run
from recpair.run.run import Run
from recpair.tracking.pyfunc import example_ids
from recpair.tracking.server import serve


@boundary
def serve_run(run: Run, listening: socket.socket, host: str, started: Callable[[], Any]) -> None:
    """Serve a run with MLflow's server until the process is interrupted."""
    require_run(run)
    serve(run, listening, host, started)


def example_request(run: Run, url: str) -> str:
    """Return a curl command with a user of the run."""
    user, _ = example_ids(run.files)
    body = {"dataframe_split": {"columns": ["user_id"], "data": [[user]]}, "params": {"k": 5}}
    return f"curl {url}/invocations -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body))}"
