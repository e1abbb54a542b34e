"""Nearest vectors by cosine with faiss: exact for small pools, approximate with a measured recall above."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from recpair.errors import ConfigError

SAMPLE = 1_000  # queries on which the recall is measured
BLOCK, ANSWERS = 4096, 1 << 22  # queries at a time, limited to this number of results


@dataclass(frozen=True, eq=False)
class Search:
    """A neighbour search: rows with a vector are queries, rows of the pool are candidates.

    Attributes:
        vectors: of length one; rows of zeros are neither queries nor candidates.
        pool: bool (E,), True for candidates.
        own: range of rows (start, end) that are excluded for a row: itself, or all of its user.
    """

    vectors: Float[np.ndarray, "E D"]
    pool: np.ndarray
    own: Int[np.ndarray, "E _"]


@dataclass(frozen=True, eq=False)
class Found:
    """The nearest neighbours of each row, and the recall of the search.

    Attributes:
        rows: int32, the nearest first; −1 where there are fewer.
        recall: the share of the true nearest that is found, on a sample; 1 if the search is exact.
    """

    rows: Int[np.ndarray, "E K"]
    recall: float


def nearest(
    search: Search,
    k: int,
    exact_below: int,
    recall: float,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Found:
    """Return the k nearest neighbours of every row.

    With at most ``exact_below`` vectors in the pool n, all are compared (IndexFlatIP). Above, an inverted file
    (IndexIVFFlat) of about √n lists probes as many of them as needed to find the share ``recall`` of the true nearest
    of a sample of queries.
    """
    faiss = _faiss()
    has_vector = search.vectors.any(axis=1)
    pool, asking = np.flatnonzero(has_vector & search.pool), np.flatnonzero(has_vector)
    rows = np.full((len(search.vectors), k), -1, dtype=np.int32)
    if len(pool) == 0:
        return Found(rows, 1.0)
    own = np.searchsorted(pool, search.own[asking])
    index, share = faiss.IndexFlatIP(search.vectors.shape[1]), 1.0
    index.add(search.vectors[pool])
    if len(pool) > exact_below:
        chosen = np.sort(np.random.default_rng(0).choice(len(asking), min(SAMPLE, len(asking)), replace=False))
        queries = search.vectors[asking[chosen]]
        truth = _answers(index, queries, np.arange(len(chosen)), own[chosen], k)
        index = _inverted_file(faiss, index)
        share = _look_far_enough(index, queries, own[chosen], truth, recall)
    places = _answers(index, search.vectors, asking, own, k, report)
    rows[asking] = np.where(places >= 0, pool[places], -1)
    return Found(rows, share)


def overlap(found: Int[np.ndarray, "E K"], truth: Int[np.ndarray, "E K"]) -> float:
    """Return the share of the true neighbours that were found; −1 is ignored."""
    hits = (truth[:, :, None] == found[:, None, :]).any(axis=2) & (truth >= 0)
    return float(hits.sum() / max((truth >= 0).sum(), 1))


def _inverted_file(faiss: Any, flat: Any) -> Any:
    lists = 1 << round(np.log2(flat.ntotal) / 2)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(flat.d), flat.d, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = 10
    vectors = flat.reconstruct_n(0, flat.ntotal)
    index.train(vectors[np.random.default_rng(0).choice(flat.ntotal, min(flat.ntotal, 64 * lists), replace=False)])
    index.add(vectors)
    return index


def _look_far_enough(index: Any, queries: np.ndarray, own: np.ndarray, truth: np.ndarray, wanted: float) -> float:
    """Probe half as many lists more until the wanted share of the truth is found; return the share."""
    index.nprobe = min(4, index.nlist)
    while True:
        share = overlap(_answers(index, queries, np.arange(len(queries)), own, truth.shape[1]), truth)
        if share >= wanted or index.nprobe == index.nlist:
            return share
        index.nprobe = min(index.nprobe + index.nprobe // 2, index.nlist)


def _answers(
    index: Any,
    vectors: np.ndarray,
    asking: np.ndarray,
    own: np.ndarray,
    k: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """Return int64 (len(asking), k) places in the index outside the own range; −1 where there are fewer.

    The search requests as many more as the range holds, rounded up to a power of two so that few sizes occur.
    """
    result = np.full((len(asking), k), -1, dtype=np.int64)
    sizes = 1 << np.ceil(np.log2(k + own[:, 1] - own[:, 0])).astype(np.int64)
    done = 0
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        step = max(1, min(BLOCK, ANSWERS // int(size)))
        for start in range(0, len(alike), step):
            chosen = alike[start : start + step]
            _, found = index.search(vectors[asking[chosen]], int(min(size, index.ntotal)))
            found[(found >= own[chosen, :1]) & (found < own[chosen, 1:])] = -1
            order = np.argsort(found < 0, axis=1, kind="stable")[:, :k]
            result[chosen, : order.shape[1]] = np.take_along_axis(found, order, axis=1)
            done += len(chosen)
            report(done, len(asking))
    return result


def _faiss() -> Any:
    try:
        import faiss
    except ModuleNotFoundError:
        raise ConfigError("semantics needs faiss to find neighbours: run pip install 'recpair[text]'") from None
    return faiss
