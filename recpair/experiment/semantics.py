"""The semantic stage on its own: encoding, estimates of requests, and neighbours."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recpair import raw_config
from recpair.boundary import boundary
from recpair.config import Config
from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits
from recpair.errors import ConfigError, shown
from recpair.experiment.build import retrieved_of
from recpair.experiment.loading import load_config, load_stored
from recpair.experiment.overriding import paths
from recpair.experiment.prepare import prepare
from recpair.run.asked import id_column
from recpair.run.trained_ids import TrainedIds
from recpair.semantics import Describer
from recpair.semantics.display import latest, near_history, near_item, titles
from recpair.semantics.progress import Report, silent
from recpair.semantics.prompting import estimates
from recpair.semantics.store import folder_of

NAMED_FILES = ("semantics.path", "semantics.model", "describe.item_prompt", "describe.history_prompt")


@boundary
def embed(
    config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str] = (), *, report: Report = silent
) -> list[tuple[str, str]]:
    """Run the semantic stage, cache its results, and return statistics of them as (name, value) rows.

    Raises:
        RecpairError: the config or the data is invalid, or an endpoint fails; the message has one line.
    """
    started = time.perf_counter()
    checked, splits = _semantic(config, overrides)
    found = retrieved_of(checked, splits, report)
    assert found is not None
    nearest = found.item_neighbours[:, 0]
    cosine = np.einsum("id,id->i", found.item_vectors, found.item_vectors[nearest])[nearest >= 0]
    return [
        ("items", f"{len(found.item_vectors):,}, {int(found.item_vectors.any(axis=1).sum()):,} with a vector"),
        ("vector length", str(found.item_vectors.shape[1])),
        ("cosine with the nearest item", f"{cosine.mean():.3f} in the mean"),
        ("training histories", f"{int((found.history_neighbours[:, 0] >= 0).sum()):,} with neighbours"),
        ("neighbours of each", str(checked["semantics"]["k"])),
        ("kept in", str(folder_of(checked["semantics"]["folder"], checked["output"]))),
        ("seconds", f"{time.perf_counter() - started:.1f}"),
    ]


@boundary
def semantic_estimates(
    config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Return the language model requests of ``embed`` and their estimated cost, without sending any."""
    checked, splits = _semantic(config, overrides)
    if checked["describe"] is None:
        return [("a language model", "is not asked: the config has no section describe")]
    section = checked["semantics"]
    folder = folder_of(section["folder"], checked["output"])
    found = estimates(splits, Describer(**checked["describe"]), section["template"], folder)
    return [(what, str(estimate)) for what, estimate in found.items()]


@boundary
def neighbours(
    config: str | Path | Mapping[str, Any] | Config,
    overrides: Sequence[str] = (),
    *,
    item: Any = None,
    user: Any = None,
    report: Report = silent,
    of_run: bool = False,
) -> tuple[str, pl.DataFrame]:
    """Return title and table of the nearest neighbours of an item, or of a user's history before the last training event.

    Args:
        of_run: whether the config is that of a run folder, which may be untrusted: no endpoint is called, and files or
            models named in the folder are opened only if an override names them too.

    Raises:
        UnknownIdError: the item does not exist, or the user has no training event.
        ConfigError: the config of the run folder names a file or a model.
        EndpointError: a response of an endpoint is not cached.
    """
    if of_run:
        config = load_stored(_sections(config), overrides)
        _refuse_named_files(config, overrides)
        overrides = ()
    checked, splits = _semantic(config, overrides)
    train, ids = splits.train, splits.vocabulary
    asked = ids.items.indices([item])[0] if user is None else _trained_user(train, user)
    found = retrieved_of(checked, splits, report, closed=of_run)
    assert found is not None
    names = titles(splits.items, ids.items)
    if user is None:
        return f"Nearest to {item}: {names[asked]}", near_item(found, train, splits.items, int(asked))
    row = int(train.indptr[asked + 1]) - 1
    return f"Nearest to {user}: {latest(train, names, row)}", near_history(found, train, splits.items, row)


def _sections(config: str | Path | Mapping[str, Any] | Config) -> Mapping[str, Any]:
    """Return the raw sections of a config."""
    if isinstance(config, Config):
        return config.sections
    return raw_config.read(config) if isinstance(config, str | Path) else config


def _trained_user(train: Interactions, user: Any) -> int:
    """Index of a user with a training event."""
    return int(TrainedIds(train).require("user", id_column([user], "user_id"))[0])


def _refuse_named_files(config: Config, overrides: Sequence[str]) -> None:
    """Raise a ConfigError for a file or model of the semantic stage that is named only in the run folder."""
    given = paths(overrides)
    values = config.flat()
    for key in NAMED_FILES:
        asked = key in given or key.partition(".")[0] in given
        if (
            values.get(key) is not None
            and not asked
            and (key != "semantics.model" or values["semantics.name"] != "openai")
        ):
            raise ConfigError(
                f"{key} is {shown(values[key])} in the config of the run folder, which may be untrusted; repeat it "
                f"as an override to use it, {key}=…"
            )


def _semantic(config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str]) -> tuple[Config, Splits]:
    """Return the config, with the default semantic stage if it has none, and its data."""
    checked = load_config(config, overrides)
    if checked["semantics"] is None:
        checked = load_config(checked, ["semantics={}"])
    return checked, prepare(checked)
