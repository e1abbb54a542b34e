"""From a batch to the numbers that a step minimises and logs."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from recpair.batch import Batch
from recpair.contrast import Term
from recpair.denoising import Choice, Denoiser, Pool
from recpair.denoising.memory import Memory
from recpair.hardening import Hardener
from recpair.losses import Loss
from recpair.models import GradientModel, OwnLossModel, Scorer, SequenceModel, Vectors
from recpair.models.lookup import mean_squared_norm
from recpair.training.geometry import geometry


class Objective(nn.Module):
    """total = loss of the chosen positives + L2 of their embeddings + weighted contrast terms.

    One module holds everything that is learnt, so that devices, precision and distribution treat
    the whole step as one forward pass.

    Args:
        model: gives the scores.
        loss: unreduced, ``(pos (Q, P), neg (Q, N)) -> (Q, P)``; None: the model's own, in place of all that
            looks at losses of pairs (denoiser, memory, hardener).
        pointwise: whether the loss is a sum over the positive and each negative (BCE and its kind).
        denoiser: chooses among or weighs the candidate positives, or None.
        terms: contrast terms by name, each with its weight; a weight of 0 leaves the term out.
        memory: keeps the losses of each training interaction, from the first epoch of the denoiser on.
        hardener: chooses among the candidate negatives, or None.
        correction: what is taken from the score of each item (I,) as a negative, or None.
        noise: for each training row, whether it was injected (E,); logs how much of it is drawn and chosen.
        weight: how much each training row counts (E,): losses are averaged with these weights, Σ w·ℓ / Σ w over the
            batch. Denoisers and the memory see losses without them. None: a plain mean.
        l2: weight of the mean over the batch of ‖u‖² + ‖p‖² + ‖n‖² of the raw embeddings (averaged
            over P and over N), as the papers have it.
        audit_from: the first epoch whose losses the memory keeps (before, they say nothing).
    """

    noise: Tensor | None
    correction: Tensor | None
    weight: Tensor | None

    def __init__(
        self,
        model: GradientModel,
        loss: Loss | None,
        denoiser: Denoiser | None = None,
        terms: Mapping[str, tuple[float, Term]] | None = None,
        memory: Memory | None = None,
        noise: Tensor | None = None,
        pointwise: bool = False,
        hardener: Hardener | None = None,
        correction: Tensor | None = None,
        weight: Tensor | None = None,
        *,
        l2: Annotated[float, Field(ge=0)] = 0.0,
        audit_from: Annotated[int, Field(gt=0)] = 6,
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.pointwise = pointwise
        self.hardener = hardener
        self.denoiser = denoiser
        self.memory = memory
        self.audit_from = audit_from
        self.terms = {name: (weight, term) for name, (weight, term) in (terms or {}).items() if weight > 0}
        self.learnt_terms = nn.ModuleDict({name: term for name, (_, term) in self.terms.items()})
        self.l2 = l2
        self.register_buffer("noise", noise, persistent=False)
        self.register_buffer("correction", correction, persistent=False)
        self.register_buffer("weight", weight, persistent=False)

    def forward(
        self,
        user: Int[Tensor, "Q"],
        positives: Int[Tensor, "Q P"],
        negatives: Int[Tensor, "_ N"] | None,
        rows: Int[Tensor, "Q P"],
        history: Int[Tensor, "H T"] | None = None,
        at: Int[Tensor, "Q"] | None = None,
        known: Bool[Tensor, "Q N"] | None = None,
        pools: Int[Tensor, "G M"] | None = None,
        *,
        epoch: int,
    ) -> dict[str, Float[Tensor, ""]]:
        """The parts of the loss by name (``loss`` is their weighted sum) and what else is worth a log line."""
        batch = Batch(user, positives, negatives, rows, history, at, known, pools)
        if self.loss is None:
            return self._with_own_loss(batch, epoch)
        scorer = self.model.score(batch)
        batch = self._hardened(scorer, batch)
        against = self.scores_against(scorer, batch)
        if batch.pools is None and batch.positives.shape[1] == 1:  # what a denoiser looks at is what trains
            chosen, pos = batch, scorer.of(batch.positives)
            losses = self.loss(pos, against)
            choice = self._choice(losses.detach, against, batch, epoch)
        else:
            choice = self._choice(partial(self.losses, scorer, against, batch), against, batch, epoch)
            # Where every candidate is a query of its own, norms and terms see them all.
            chosen = batch if batch.pools is not None else batch.take(choice.columns)
            rows = (
                chosen.rows
                if chosen.pools is None
                else batch.pooled(batch.rows).gather(1, choice.columns).reshape(-1, 1)
            )
            pos, against, choice = self._compared(scorer, against, chosen, choice)
            losses = self.loss(pos, against)
        recommendation = self._mean(self._weighted(losses, pos, against, choice), rows)
        return self._total(recommendation, chosen, scorer) | choice.stats

    def _with_own_loss(self, batch: Batch, epoch: int) -> dict[str, Float[Tensor, ""]]:
        """The one place where a model says itself what is minimised; scores are made only where a term needs them."""
        assert isinstance(self.model, OwnLossModel)
        scorer = self.model.score(batch) if self.terms else None
        return self._total(self.model.own_loss(batch, epoch), batch, scorer)

    def _total(
        self, recommendation: Float[Tensor, ""], chosen: Batch, scorer: Scorer | None
    ) -> dict[str, Float[Tensor, ""]]:
        """The recommendation loss with the penalty and the contrast terms: each part, and their sum."""
        parts = {"recommendation": recommendation}
        total = recommendation
        if self.l2:
            norms = [mean_squared_norm(table, rows) for table, rows in self.model.regularised(chosen)]
            parts["l2"] = self.l2 * torch.stack(norms).sum()
            total = total + parts["l2"]
        for name, (weight, term) in self.terms.items():
            assert scorer is not None
            parts[name] = weight * term(self.model, scorer, chosen)
            total = total + parts[name]
        if isinstance(self.model, SequenceModel) and isinstance(scorer, Vectors):
            parts |= geometry(scorer, chosen)
        return {"loss": total, **parts}

    def prepare(self) -> None:
        """What terms do before the first step of an epoch."""
        for _, term in self.terms.values():
            assert isinstance(self.model, SequenceModel), "the composition root refuses terms for other models"
            term.prepare(self.model)

    @torch.no_grad()
    def _hardened(self, scorer: Scorer, batch: Batch) -> Batch:
        """The batch with only those negatives that the hardener chooses."""
        if self.hardener is None or batch.negatives is None:
            return batch
        columns = self.hardener.choose(self.scores_against(scorer, batch))
        own = batch.negatives.expand(len(batch), -1).gather(1, columns)
        return replace(batch, negatives=own, known=None if batch.known is None else batch.known.gather(1, columns))

    def scores_against(self, scorer: Scorer, batch: Batch) -> Float[Tensor, "Q N"]:
        """Scores of the negatives, or the log-partition of the whole catalogue where there are none.

        From each score what its item is drawn too often is taken (``correction``); a negative that is none of
        the query (``known``) scores so low that it weighs nothing in any loss.
        """
        if batch.negatives is None:
            return scorer.log_partition()
        scores = scorer.of(batch.negatives)
        if self.correction is not None:
            scores = scores - self.correction[batch.negatives]
        if batch.known is None:
            return scores
        return scores.masked_fill(batch.known, torch.finfo(scores.dtype).min / 64)  # finite also after / temperature

    def _compared(
        self, scorer: Scorer, against: Float[Tensor, "Q N"], batch: Batch, choice: Choice
    ) -> tuple[Tensor, Tensor, Choice]:
        """Scores of what was chosen (Q, S) and of what it is compared with; from pools, each of the G · S by itself."""
        pos = scorer.of(batch.positives)
        if batch.pools is None:
            return pos, against, choice
        queries = batch.pools.gather(1, choice.columns).flatten()
        weights = None if choice.weights is None else choice.weights.reshape(-1, 1)
        single = torch.zeros_like(queries).unsqueeze(1)
        return pos[queries], against[queries], replace(choice, columns=single, weights=weights)

    def _weighted(
        self, losses: Float[Tensor, "Q S"], pos: Float[Tensor, "Q S"], neg: Float[Tensor, "Q N"], choice: Choice
    ) -> Float[Tensor, "Q S"]:
        """The losses of what was chosen, weighted by the choice; in a pointwise loss each side has its own weights."""
        if not self.pointwise:
            return losses if choice.weights is None else losses * choice.weights
        if choice.weights is None and choice.negative_weights is None and choice.relabelled is None:
            return losses
        negative = softplus(neg)
        positive = losses - negative.sum(1, keepdim=True)
        if choice.relabelled is not None:
            positive = torch.where(choice.relabelled, softplus(pos), positive)
        if choice.weights is not None:
            positive = positive * choice.weights
        if choice.negative_weights is not None:
            negative = negative * choice.negative_weights
        weighted: Tensor = positive + negative.sum(1, keepdim=True)
        return weighted

    def _mean(self, losses: Float[Tensor, "Q S"], rows: Int[Tensor, "Q S"]) -> Float[Tensor, ""]:
        """The mean of the losses of training rows, by the weights of the events."""
        if self.weight is None:
            return losses.mean()
        weight = self.weight[rows]
        return (losses * weight).sum() / weight.sum()

    @torch.no_grad()
    def _choice(self, losses: Callable[[], Tensor], against: Float[Tensor, "Q N"], batch: Batch, epoch: int) -> Choice:
        """What trains, with what there is to log about it; remembers the ``losses`` of all candidates."""
        acts = self.denoiser is not None and epoch > self.denoiser.start_epoch
        remembers = self.memory is not None and epoch >= self.audit_from
        candidates = batch.pooled(batch.rows)
        if not acts and not remembers:
            return Choice(torch.zeros_like(candidates[:, :1]))
        pool = self._pool(losses(), against, batch, epoch)
        choice = self.denoiser.choose(pool) if self.denoiser is not None and acts else None
        choice = choice or Choice(torch.zeros_like(candidates[:, :1]))
        rows = candidates.gather(1, choice.columns)
        if self.memory is not None and remembers:
            self.memory.record(candidates, pool.losses, choice.columns, choice.weights)
        if self.noise is None or not acts:
            return choice
        weights = torch.ones_like(rows, dtype=pool.losses.dtype) if choice.weights is None else choice.weights
        shares = {
            "noise_share_drawn": self.noise[candidates].to(weights.dtype).mean(),
            "noise_share_chosen": (self.noise[rows] * weights).sum() / weights.sum().clamp_min(1e-12),
        }
        return replace(choice, stats=choice.stats | shares)

    @torch.no_grad()
    def losses(self, scorer: Scorer, against: Float[Tensor, "Q N"], batch: Batch) -> Float[Tensor, "Q P"]:
        """The training loss of every candidate, in nats."""
        assert self.loss is not None
        return self.loss(scorer.of(batch.positives), against)

    def _pool(self, losses: Float[Tensor, "Q P"], against: Float[Tensor, "Q N"], batch: Batch, epoch: int) -> Pool:
        """The losses of the candidates, as a denoiser sees them."""
        rows = batch.pooled(batch.rows)
        if not self.pointwise:
            return Pool(batch.pooled(losses), rows, epoch)
        negative = softplus(against)
        positive = batch.pooled(losses - negative.sum(1, keepdim=True))
        return Pool(positive, rows, epoch, negative if batch.pools is None else None)

    @torch.no_grad()
    def inspect(self, batch: Batch, epoch: int) -> tuple[Float[Tensor, "_ _"], Choice]:
        """Losses of a batch's candidates, and what a denoiser that chooses among them would take."""
        scorer = self.model.score(batch)
        against = self.scores_against(scorer, batch)
        pool = self._pool(self.losses(scorer, against, batch), against, batch, epoch)
        if self.denoiser is None or not pool.losses.shape[1] == self.denoiser.candidates > 1:
            return pool.losses, Choice(torch.zeros_like(pool.rows[:, :1]))
        return pool.losses, self.denoiser.choose(pool)
