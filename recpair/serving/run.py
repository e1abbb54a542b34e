"""A trained run: what ``fit`` returns and ``load`` opens."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from recpair.bridges.all_models import ALL_MODELS
from recpair.denoising.audit import audit, quality
from recpair.errors import RunError
from recpair.models import Model
from recpair.registry import lookup
from recpair.seeds import isolated
from recpair.serving import run_folder as files
from recpair.serving.recommend import OnUnknown, Recommender, as_series


@dataclass(frozen=True, eq=False)
class Run:
    """A run folder with its model in memory; asks for no data set.

    Attributes:
        folder: where it lies.
        config: the effective config, by section.
        metrics: what ``metrics.json`` holds: ``metrics["test"]["ndcg@10"]``.
        recommender: answers in external ids.
        items: the side table of the items (titles, categories), or None.
    """

    folder: Path
    config: dict[str, Any]
    metrics: dict[str, Any]
    recommender: Recommender
    items: pl.DataFrame | None

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Load a finished run.

        Raises:
            RunError: a file is missing, truncated or damaged.
        """
        folder = Path(folder)
        metrics, config = files.read_json(folder, files.METRICS), files.read_config(folder)
        train = files.read_training_data(folder)
        section = dict(config["model"])
        component = lookup(ALL_MODELS, section.pop("name"), f"{folder / files.CONFIG}: model.name")
        with isolated(0):  # the initial weights are overwritten, and the caller's generator stays as it is
            model = component(train, **section)
        files.read_weights(folder, model)
        model.eval()
        items = files.read_frame(folder, files.ITEMS) if (folder / files.ITEMS).exists() else None
        return cls(folder, config, metrics, Recommender(model, train), items)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, model={self.config['model']['name']!r}, {self.recommender.train!r})"

    @property
    def model(self) -> Model:
        return self.recommender.model

    @cached_property
    def history(self) -> pl.DataFrame:
        """One row per epoch and metric: epoch, metric, value."""
        return files.read_frame(self.folder, files.HISTORY)

    @cached_property
    def per_user(self) -> pl.DataFrame:
        """Test metrics of each user: user_id and a column per metric."""
        return files.read_frame(self.folder, files.PER_USER)

    def audit(self) -> pl.DataFrame:
        """The training interactions, the most suspicious first; ``recpair.denoising.audit`` says how.

        Raises:
            RunError: the run's model was not trained by a loss.
        """
        return audit(self.recommender.train, self._losses)

    def audit_quality(self) -> pl.DataFrame | None:
        """How well the audit finds injected noise, for all users and by activity; None where none was injected."""
        noise = files.read_frame(self.folder, files.TRAIN).get_column("noise", default=None)
        return None if noise is None else quality(self.recommender.train, self._losses, noise.to_numpy())

    @cached_property
    def _losses(self) -> pl.DataFrame:
        return files.read_frame(self.folder, files.AUDIT)

    def recommend(
        self,
        users: Any = None,
        *,
        histories: Sequence[Sequence[Any]] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        items: Sequence[Any] | None = None,
        on_unknown: OnUnknown = "raise",
        titles: bool = False,
    ) -> Any:
        """The k best items for each user: user_id, item_id, score, rank.

        ``users`` is a list, a polars or pandas column, or a frame with a user_id column; pandas in,
        pandas out. ``titles`` adds the columns of the item table. The rest is as in
        ``Recommender.recommend``, which says what it raises.
        """
        asked, pandas = (None, False) if users is None else _given(users, "user_id")
        frame = self.recommender.recommend(
            asked, histories=histories, k=k, exclude_seen=exclude_seen, items=items, on_unknown=on_unknown
        )
        return self._delivered(frame, "item_id", titles, pandas)

    def similar_items(self, items: Any, k: int = 10, *, titles: bool = False) -> Any:
        """The k nearest items of each by cosine: item_id, similar_item_id, score, rank."""
        asked, pandas = _given(items, "item_id")
        return self._delivered(self.recommender.similar_items(asked, k), "similar_item_id", titles, pandas)

    def score(self, users: Any, items: Any) -> Any:
        """The model's score of each (user, item) pair: user_id, item_id, score."""
        user, pandas = _given(users, "user_id")
        item, _ = _given(items, "item_id")
        return self._delivered(self.recommender.score(user, item), "item_id", False, pandas)

    def _delivered(self, frame: pl.DataFrame, key: str, titles: bool, pandas: bool) -> Any:
        if titles and self.items is not None:
            ids = self.recommender.train.vocabulary.items
            place = ids.find(self.items["item_id"])
            known = self.items.filter(pl.Series(place >= 0)).with_columns(ids.of(place[place >= 0]).alias("item_id"))
            table = known.rename({"item_id": key})
            frame = frame.join(table, on=key, how="left", maintain_order="left")
        return frame.to_pandas() if pandas else frame


def _given(ids: Any, name: str) -> tuple[pl.Series, bool]:
    """Ids as a series, and whether they came as pandas."""
    pandas = type(ids).__module__.partition(".")[0] == "pandas"
    if isinstance(ids, pl.DataFrame) or (pandas and type(ids).__name__ == "DataFrame"):
        if name not in ids.columns:
            raise RunError(f"the frame has no column {name!r} (found: {', '.join(map(str, ids.columns))}); rename one")
        ids = ids[name]
    if isinstance(ids, str) or not hasattr(ids, "__iter__"):
        raise RunError(f"{name} is {ids!r}; expected a list of ids, a column, or a frame with the column {name}")
    return as_series(ids.to_list() if pandas else ids), pandas
