"""Aliases of registered models."""

import re
import shlex
from dataclasses import dataclass

from recpair.errors import RunError, shown
from recpair.redaction import redacted
from recpair.tracking.logged_model import model_of, register, versions_of
from recpair.tracking.store import address, reachable

ALIAS = re.compile(r"(?!(?i:latest|v\d+)$)[\w-]{1,255}", re.ASCII)
MODEL_NAME = re.compile(r"[^/:]*[^/:\s][^/:]*")


@dataclass(frozen=True)
class Promotion:
    """Registered version that has received an alias.

    Attributes:
        previous: version that had the alias before; None if there was none.
        store: URI of the MLflow store, without a password.
    """

    name: str
    version: int
    alias: str
    previous: int | None
    store: str

    @property
    def command(self) -> str:
        """Command that serves the version; it names the store unless that is MLflow's default."""
        store = "" if self.store == redacted(address(None)) else f"MLFLOW_TRACKING_URI={self.store} "
        model = shlex.quote(f"models:/{self.name}@{self.alias}")
        return f"{store}mlflow models serve -m {model} --env-manager local"


def set_alias(uri: str, run_id: str, alias: str, name: str | None, run: str) -> Promotion:
    """Register the model of a tracked run under a name, unless it is, and set an alias of its version.

    Args:
        name: None: the name of its registered version.
        run: the run in messages.

    Raises:
        RunError: the store has no such run or no model of it, or the name or the alias is invalid.
    """
    if not ALIAS.fullmatch(alias):
        raise RunError(
            f"alias is {shown(alias)}; expected letters, digits, _ and -, and neither latest nor a version such as v1"
        )
    if name is not None and not MODEL_NAME.fullmatch(name):
        raise RunError(f"name is {shown(name)}; expected a name without / and :")
    with reachable(uri, f"model of run {run_id}") as client:
        model = model_of(client, run_id)
        if model is None:
            raise RunError(f"run {run_id} in MLflow at {redacted(uri)} has no model; `recpair track {run}` adds it")
        names = sorted({version.name for version in versions_of(client, run_id)})
        if name is None and len(names) != 1:
            known = f"is registered as {', '.join(names)}" if names else "is not registered"
            raise RunError(f"{run} {known}; give a name with --name NAME, or set tracking.register before the fit")
        version = register(client, model, name or names[0])
        aliases = client.get_registered_model(version.name).aliases
        previous = int(aliases[alias]) if alias in aliases else None
        client.set_registered_model_alias(version.name, alias, version.version)
    return Promotion(str(version.name), int(version.version), alias, previous, redacted(uri))
