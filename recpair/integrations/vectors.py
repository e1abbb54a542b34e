"""Vectors of users and items as Parquet files and a faiss index."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recpair import files
from recpair.data.interactions import Interactions
from recpair.errors import RunError
from recpair.integrations.embeddings import Embeddings
from recpair.models import Model


def write_vectors(folder: Path, model: Model, train: Interactions, origin: Mapping[str, Any]) -> None:
    """Write ``items.parquet``, ``users.parquet``, ``items.faiss`` and ``metadata.json`` to a folder.

    The tables have the columns item_id or user_id, and vector, a fixed-size list of float32. The index (IndexFlatIP)
    labels a vector with its row in ``items.parquet``, from 0, as ids may be text. The metric is in ``metadata.json`` and
    in the metadata of the Parquet files.

    Args:
        origin: values for the metadata; ``model``, the name of the model, is used in messages too.

    Raises:
        RunError: faiss is not installed, or the scores of the model are not inner products of vectors.
    """
    faiss = _faiss()
    if (found := Embeddings.of(model, train)) is None:
        raise RunError(
            f"model {origin['model']} has no vectors of users and items whose inner products are its scores; "
            f"export a run of mf, lightgcn, ials, sasrec, gru4rec or two_tower"
        )
    about: dict[str, Any] = {
        "metric": found.metric,
        "dimensions": found.items.shape[1],
        "items": len(found.items),
        "users": len(found.users),
        **origin,
    }
    for file, ids, vectors in (
        ("items.parquet", found.trained.item_ids, found.items),
        ("users.parquet", found.trained.user_ids, found.users),
    ):
        files.write(folder / file, partial(_write_table, ids=ids, vectors=vectors, about=about))
    index = faiss.IndexFlatIP(found.items.shape[1])
    index.add(found.items)
    files.write_bytes(folder / "items.faiss", faiss.serialize_index(index).tobytes())
    files.write_json(folder / "metadata.json", about | {"labels": "items.faiss: the row of items.parquet, from 0"})


def _write_table(path: Path, *, ids: pl.Series, vectors: np.ndarray, about: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    table = pa.table({ids.name: ids.to_arrow(), "vector": lists})
    pq.write_table(table.replace_schema_metadata({key: str(value) for key, value in about.items()}), path)


def _faiss() -> Any:
    try:
        import faiss
    except ModuleNotFoundError:
        raise RunError("the format vectors needs faiss: run pip install 'recpair[vectors]'") from None
    return faiss
