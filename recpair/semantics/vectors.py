"""Vectors of texts, each distinct text encoded once, stored in parts so that an interruption loses at most one part."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Float

from recpair.errors import DataError
from recpair.semantics.encoders import Encoder, normalised
from recpair.semantics.progress import Report
from recpair.semantics.store import Arrays, Store, fingerprint

PART = 2048  # texts that are stored together


def text_vectors(
    texts: Sequence[str], encoder: Encoder, store: Store, what: str, report: Report
) -> Float[np.ndarray, "E D"]:
    """Return a vector of length one for each text, zeros for an empty one.

    Raises:
        DataError: all texts are empty, or the encoder did not return a vector for each.
    """
    distinct = list(dict.fromkeys(filter(None, texts)))
    if not distinct:
        raise DataError(f"{what}: all {len(texts):,} texts are empty; name columns with content in semantics.template")
    parts = []
    for start in range(0, len(distinct), PART):
        part = distinct[start : start + PART]
        key = fingerprint(encoder.identity(), part)
        parts.append(store.get("vectors", key, partial(_encoded, part, encoder, what))["vectors"])
        report(f"vectors of {what}", start + len(part), len(distinct))
    vectors = np.concatenate([np.zeros((1, parts[0].shape[1]), np.float32), *parts])
    place = {text: row for row, text in enumerate(distinct, start=1)}
    return vectors[[place.get(text, 0) for text in texts]]


def _encoded(texts: list[str], encoder: Encoder, what: str) -> Arrays:
    vectors = np.asarray(encoder.encode(texts), dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise DataError(
            f"{what}: {encoder.identity()[0]} gave an array of shape {vectors.shape} for {len(texts):,} texts, or values "
            f"that are not finite; expected one vector each"
        )
    return {"vectors": normalised(vectors)}
