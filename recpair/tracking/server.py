"""MLflow's scoring server for one run, in this process."""

import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recpair import files
from recpair.errors import RunError
from recpair.run.run import Run
from recpair.sockets import listening_socket
from recpair.tracking.pyfunc import link, write_model
from recpair.tracking.store import quiet

LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONTENT_TYPES = (b"application/json", b"application/vnd.apache.parquet")


class OnlyJson:
    """Middleware that refuses other content types than JSON and Parquet; MLflow answers CSV with a traceback.

    The signature of the models has a column of lists, so that MLflow cannot read CSV.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "http" and scope["method"] == "POST":
            given = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower()
            if given not in CONTENT_TYPES:
                body = b"send the rows as JSON, with the header Content-Type: application/json"
                headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": 415, "headers": headers})
                await send({"type": "http.response.body", "body": body})
                return
        await self.app(scope, receive, send)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address; port 0 chooses a free one.

    Raises:
        RunError: the port is in use or not allowed, or the host is not an address of this machine.
    """
    try:
        return listening_socket(host, port)
    except socket.gaierror as problem:
        raise RunError(f"cannot listen on {host}: {files.reason(problem)}; choose another --host") from None
    except OSError as problem:
        reason = files.reason(problem)
        raise RunError(f"cannot listen on {host}, port {port}: {reason}; choose another --port or --host") from None


def serve(run: Run, listening: socket.socket, host: str, started: Callable[[], Any]) -> None:
    """Answer requests until the process is interrupted.

    On a loopback address, requests for other hosts are refused, so that a web page cannot read from the server under a name
    that resolves to this machine.
    """
    import uvicorn
    from fastapi.middleware.trustedhost import TrustedHostMiddleware

    model = load_served(run)
    from mlflow.pyfunc import scoring_server

    app = scoring_server.init(model)
    app.add_middleware(OnlyJson)
    if host in LOOPBACK:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, "[::1]"])
    app.router.on_startup.append(started)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5))
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()


def load_served(run: Run) -> Any:
    """Return an open run as a model of MLflow."""
    with quiet(), tempfile.TemporaryDirectory(prefix="recpair-serve-") as folder:  # not needed once the model is loaded
        from mlflow.pyfunc import load_model

        from recpair.tracking.requests import hand_over

        write_model(run.folder, Path(folder), link)
        hand_over(run, Path(folder))
        return load_model(folder)
