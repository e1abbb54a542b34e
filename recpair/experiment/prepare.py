"""Data of a run: read, filtered and split, with the evaluators of its parts."""

import logging
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from recpair.config import Config
from recpair.data import SPLITS
from recpair.data.dataset import Dataset
from recpair.data.events import Events, events_from, read_data, require_something_to_rank
from recpair.data.filtering import Report, filter_events
from recpair.data.histories import notes_on_histories
from recpair.data.noise import add_noise
from recpair.data.rolling import OUTSIDE, Fold, fold_of, rolling_folds
from recpair.data.splitting import ROLLING, TEST, Splits, apply_split
from recpair.errors import ConfigError
from recpair.evaluation.evaluator import Evaluator
from recpair.evaluation.names import parse_metric, with_metric
from recpair.experiment.requirements import needs_texts
from recpair.integrations.all_models import ALL_MODELS
from recpair.models import HistoryModel
from recpair.registry import options_in
from recpair.semantics import encode_items

logger = logging.getLogger("recpair")


@dataclass(frozen=True)
class Evaluators:
    """Evaluators of the validation part, which chooses the epoch, and of the test part; None without such a part."""

    valid: Evaluator | None
    test: Evaluator | None


def prepare(config: Config, data: Any = None, items: Any = None) -> Splits:
    """Read, filter and split the data into train, valid and test parts, with notes on them."""
    split = dict(config["split"])
    name, validate = split.pop("name"), config["evaluate"]["monitor"] is not None
    events, fold = _read(config, data, items), None
    if name == ROLLING:
        events, filtered, fold = _of_fold(config, events)
    else:
        events, filtered = filter_events(events, **config["filter"])
    require_something_to_rank(events)
    dataset = Dataset.from_events(events)
    labels = SPLITS[name](dataset, **split) if fold is None else fold.labels_of(dataset.interactions)
    splits = apply_split(dataset, labels, name, validate=validate)
    if fold is not None:
        report = splits.report | {"events_in_test_window": int((labels == TEST).sum())}
        splits = replace(splits, report=report, notes=(str(fold), *splits.notes))
    splits = replace(splits, notes=(*events.notes, *splits.notes))
    if config["noise"] is not None:
        splits = add_noise(splits, **config["noise"])
    if issubclass(ALL_MODELS[config["model"]["name"]], HistoryModel):
        notes = notes_on_histories(splits.train, splits.valid, splits.test)
        splits = replace(splits, notes=(*splits.notes, *notes))
    lost = [
        f"{name} left {left:,}"
        for (name, left), (_, before) in zip(filtered[1:], filtered, strict=False)
        if left < before
    ]
    if lost:
        logger.info("of %s events %s", f"{filtered[0][1]:,}", ", ".join(lost))
    for note in splits.notes:
        logger.info(note)
    return splits


def folds_of(config: Config, data: Any = None, items: Any = None) -> list[Fold]:
    """Read the data and return the folds of the split ``rolling``, each with events in all of its windows.

    Raises:
        DataError: the data are too short for the folds, or a window has no events.
    """
    folds = _folds(config, _filtered_one_by_one(config, _read(config, data, items))[0])
    for fold in folds:
        fold.require_events(validate=config["evaluate"]["monitor"] is not None)
    return folds


def _read(config: Config, data: Any, items: Any) -> Events:
    section = config["data"]
    if data is None:
        return read_data(**section)
    return events_from(data, section["columns"], items, **options_in(section, events_from))


def _folds(config: Config, events: Events) -> list[Fold]:
    split = {key: value for key, value in config["split"].items() if key not in ("name", "fold")}
    if "timestamp" not in events.frame.columns:
        raise ConfigError(
            "split.name: rolling needs a time column, and the data has none; map it with data.columns.time"
        )
    return rolling_folds(events.frame["timestamp"].to_numpy(), events.clock, **split)


def _filtered_one_by_one(config: Config, events: Events) -> tuple[Events, Report]:
    """Apply the filters that decide on each event alone."""
    alone = {name: config["filter"][name] for name in ("min_rating", "start", "end")}
    return filter_events(events, **alone, deduplicate="keep")


def _of_fold(config: Config, events: Events) -> tuple[Events, Report, Fold]:
    """Filter the events of one fold; duplicates and cores are counted among its events only."""
    events, report = _filtered_one_by_one(config, events)
    fold = fold_of(_folds(config, events), config["split"]["fold"])
    fold.require_events(validate=config["evaluate"]["monitor"] is not None)
    inside = pl.Series(fold.labels(events.frame["timestamp"].to_numpy()) != OUTSIDE)
    events = events.of_frame(events.frame.filter(inside))
    among = {name: config["filter"][name] for name in ("deduplicate", "user_core", "item_core")}
    events, counted = filter_events(events, **among)
    return events, [*report, (f"fold {fold.number}", counted[0][1]), *counted[1:]], fold


def text_vectors_of(config: Config, splits: Splits) -> Any:
    """Return the unit vectors of the item texts if a metric needs them."""
    if not needs_texts(config):
        return None
    return encode_items(splits, config["describe"], config["output"], **config["semantics"])


def evaluators_of(config: Config, splits: Splits) -> Evaluators:
    """Create the evaluators: validation masks the training events, the test also masks the validation events."""
    section = options_in(config["evaluate"], Evaluator)
    texts = text_vectors_of(config, splits)
    test = Evaluator(splits.train, splits.test, (splits.valid,), texts, **section) if len(splits.test) else None
    if config["evaluate"]["monitor"] is None:
        return Evaluators(None, test)
    metric, cutoff = parse_metric(config["evaluate"]["monitor"])
    watched = section | {
        "metrics": with_metric(section["metrics"], metric),
        "cutoffs": sorted({*section["cutoffs"], cutoff}),
    }
    return Evaluators(Evaluator(splits.train, splits.valid, (), texts, **watched), test)
