"""From a batch to the numbers that a step minimises and logs."""

from collections.abc import Mapping
from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.contrast import Term
from recpair.denoising import Choice, Denoiser
from recpair.losses import Loss
from recpair.models import GradientModel, Scorer


class Objective(nn.Module):
    """total = loss of the chosen positives + L2 of their embeddings + weighted contrast terms.

    One module holds everything that is learnt, so that devices, precision and distribution treat
    the whole step as one forward pass.

    Args:
        model: gives the scores.
        loss: unreduced, ``(pos (Q, P), neg (Q, N)) -> (Q, P)``.
        denoiser: chooses among the candidate positives, or None.
        terms: contrast terms by name, each with its weight.
        noise: for each training row, whether it was injected (E,); logs how much of it is drawn and chosen.
        l2: weight of the mean over the batch of ‖u‖² + ‖p‖² + ‖n‖² of the raw embeddings (averaged
            over P and over N), as the papers have it.
    """

    noise: Tensor | None

    def __init__(
        self,
        model: GradientModel,
        loss: Loss,
        denoiser: Denoiser | None,
        terms: Mapping[str, tuple[float, Term]],
        noise: Tensor | None = None,
        *,
        l2: Annotated[float, Field(ge=0)] = 0.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.denoiser = denoiser
        self.terms = dict(terms)
        self.learnt_terms = nn.ModuleDict(
            {name: term for name, (_, term) in terms.items() if isinstance(term, nn.Module)}
        )
        self.l2 = l2
        self.register_buffer("noise", noise, persistent=False)

    def forward(
        self,
        user: Int[Tensor, "Q"],
        positives: Int[Tensor, "Q P"],
        negatives: Int[Tensor, "Q N"],
        rows: Int[Tensor, "Q P"],
        history: Int[Tensor, "Q T"] | None,
        epoch: int,
    ) -> dict[str, Float[Tensor, ""]]:
        """The parts of the loss by name (``loss`` is their weighted sum) and what else is worth a log line."""
        batch = Batch(user, positives, negatives, rows, history)
        scorer = self.model.score(batch)
        batch, weights, stats = self._choose(scorer, batch, epoch)
        losses = self.loss(scorer.of(batch.positives), scorer.of(negatives))
        parts = {"recommendation": (losses if weights is None else losses * weights).mean()}
        total = parts["recommendation"]
        if self.l2:
            norms = [e.square().sum(-1).mean(1).mean() for e in self.model.regularised(batch)]
            parts["l2"] = self.l2 * torch.stack(norms).sum()
            total = total + parts["l2"]
        for name, (weight, term) in self.terms.items():
            parts[name] = weight * term(self.model, scorer, batch)
            total = total + parts[name]
        return {"loss": total, **parts, **stats}

    def _choose(
        self, scorer: Scorer, batch: Batch, epoch: int
    ) -> tuple[Batch, Float[Tensor, "Q S"] | None, dict[str, Tensor]]:
        """The batch reduced to the candidates that train, their weights, and the denoiser's statistics."""
        if self.denoiser is None:
            return batch, None, {}
        if epoch <= self.denoiser.start_epoch:
            return batch.take(torch.zeros_like(batch.rows[:, :1])), None, {}
        choice = self.decide(scorer, batch)
        chosen = batch.take(choice.columns)
        stats = dict(choice.stats)
        if self.noise is not None:
            stats["noise_share_drawn"] = self.noise[batch.rows].float().mean()
            stats["noise_share_chosen"] = self.noise[chosen.rows].float().mean()
        return chosen, choice.weights, stats

    @torch.no_grad()
    def decide(self, scorer: Scorer, batch: Batch) -> Choice:
        """What the denoiser answers for a batch, from the training loss of every candidate."""
        assert self.denoiser is not None
        return self.denoiser.choose(self.pool_losses(scorer, batch))

    @torch.no_grad()
    def pool_losses(self, scorer: Scorer, batch: Batch) -> Float[Tensor, "Q P"]:
        """The training loss of every candidate, in nats."""
        assert batch.negatives is not None
        return self.loss(scorer.of(batch.positives), scorer.of(batch.negatives))
