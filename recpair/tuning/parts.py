"""Parts of a trial: one run, or a run per fold of the split ``rolling``, each with its data in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recpair.config import Config
from recpair.experiment.folds import has_folds
from recpair.experiment.loading import load_config
from recpair.experiment.prepare import Prepared, folds_of


@dataclass(frozen=True)
class Part:
    """One run of a trial.

    Attributes:
        name: folder below that of the trial; empty for a trial of one run.
        overrides: the fold.
    """

    name: str
    overrides: tuple[str, ...]
    prepared: Prepared


def parts_of(config: Config, data: Any = None, items: Any = None) -> list[Part]:
    """Return the parts of the trials of a config.

    Raises:
        DataError: the data are too short for the folds.
    """
    if not has_folds(config):
        return [Part("", (), Prepared.of(config, data, items))]
    named = [(f"fold-{fold.number}", (f"split.fold={fold.number}",)) for fold in folds_of(config, data, items)]
    return [Part(name, changes, Prepared.of(load_config(config, changes), data, items)) for name, changes in named]


def parts_for(parts: Sequence[Part], config: Config) -> list[Part]:
    """Return the parts for a config with the same events in memory; those with the same data and evaluation are kept."""
    if any(part.overrides for part in parts) != has_folds(config):
        first = parts[0].prepared
        return parts_of(config, first.data, first.items)
    return [
        Part(part.name, part.overrides, part.prepared.for_config(load_config(config, part.overrides))) for part in parts
    ]


def prepared_for(parts: Sequence[Part], config: Config) -> Prepared:
    """Return the data of the part with the split of a config."""
    own = next((part for part in parts if part.prepared.config["split"] == config["split"]), parts[0])
    return own.prepared.for_config(config)
