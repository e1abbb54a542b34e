"""Server of the page on this machine only."""

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from recpair.browse.opened import Shelf
from recpair.errors import ConfigError, RecpairError, RunError
from recpair.run.run import Run
from recpair.sockets import listening_socket

ADDRESS = "127.0.0.1"

logger = logging.getLogger("recpair")


def serve(runs: Sequence[Run], port: int, ready: Callable[[str], None]) -> None:
    """Serve the page until interrupted.

    Args:
        port: 0 for any free port.
        ready: called with the address of the page, which answers from then on.

    Raises:
        RunError: the port is in use.
        ConfigError: FastAPI or uvicorn is not installed.
    """
    with closing(listening(port)) as sock:
        shelf = Shelf(runs)
        answering = server(shelf)
        ready(f"http://{ADDRESS}:{sock.getsockname()[1]}")
        threading.Thread(target=_warm_up, args=(shelf,), daemon=True).start()
        answering.run(sockets=[sock])


def server(shelf: Shelf) -> Any:
    """Return a ``uvicorn.Server`` of the page.

    Raises:
        ConfigError: FastAPI or uvicorn is not installed.
    """
    try:
        import uvicorn

        from recpair.browse.web import application
    except ModuleNotFoundError as error:
        name = error.name
        raise ConfigError(f"browse requires {name}, which comes with mlflow: run pip install {name}") from None
    quiet: Any = {"log_level": "warning", "access_log": False, "server_header": False}
    return uvicorn.Server(uvicorn.Config(application(shelf), ws="none", lifespan="off", **quiet))


def listening(port: int) -> socket.socket:
    """Return a socket that listens on a port of this machine.

    Raises:
        RunError: the port is in use.
    """
    try:
        return listening_socket(ADDRESS, port)
    except OSError as error:
        raise RunError(f"cannot listen on port {port}: {error.strerror}; choose another with --port") from None


def _warm_up(shelf: Shelf) -> None:
    try:
        shelf.warm_up()
    except RecpairError as error:  # the request that needs it reports it
        logger.debug("warm-up: %s", error)
