"""Trained run, as returned by ``fit`` and ``load``."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import polars as pl

from recpair.boundary import boundary
from recpair.denoising.audit import audit
from recpair.errors import ConfigError, RunError, shown
from recpair.evaluation.noise_detection import quality
from recpair.files import damaged
from recpair.integrations.all_models import construct
from recpair.models import GradientModel, Model
from recpair.plugins import resolve
from recpair.run.asked import flag, id_column, is_pandas, pair_frame
from recpair.run.display import run_html
from recpair.run.folder import AUDIT, CONFIG, HISTORY, ITEMS, PER_USER, SEARCH, TRAIN, RunFolder, consistent, holding
from recpair.run.new_items import Added, add_items
from recpair.run.recommend import OnUnknown, Recommender
from recpair.seeds import isolated

logger = logging.getLogger("recpair")


@dataclass(frozen=True, eq=False)
class Run:
    """Run folder with its model in memory; the data set is not needed.

    Attributes:
        files: the run folder, with a checksum of each file.
        config: the effective config, by section.
        metrics: the content of ``metrics.json``: ``metrics["test"]["ndcg@10"]``.
        recommender: recommendations in external ids.
        items: the item table (titles, categories), or None.
        added: the items that ``add_items`` has added, with the held-out quality of their vectors or scores, or None.
    """

    files: RunFolder
    config: dict[str, Any]
    metrics: dict[str, Any]
    recommender: Recommender
    items: pl.DataFrame | None
    added: Added | None = None

    @classmethod
    @boundary
    def open(cls, folder: str | Path, plugins: Sequence[str] = ()) -> "Run":
        """Load a finished run.

        Args:
            plugins: imported modules of components from outside recpair.

        Raises:
            RunError: a file is missing or damaged, or the config names a model or an option that does not exist.
        """
        if not isinstance(folder, str | Path):
            raise RunError(f"a run is given by its folder or MLflow run id, not by {type(folder).__name__}")
        run = consistent(Path(folder), partial(cls._read, plugins=plugins))
        if run.files.manifest is None:
            logger.info("%s is a run of an earlier version: it has no checksums", folder)
        return run

    @classmethod
    def _read(cls, files: RunFolder, plugins: Sequence[str]) -> "Run":
        if files.has(SEARCH):
            winner = next(iter(sorted(files.path.glob("**/winner/seed-*"))), None)
            hint = f"open its winner, {winner}" if winner else "train its best.yaml with recpair fit"
            raise RunError(f"{files.path} holds a search; {hint}")
        if members := files.groups():
            raise RunError(f"{files.path} {holding(members)}")
        metrics, config = files.metrics(), files.config()
        train = files.training_data()
        try:
            resolve(config, plugins)
            with isolated(0):  # the initial weights are overwritten; the random state of the caller is preserved
                model = construct(config.get("model"), train)
        except ConfigError as error:
            raise RunError(f"{files.path / CONFIG}: {error}") from None
        files.load_weights(model)
        model.eval()
        items = files.frame(ITEMS) if files.has(ITEMS) else None
        return cls(files, config, metrics, Recommender(model, train), items)

    @property
    def folder(self) -> Path:
        """Path of the run folder."""
        return self.files.path

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, model={self.config['model']['name']!r}, {self.recommender.train!r})"

    def _repr_html_(self) -> str:
        """HTML representation for notebooks."""
        return run_html(self.folder, self.config, self.metrics, isinstance(self.model, GradientModel))

    @property
    def model(self) -> Model:
        return self.recommender.model

    @cached_property
    def history(self) -> pl.DataFrame:
        """One row per epoch and metric: epoch, metric, value."""
        return self.files.frame(HISTORY)

    @cached_property
    def per_user(self) -> pl.DataFrame:
        """Test metrics of each user: user_id and a column per metric."""
        return self.files.frame(PER_USER)

    @boundary
    def add_items(self, frame: Any, *, semantics: Any = None, exposure: float | None = 1.0) -> "Run":
        """Return a run in memory that also recommends new items, which are placed by their texts and other columns.

        Models of vectors place a new item by ridge regression from the content of the known items to their vectors;
        other models give it the mean score of the most similar known items (``run.new_items``). ``added.quality`` of the
        returned run is the quality for known items that are held out. The run folder does not change. Items with training
        events are left as they are, with a note.

        Args:
            frame: a polars or pandas frame, or the path of a table, with a column ``item_id`` (or the item column of the
                run's data) and the columns of the run's item table.
            semantics: section ``semantics`` for the texts, as in a config; by default that of the run, or else TF-IDF of
                all columns of text.
            exposure: how often a new item is recommended, relative to a known one (1: equally often); its scores are
                spread accordingly (``run.item_map``). None: expected scores, with which it hardly ever is among the best.

        Raises:
            RunError: the run has no item table, all items are known, or ``exposure`` is not a number above 0.
            DataError: a column is missing, an id is missing or occurs twice, or a value has another type.
            ConfigError: ``semantics`` is invalid.
        """
        if exposure is not None and not (isinstance(exposure, int | float) and 0 < exposure < float("inf")):
            raise RunError(f"exposure is {shown(exposure)}; expected a number above 0, or None")
        if self.added is not None:
            raise RunError("the run has new items already; add all of them at once, to the run as loaded")
        train = self.recommender.train
        keys = self.id_columns("item")
        added = add_items(self.model, train, self._side_table, frame, keys, self.config, semantics, exposure)
        recommender = Recommender(added.model, added.train, added.places)
        return replace(self, recommender=recommender, items=added.table, added=added)

    @boundary
    def audit(self) -> pl.DataFrame:
        """Return the training interactions, the most suspicious first, as ``recpair.denoising.audit`` defines it.

        Raises:
            RunError: the run's model was not trained by a loss.
        """
        return audit(self.recommender.train, self._losses)

    def audit_quality(self) -> pl.DataFrame | None:
        """Return the detection quality of injected noise, for all users and by activity; None without injected noise."""
        noise = self.files.frame(TRAIN).get_column("noise", default=None)
        return None if noise is None else quality(self.recommender.train, self._losses, noise.to_numpy())

    @cached_property
    def _losses(self) -> pl.DataFrame:
        if not self.files.lists(AUDIT):
            raise RunError(
                f"{self.folder} has no {AUDIT}: its model was not trained by a loss of pairs, so there is nothing to audit; "
                f"choose a run of a model such as mf"
            )
        losses, events = self.files.frame(AUDIT), len(self.recommender.train)
        if len(losses) != events:
            raise damaged(
                self.folder / AUDIT, f"expected {events:,} rows, one per training event, found {len(losses):,}"
            )
        return losses

    @boundary
    def recommend(
        self,
        users: Any = None,
        *,
        histories: Any = None,
        k: int = 10,
        exclude_seen: bool = True,
        items: Any = None,
        exclude: Any = None,
        per_user_items: Any = None,
        diversity: float = 0.0,
        explain: bool = False,
        on_unknown: OnUnknown = "raise",
        titles: bool = False,
    ) -> Any:
        """Return the k best items for each user: user_id, item_id, score, rank.

        ``users`` is a list, a polars or pandas column, or a frame with a column ``user_id`` or the user
        column of the run's data (``data.columns.user``); for pandas input, the result is a pandas frame.
        ``per_user_items`` may also have the column names of the run's data. ``titles`` adds the columns of the item
        table, and its ``title`` to explanations. Other arguments, the columns ``fallback`` and ``explanation``, and the
        errors are those of ``Recommender.recommend``.
        """
        flag(titles, "titles")
        frame = self.recommender.recommend(
            None if users is None else self.ids_of(users, "user"),
            histories=histories,
            k=k,
            exclude_seen=exclude_seen,
            items=None if items is None else self.ids_of(items, "item", "items"),
            exclude=None if exclude is None else self.ids_of(exclude, "item", "exclude"),
            per_user_items=None if per_user_items is None else self.pairs_of(per_user_items, "per_user_items"),
            diversity=diversity,
            explain=explain,
            on_unknown=on_unknown,
        )
        if explain and titles:
            frame = self._with_titles(frame)
        pandas = is_pandas(per_user_items if users is None and histories is None else users)
        return self._delivered(frame, "item_id", titles, pandas)

    @boundary
    def similar_items(self, items: Any, k: int = 10, *, titles: bool = False) -> Any:
        """Return the k most similar items of each item: item_id, similar_item_id, score, rank.

        The score is the cosine similarity of the item vectors, or the weight between the items in models of
        item–item weights (ease, item_knn); see ``Recommender.similar_items`` for details and errors.
        """
        flag(titles, "titles")
        frame = self.recommender.similar_items(self.ids_of(items, "item"), k)
        return self._delivered(frame, "similar_item_id", titles, is_pandas(items))

    @boundary
    def score(self, users: Any, items: Any) -> Any:
        """Return the model's score of each (user, item) pair: user_id, item_id, score."""
        frame = self.recommender.score(self.ids_of(users, "user"), self.ids_of(items, "item"))
        return self._delivered(frame, "item_id", False, is_pandas(users))

    def id_columns(self, kind: Literal["user", "item"]) -> list[str]:
        """Names of the id column of a table: that of the run's data, then ``user_id`` or ``item_id``."""
        data = self.config.get("data")
        columns = data.get("columns") if isinstance(data, dict) else None
        own = columns.get(kind) if isinstance(columns, dict) else None
        return [*([own] if isinstance(own, str) else []), f"{kind}_id"]

    def ids_of(self, ids: Any, kind: Literal["user", "item"], name: str | None = None) -> pl.Series:
        """Return the ids in a list, a column or a frame, as ``asked.id_column`` does."""
        return id_column(ids, name or f"{kind}_id", self.id_columns(kind))

    def pairs_of(self, frame: Any, name: str) -> pl.DataFrame:
        """Return the ids of a frame of pairs: user_id, item_id."""
        return pair_frame(frame, name, self.id_columns("user"), self.id_columns("item"))

    def _with_titles(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Add the titles of the item table to explanations."""
        table = self._side_table
        if table is None or "title" not in table.columns:
            return frame
        titles = dict(table.select("item_id", "title").iter_rows())
        rows = [[part | {"title": titles.get(part["item_id"])} for part in row] for row in frame["explanation"]]
        kind = frame.schema["explanation"]
        assert isinstance(kind, pl.List)
        assert isinstance(kind.inner, pl.Struct)
        entry = pl.Struct([*kind.inner.fields, pl.Field("title", table.schema["title"])])
        return frame.with_columns(pl.Series("explanation", rows, dtype=pl.List(entry)))

    def _delivered(self, frame: pl.DataFrame, key: str, titles: bool, pandas: bool) -> Any:
        if titles and self._side_table is None:
            logger.info("%s has no item table, so titles adds no columns", self.folder)
        elif titles and self._side_table is not None:
            suffix = "_right"  # for item table columns with the same name as a column of the recommendations
            while {f"{column}{suffix}" for column in frame.columns} & {*self._side_table.columns}:
                suffix += "_right"
            table = self._side_table.rename({"item_id": key})
            frame = frame.join(table, on=key, how="left", maintain_order="left", suffix=suffix)
        return frame.to_pandas() if pandas else frame

    @cached_property
    def _side_table(self) -> pl.DataFrame | None:
        """Item table with the ids of the vocabulary, without other items."""
        if self.items is None:
            return None
        ids = self.recommender.train.vocabulary.items
        place = ids.find(self.items["item_id"])
        return self.items.filter(pl.Series(place >= 0)).with_columns(ids.of(place[place >= 0]).alias("item_id"))
