"""Maps from the content of items to their vectors or scores, fitted to the known items of a model."""

import logging
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float

from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.evaluation.ranking import top_k
from recpair.models import ContentModel, Model, Scorer, Vectors
from recpair.models.blas import one_thread
from recpair.models.extended import Extended, NewItems
from recpair.models.ridge import fit_ridge

logger = logging.getLogger("recpair")

COUNTS = (1, 3, 10, 30)  # candidates for the number of neighbours
SAMPLE, USERS = 1000, 256  # known items and users that measure the held-out quality
SCORES = 2**25  # of the sampled users, held at a time
LENGTH, LARGEST, STEPS = 10, 100.0, 30  # of the lists, the factor and the bisection of ``spread``
FEWEST = 3  # known items
NEAREST = 10  # neighbours that the held-out vectors are checked on
BLOCK = 256


@dataclass(frozen=True)
class Quality:
    """Held-out quality of a map: each known item is predicted by a map that has not seen it.

    Attributes:
        method: ``ridge`` or ``neighbours``.
        n_items: number of known items that the map is fitted to.
        r2: share of the variance of the vectors (of the scores of sampled users) that is explained; 0 for the mean.
        strength: λ of the ridge regression, or None.
        neighbours: number of nearest known items whose scores are averaged, or None.
        cosine: mean cosine of a predicted vector and the true one, or None.
        recall: share of the 10 known items with the most similar vectors that are found by the predicted vector, or None.
        spread: factor of the difference of predicted scores from their mean (``Content.extend``).
    """

    method: str
    n_items: int
    r2: float
    strength: float | None = None
    neighbours: int | None = None
    cosine: float | None = None
    recall: float | None = None
    spread: float = 1.0

    def __str__(self) -> str:
        if self.method == "ridge":
            return (
                f"ridge regression of the vectors of {self.n_items:,} known items (λ = {self.strength:.3g}); held out one by "
                f"one, R² {self.r2:.3f}, cosine {self.cosine:.3f}, {self.recall:.0%} of the {NEAREST} nearest items found; "
                f"spread × {self.spread:.2f}"
            )
        return (
            f"mean scores of the {self.neighbours} nearest of {self.n_items:,} known items; held out one by one, "
            f"R² {self.r2:.3f} of the scores; spread × {self.spread:.2f}"
        )


@dataclass(frozen=True, eq=False)
class Sampled:
    """Scores of known items for sampled users.

    Attributes:
        scores: float64 (Q, n).
        seen: training items of the users, bool (Q, n).
    """

    scorer: Scorer
    scores: np.ndarray
    seen: np.ndarray

    @classmethod
    def of(cls, model: Model, train: Interactions, known: np.ndarray) -> "Sampled":
        """Score the items ``known`` (n,) for at most USERS users."""
        users = np.flatnonzero(np.diff(train.indptr))
        users = users[_evenly(len(users), min(USERS, max(SCORES // train.n_items, 1)))]
        seen = np.zeros((len(users), train.n_items), dtype=bool)
        for row, user in enumerate(users):
            seen[row, train.items_of(user)] = True
        with torch.no_grad():
            scorer = model.score(model.batch_of(torch.from_numpy(users).to(model.device), Histories((train,))))
            scores = scorer.catalogue().double().cpu().numpy()[:, known]
        return cls(scorer, scores, seen[:, known])


@torch.no_grad()
def extend_by_content(
    model: ContentModel, train: Interactions, places: np.ndarray, exposure: float | None = 1.0
) -> tuple[Model, float]:
    """Return a model that reads content, with the scores of the items at ``places`` spread, and the factor.

    As in ``Content.extend``, with known items that are represented by their content alone in place of held-out ones.
    """
    if exposure is None:
        return model, 1.0
    known = np.flatnonzero(train.item_counts)
    sampled, sample = Sampled.of(model, train, known), _tenth(len(known))
    assert isinstance(sampled.scorer, Vectors), "a model that reads content has vectors"
    queries, items = (part.float().cpu().numpy() for part in (sampled.scorer.queries, sampled.scorer.items))
    held_out = queries @ model.content_vectors(known[sample]).T
    factor = spread(sampled.scores, held_out, sample, sampled.seen, exposure)
    found = NewItems(len(items), places, places, known, vectors=items[places], mean=items[known].mean(axis=0))
    return Extended(model, found.spread(factor)), factor


@dataclass(frozen=True, eq=False)
class Content:
    """Content of the known and the new items of a catalogue.

    Memory: known items × (S + F) numbers in double precision, for the ridge regression.

    Attributes:
        train: the training events.
        size: number of items of the extended catalogue.
        known, new: indices of the items, int64 (n,) and (m,).
        known_texts, new_texts: unit vectors of the texts, float32 (n, S) and (m, S); S is 0 without texts.
        known_features, new_features: other features, float32 (n, F) and (m, F).
    """

    train: Interactions
    size: int
    known: np.ndarray
    new: np.ndarray
    known_texts: np.ndarray
    new_texts: np.ndarray
    known_features: np.ndarray
    new_features: np.ndarray

    def extend(self, model: Model, exposure: float | None = 1.0) -> tuple[Extended, Quality]:
        """Return the model with the new items, and the held-out quality of the map.

        Predicted scores vary less than those of known items, so that new items would hardly ever be among the best ones.
        They are spread around the mean by a factor with which known items, predicted by maps that have not seen them, are
        in the lists of sampled users ``exposure`` times as often as by their own scores; None: the factor is 1.
        """
        sampled = Sampled.of(model, self.train, self.known)
        scorer, scores = sampled.scorer, sampled.scores
        if isinstance(scorer, Vectors) and scorer.items.shape[1] > 1:
            items, queries = (part.detach().float().cpu().numpy() for part in (scorer.items, scorer.queries))
            found, held_out, quality = self._vectors(items, queries)
        else:
            found, held_out, quality = self._weights(scores)
        if exposure is not None:
            factor = spread(scores, held_out, self._sample, sampled.seen, exposure)
            found, quality = found.spread(factor), replace(quality, spread=factor)
        return Extended(model, found), quality

    def _vectors(self, items: Float[np.ndarray, "I D"], queries: np.ndarray) -> tuple[NewItems, np.ndarray, Quality]:
        """Return the new items with vectors, and the scores of the sampled items by held-out vectors."""
        true, sample = items[self.known], self._sample
        ridge = fit_ridge(self._inputs[0], true)
        quality = Quality(
            "ridge",
            len(true),
            ridge.r2,
            strength=ridge.strength,
            cosine=float(np.einsum("nd,nd->n", _units(ridge.held_out), _units(true)).mean()),
            recall=_recall(true, ridge.held_out, sample),
        )
        vectors = ridge.predict(self._inputs[1])
        mean = ridge.mean_v.astype(np.float32)
        nearest = _search(_units(vectors), _units(true), 1)[0][:, 0]
        found = NewItems(self.size, self.new, self.known[nearest], self.known, vectors=vectors, mean=mean)
        return found, queries @ ridge.held_out[sample].T, quality

    def _weights(self, scores: np.ndarray) -> tuple[NewItems, np.ndarray, Quality]:
        """Return the new items with weights, and the scores of the sampled items by held-out weights."""
        sample, n = self._sample, len(self.known)
        near, cosines = _search(self._space[0][sample], self._space[0], COUNTS[-1], without=sample)
        true = scores[:, sample]
        found = {k: (_averages(near[:, :k], cosines[:, :k], n) @ scores.T).T for k in COUNTS}
        errors = {k: float(((true - predicted) ** 2).sum()) for k, predicted in found.items()}
        best = min(errors, key=errors.__getitem__)
        of_mean = float(((true - scores.mean(axis=1, keepdims=True)) ** 2).sum())
        quality = Quality("neighbours", n, 1 - errors[best] / of_mean if of_mean > 0 else 0.0, neighbours=best)
        weights = _averages(*_search(self._space[1], self._space[0], best), n).tocoo()
        wide = sp.csr_matrix(
            (weights.data, (weights.row, self.known[weights.col])), (len(self.new), self.train.n_items)
        )
        nearest = _search(self._space[1], self._space[0], 1)[0][:, 0]
        return NewItems(self.size, self.new, self.known[nearest], self.known, weights=wide), found[best], quality

    @cached_property
    def _sample(self) -> np.ndarray:
        return _tenth(len(self.known))

    @cached_property
    def _inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """Texts and features side by side, each with a mean squared distance of 1 from its mean."""
        pairs = (self.known_texts, self.new_texts), (self.known_features, self.new_features)
        scales = [max(float(known.var(axis=0).sum()), 1e-12) ** -0.5 if known.size else 1.0 for known, _ in pairs]
        known, new = (
            np.concatenate([s * pair[side] for s, pair in zip(scales, pairs, strict=True)], 1) for side in (0, 1)
        )
        return known, new

    @cached_property
    def _space(self) -> tuple[np.ndarray, np.ndarray]:
        """Unit vectors to search for neighbours: the texts, or the features if there are no texts."""
        if self.known_texts.shape[1] > 0:
            return self.known_texts, self.new_texts
        return _units(self.known_features), _units(self.new_features)


def spread(scores: np.ndarray, held_out: np.ndarray, sample: np.ndarray, seen: np.ndarray, exposure: float) -> float:
    """Return the factor f with which held-out items are in the best LENGTH ``exposure`` times as often as otherwise.

    The score of a held-out item is m + f (s − m), m the mean score of the query. Found by bisection between 1 / LARGEST and
    LARGEST; 1 if none of the items is in a list.

    Args:
        scores: of known items, (Q, n).
        held_out: of the sampled items, by maps that have not seen them, (Q, S).
        sample: their positions among the known items, (S,).
        seen: items that are excluded, bool (Q, n).
    """
    mean = scores.mean(axis=1, keepdims=True)
    others = np.where(seen, -np.inf, scores)
    others[:, sample] = -np.inf
    length = min(LENGTH, others.shape[1])
    others = np.sort(np.partition(others, -length, axis=1)[:, -length:], axis=1)

    def listed(values: np.ndarray) -> int:
        """Number of places of the sampled items in the lists: the j-th best of them needs to beat the j-th worst other."""
        values = np.where(seen[:, sample], -np.inf, values)
        best = -np.sort(-values, axis=1)[:, :length]
        return int((best > others[:, : best.shape[1]]).sum())

    target = exposure * listed(scores[:, sample])
    if target == 0:
        return 1.0
    low, high = -np.log(LARGEST), np.log(LARGEST)
    for _ in range(STEPS):
        middle = (low + high) / 2
        few = listed(mean + np.exp(middle) * (held_out - mean)) < target
        low, high = (middle, high) if few else (low, middle)
    return float(np.exp(high))


def _units(vectors: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: np.ndarray = vectors / np.maximum(lengths, 1e-12)
    return units


def _tenth(size: int) -> np.ndarray:
    """Return the positions of the known items that are held out, at most a tenth of them."""
    return _evenly(size, min(SAMPLE, max(size // 10, FEWEST)))


def _evenly(size: int, most: int) -> np.ndarray:
    """Return at most ``most`` of the positions below ``size``, evenly spaced."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).astype(np.int64))


def _search(
    queries: np.ndarray, pool: np.ndarray, k: int, without: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (R, k) and cosines of the nearest rows of the pool; ties go to the lower position.

    Args:
        without: for each query, a position to exclude.
    """
    k = min(k, len(pool) - (without is not None))
    near, cosines = np.empty((len(queries), k), dtype=np.int64), np.empty((len(queries), k), dtype=np.float32)
    for start in range(0, len(queries), BLOCK):
        rows = slice(start, start + BLOCK)
        with one_thread():
            block = queries[rows] @ pool.T
        hidden = np.empty((len(block), 0), dtype=np.int64) if without is None else without[rows, np.newaxis]
        near[rows], cosines[rows] = top_k(block, list(hidden), k)
    return near, cosines


def _averages(near: np.ndarray, cosines: np.ndarray, size: int) -> sp.csr_matrix:
    """Return weights proportional to positive cosines, CSR (R, size); equal for all items if no cosine is positive."""
    weights = np.maximum(cosines, 0).astype(np.float64)
    total = weights.sum(axis=1, keepdims=True)
    weights /= np.where(total > 0, total, 1)
    rows, columns = np.repeat(np.arange(len(near)), near.shape[1]), near.ravel()
    lost = np.repeat(np.flatnonzero(total[:, 0] == 0), size)
    places = (np.concatenate([rows, lost]), np.concatenate([columns, np.arange(len(lost)) % size]))
    values = np.concatenate([weights.ravel(), np.full(len(lost), 1 / size)]).astype(np.float32)
    found: sp.csr_matrix = sp.csr_matrix((values, places), shape=(len(near), size))
    found.eliminate_zeros()
    return found


def _recall(true: np.ndarray, held_out: np.ndarray, sample: np.ndarray) -> float:
    """Share of the items with the most similar true vectors among those most similar to the held-out vectors."""
    units = _units(true)
    expected = _search(units[sample], units, NEAREST, without=sample)[0]
    found = _search(_units(held_out[sample]), units, NEAREST, without=sample)[0]
    return float(np.mean([len(np.intersect1d(*pair)) / len(pair[0]) for pair in zip(expected, found, strict=True)]))
