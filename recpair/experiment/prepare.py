"""Data of a run: read, filtered and split, with the evaluators of its parts."""

import logging
import time
from dataclasses import dataclass, replace
from functools import partial
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
from recpair.data.splitting import COLD, ROLLING, TEST, Splits, apply_split
from recpair.errors import ConfigError
from recpair.evaluation.evaluator import Evaluator
from recpair.evaluation.names import parse_metric, with_metric
from recpair.experiment.requirements import needs_texts
from recpair.integrations.all_models import ALL_MODELS
from recpair.models import ContentModel, HistoryModel, Model
from recpair.registry import options_in
from recpair.run.item_map import Content, extend_by_content
from recpair.run.new_items import unseen_content
from recpair.semantics import encode_items

logger = logging.getLogger("recpair")


@dataclass(frozen=True)
class Evaluators:
    """Evaluators of the validation part, which chooses the epoch, and of the test part; None without such a part."""

    valid: Evaluator | None
    test: Evaluator | None


@dataclass(frozen=True)
class Prepared:
    """Splits and evaluators of a config, which other configs with the same data and evaluation can use as well.

    Attributes:
        data, items: events and item table in memory, if the config's section data is not used.
        seconds: time to read and split the data.
    """

    config: Config
    data: Any
    items: Any
    splits: Splits
    evaluators: Evaluators
    seconds: float

    @classmethod
    def of(cls, config: Config, data: Any = None, items: Any = None) -> "Prepared":
        """Read and split the data of a config, and create its evaluators."""
        started = time.perf_counter()
        splits = prepare(config, data, items)
        evaluators = evaluators_of(config, splits)
        return cls(config, data, items, splits, evaluators, time.perf_counter() - started)

    def for_config(self, config: Config) -> "Prepared":
        """Return what a config with the same events in memory needs: this, or what is read and split anew."""
        sections = ("data", "filter", "split", "noise", "evaluate", "semantics", "describe")
        same = all(self.config[section] == config[section] for section in sections)
        kind = [issubclass(ALL_MODELS[each["model"]["name"]], HistoryModel) for each in (self.config, config)]
        return self if same and kind[0] == kind[1] else Prepared.of(config, self.data, self.items)


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
    """Create the evaluators: validation masks the training events, the test also masks the validation events.

    If cold items are evaluated (split ``cold_items``, or ``evaluate.candidates: cold``), models that do not read the
    content of items are extended by these items first, as ``Run.add_items`` does.
    """
    section = options_in(config["evaluate"], Evaluator)
    texts = text_vectors_of(config, splits)
    test = Evaluator(splits.train, splits.test, (splits.valid,), texts, **section) if len(splits.test) else None
    valid = None
    if config["evaluate"]["monitor"] is not None:
        metric, cutoff = parse_metric(config["evaluate"]["monitor"])
        watched = section | {
            "metrics": with_metric(section["metrics"], metric),
            "cutoffs": sorted({*section["cutoffs"], cutoff}),
        }
        valid = Evaluator(splits.train, splits.valid, (), texts, **watched)
    if config["split"]["name"] == COLD or config["evaluate"]["candidates"] == "cold":
        content = unseen_content(splits.train, splits.items, config["semantics"])
        if valid is not None:
            valid.view = partial(_extended, content, quiet=True)
        if test is not None:
            test.view = partial(_extended, content)
    return Evaluators(valid, test)


def _extended(content: Content, model: Model, *, quiet: bool = False) -> Model:
    """Return a model with the cold items, and log the quality of their vectors or scores."""
    if isinstance(model, ContentModel) and model.reads_content:
        return extend_by_content(model, content.train, content.new)[0]
    extended, quality = content.extend(model)
    if not quiet:
        logger.info("cold items in %s: %s", type(model).__name__, quality)
    return extended
