"""Precomputed vectors from a Parquet file with item_id and a list of numbers."""

import logging
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float
from pydantic import PositiveInt

from recpair.data.vocabulary import Ids
from recpair.errors import DataError

logger = logging.getLogger("recpair")


class VectorFile:
    """Reads item vectors from Parquet instead of encoding texts.

    Args:
        path: file with the columns item_id and ``column``, a row per item, with ids as in the events.
        column: lists of numbers, of equal length in all rows.
        dim: expected length of the lists; by default, any length.
    """

    def __init__(self, *, path: str, column: str = "vector", dim: PositiveInt | None = None) -> None:
        self.path, self.column, self.dim = Path(path).expanduser(), column, dim

    def read(self, ids: Ids) -> Float[np.ndarray, "I D"]:
        """Return a vector per item, zeros if the file has none; the number found is logged.

        Raises:
            DataError: the file is missing or is not Parquet, lacks a column, has a duplicate id, vectors of unequal or
                other length or with values that are not finite, or contains none of the items.
        """
        frame = self._frame()
        vectors = self._matrix(frame)
        place = ids.find(frame["item_id"])
        known = int((place >= 0).sum())
        if known == 0:
            raise DataError(
                f"{self.path} has none of the {len(ids):,} items: its ids are such as {frame['item_id'][0]!r}, "
                f"those of the events such as {ids.values[0]!r}"
            )
        if known < len(ids):
            logger.info("%s has %s of %s items; the vectors of the others are zero", self.path, known, len(ids))
        if (row := pl.Series(place).filter(pl.Series(place >= 0)).is_duplicated()).any():
            twice = ids.of(place[place >= 0][row.to_numpy()][:1])[0]
            raise DataError(f"{self.path} has item_id {twice!r} twice; expected one row per item")
        result = np.zeros((len(ids), vectors.shape[1]), dtype=np.float32)
        result[place[place >= 0]] = vectors[place >= 0]
        return result

    def _frame(self) -> pl.DataFrame:
        if not self.path.is_file():
            raise DataError(f"semantics.path is {self.path}, which does not exist; give a Parquet file")
        try:
            frame = pl.read_parquet(self.path, glob=False)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(
                f"{self.path} is not a Parquet file, or is damaged ({' '.join(str(error).split())})"
            ) from None
        for wanted in ("item_id", self.column):
            if wanted not in frame.columns:
                raise DataError(f"{self.path} has no column {wanted!r} (found: {', '.join(frame.columns)})")
        return frame

    def _matrix(self, frame: pl.DataFrame) -> Float[np.ndarray, "E D"]:
        column = frame[self.column]
        inner = column.dtype.inner if isinstance(column.dtype, pl.List | pl.Array) else None
        if inner is None or not inner.is_numeric() or frame.is_empty():
            raise DataError(f"{self.path} column {self.column!r} is of type {column.dtype}; expected lists of numbers")
        rows = column.cast(pl.List(pl.Float32))
        lengths = rows.list.len().fill_null(0)
        dim = self.dim or int(lengths[0])
        if (lengths != dim).any() or dim == 0:
            row = int((lengths != dim).arg_max() or 0)
            raise DataError(
                f"{self.path} row {row + 1}: item_id {frame['item_id'][row]!r} has a vector of {lengths[row]} numbers, "
                f"expected {dim}" + (" (semantics.dim)" if self.dim else " as in the first row")
            )
        flat = rows.explode(empty_as_null=False).fill_null(np.nan).to_numpy()
        vectors = flat.reshape(len(frame), dim)
        if not (finite := np.isfinite(vectors).all(axis=1)).all():
            row = int(np.argmin(finite))
            raise DataError(
                f"{self.path} row {row + 1}: item_id {frame['item_id'][row]!r} has a value that is not finite"
            )
        return vectors
