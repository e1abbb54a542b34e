"""Fingerprints of the parts of a split: equal data give equal fingerprints, whatever file they were read from."""

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids

KIND = "2"  # raise it where the content of a fingerprint changes; fingerprints of recpair 0.1 have no kind


def data_fingerprint(parts: Sequence[Interactions], noise: np.ndarray | None = None) -> str:
    """Hash of everything that training and evaluation read: ``2-`` and 16 hexadecimal digits.

    Args:
        parts: train, valid and test over one vocabulary. Ids, order, times, ratings and weights count, and so does
            the part that an event belongs to.
        noise: which training events were injected (E,), or None.
    """
    digest = _of_ids(parts[0])
    for part in parts:
        for column in (part.user, part.item, part.time, part.rating, part.weight):
            _add(digest, column)
    _add(digest, noise)
    return f"{KIND}-{digest.hexdigest()}"


def evaluation_fingerprint(test: Interactions, seen: Sequence[Interactions]) -> str:
    """Hash of everything that decides what a test measures: its events, the catalogue, and the items that are masked.

    Runs with equal test fingerprints rank the same items for the same users and look for the same events. The order
    of events, their ratings, and which of the earlier parts an event belongs to do not count.

    Args:
        seen: the earlier parts, whose items are masked (only those of test users count).
    """
    digest = _of_ids(test)
    tested = np.bincount(test.user, minlength=test.n_users) > 0
    sums = np.array([_sum_of([test], tested), _sum_of(seen, tested)], dtype=np.uint64)
    _add(digest, sums)
    return f"{KIND}-{digest.hexdigest()}"


def same_kind(first: str, other: str) -> bool:
    """Return True if two fingerprints were made in the same way, so that different ones mean different data."""
    return first.rpartition("-")[0] == other.rpartition("-")[0]


def _of_ids(part: Interactions) -> "hashlib.blake2b":
    digest = hashlib.blake2b(digest_size=8)
    for ids in (part.vocabulary.users, part.vocabulary.items):
        for column in _buffers(ids):
            _add(digest, column)
    return digest


def _buffers(ids: Ids) -> list[np.ndarray]:
    """Integer ids as they are, others as their lengths and their text, end to end."""
    if ids.values.dtype.is_integer():
        return [ids.values.cast(pl.Int64).to_numpy()]
    text = ids.values.cast(pl.String)
    joined = (text.str.join("").item() or "").encode()
    return [text.str.len_bytes().to_numpy(), np.frombuffer(joined, dtype=np.uint8)]


def _add(digest: "hashlib.blake2b", column: np.ndarray | None) -> None:
    """Hash a column's type, length and bytes; a column that is missing counts as such."""
    digest.update(b"|" if column is None else f"|{column.dtype} {len(column)} ".encode())
    if column is not None and len(column):
        digest.update(np.ascontiguousarray(column).view(np.uint8).data)


def _sum_of(parts: Sequence[Interactions], users: np.ndarray) -> int:
    """Sum (mod 2⁶⁴) of a hash of each (user, item) of some users (U,): the same in any order of the events."""
    from recpair.data import kernels  # Numba takes a while to load

    return sum(int(kernels.sum_of_pairs(part.user, part.item, users)) for part in parts) % 2**64
