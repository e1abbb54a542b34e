"""Fingerprints of the parts of a split: equal data give equal fingerprints, independent of the source file."""

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids

KIND = "2"  # increase if the content of a fingerprint changes; fingerprints of recpair 0.1 have no kind


def data_fingerprint(parts: Sequence[Interactions], noise: np.ndarray | None = None) -> str:
    """Hash of all data read by training and evaluation: ``2-`` and 16 hexadecimal digits.

    Args:
        parts: train, valid and test over one vocabulary. The hash covers ids, order, times, ratings, weights and the
            part of each event.
        noise: mask of injected training events (E,), or None.
    """
    digest = _of_ids(parts[0])
    for part in parts:
        for column in (part.user, part.item, part.time, part.rating, part.weight):
            _add(digest, column)
    _add(digest, noise)
    return f"{KIND}-{digest.hexdigest()}"


def evaluation_fingerprint(test: Interactions, seen: Sequence[Interactions]) -> str:
    """Hash of the data that determine a test: its events, the catalogue, and the masked items.

    Runs with equal test fingerprints rank the same items for the same users, with the same test events. The hash
    ignores the order of events, their ratings, and the assignment of events to the earlier parts.

    Args:
        seen: the earlier parts, whose items are masked (only those of test users are hashed).
    """
    digest = _of_ids(test)
    tested = np.bincount(test.user, minlength=test.n_users) > 0
    sums = np.array([_sum_of([test], tested), _sum_of(seen, tested)], dtype=np.uint64)
    _add(digest, sums)
    return f"{KIND}-{digest.hexdigest()}"


def same_kind(first: str, other: str) -> bool:
    """Return True if two fingerprints are of the same kind, so that a difference means different data."""
    return first.rpartition("-")[0] == other.rpartition("-")[0]


def _of_ids(part: Interactions) -> "hashlib.blake2b":
    digest = hashlib.blake2b(digest_size=8)
    for ids in (part.vocabulary.users, part.vocabulary.items):
        for column in _buffers(ids):
            _add(digest, column)
    return digest


def _buffers(ids: Ids) -> list[np.ndarray]:
    """Return integer ids unchanged, others as their lengths and their concatenated text."""
    if ids.values.dtype.is_integer():
        return [ids.values.cast(pl.Int64).to_numpy()]
    text = ids.values.cast(pl.String)
    joined = (text.str.join("").item() or "").encode()
    return [text.str.len_bytes().to_numpy(), np.frombuffer(joined, dtype=np.uint8)]


def _add(digest: "hashlib.blake2b", column: np.ndarray | None) -> None:
    """Hash the type, length and bytes of a column; None is hashed as a missing column."""
    digest.update(b"|" if column is None else f"|{column.dtype} {len(column)} ".encode())
    if column is not None and len(column):
        digest.update(np.ascontiguousarray(column).view(np.uint8).data)


def _sum_of(parts: Sequence[Interactions], users: np.ndarray) -> int:
    """Sum (mod 2⁶⁴) of a hash of each (user, item) of some users (U,), independent of the order of events."""
    from recpair.data import kernels  # Numba is slow to import

    return sum(int(kernels.sum_of_pairs(part.user, part.item, users)) for part in parts) % 2**64
