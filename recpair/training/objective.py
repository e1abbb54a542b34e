"""Training objective of a batch: scores, mining, denoising, loss and terms."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.denoising import Choice, Denoiser, Pool
from recpair.denoising.memory import Memory
from recpair.diagnostics import Diagnostic
from recpair.losses import Loss
from recpair.mining import Miner
from recpair.models import GradientModel, OwnLossModel
from recpair.step import Step, Tables
from recpair.terms import Term
from recpair.training.bound_loss import BoundLoss
from recpair.training.frozen import Frozen

DIAGNOSED_EVERY = 100  # steps


class Objective(nn.Module):
    """total = mean loss of the chosen positives + Σ weight · term.

    A single module holds all learnt parameters, so that devices, precision and distribution treat the whole step as one
    forward pass.

    Args:
        model: computes the scores.
        loss: a loss with its options (or a plain function); None: the model's own loss, which replaces all components
            that use losses of pairs (denoiser, memory, miner).
        denoiser: selects or weights the candidate positives, or None.
        terms: terms by label, each with its weight; a weight of 0 disables the term.
        miner: selects among the candidate negatives, or None.
        memory: records the losses of each training interaction, from ``audit_from`` on.
        tables: data on the training interactions and the items. ``weight`` averages losses, Σ w·ℓ / Σ w over the batch;
            denoisers and the memory receive unweighted losses.
        reference: the frozen model, for the components that request it.
        diagnostics: logged for one step in ``DIAGNOSED_EVERY``, and not trained on.
        audit_from: the first epoch whose losses the memory records (earlier ones are not informative).
    """

    def __init__(
        self,
        model: GradientModel,
        loss: BoundLoss | Loss | None,
        denoiser: Denoiser | None = None,
        terms: Mapping[str, tuple[float, Term]] | None = None,
        miner: Miner | None = None,
        memory: Memory | None = None,
        tables: Tables | None = None,
        reference: Frozen | None = None,
        diagnostics: Sequence[Diagnostic] = (),
        *,
        audit_from: Annotated[int, Field(gt=0)] = 6,
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss if loss is None or isinstance(loss, BoundLoss) else BoundLoss(loss)
        self.denoiser = denoiser
        self.miner = miner
        self.memory = memory
        self.tables = tables or Tables()
        self.reference = reference
        self.diagnostics, self.steps = diagnostics, 0
        self.audit_from = audit_from
        self.terms = {name: (weight, term) for name, (weight, term) in (terms or {}).items() if weight > 0}
        self.learnt_terms = nn.ModuleDict({name: term for name, (_, term) in self.terms.items()})

    def forward(
        self,
        user: Int[Tensor, "Q"],
        positives: Int[Tensor, "Q P"],
        negatives: Int[Tensor, "_ N"] | None,
        rows: Int[Tensor, "Q P"],
        history: Int[Tensor, "H T"] | None = None,
        at: Int[Tensor, "Q"] | None = None,
        false_negatives: Bool[Tensor, "Q N"] | None = None,
        pools: Int[Tensor, "G M"] | None = None,
        *,
        epoch: int,
    ) -> dict[str, Float[Tensor, ""]]:
        """Return the parts of the loss by name (``loss`` is their weighted sum) and further values to log."""
        step = self.step(Batch(user, positives, negatives, rows, history, at, false_negatives, pools), epoch)
        if self.loss is None:
            assert isinstance(self.model, OwnLossModel)
            return self._total(self.model.own_loss(step.batch, epoch), step)
        step = self._mined(step)
        _ = step.neg  # scored first: the backward pass adds gradients to a table in the reverse order
        if step.batch.pools is None and step.batch.positives.shape[1] == 1:  # a denoiser uses the training losses
            losses = self.loss(step)
            choice = self._choice(step, losses.detach())
            trained = step
        else:
            choice = self._choice(step, None)
            trained, choice = _compared(step, choice)
            losses = self.loss(trained)
        recommendation = self._mean(self._weighted(losses, trained, choice), trained.batch.rows)
        # If every candidate is a separate query, terms receive all of them.
        return self._total(recommendation, step if step.batch.pools is not None else trained) | choice.stats

    def step(self, batch: Batch, epoch: int) -> Step:
        """Return the step of a batch, as passed to the components."""
        return Step(self.model, self.tables, batch, epoch, None if self.reference is None else self.reference.score)

    def prepare(self) -> None:
        """Prepare an epoch before its first step: freeze the reference, then prepare the terms."""
        self.steps = 0
        if self.reference is not None:
            self.reference.freeze(self.model)
        for _, term in self.terms.values():
            term.prepare(self.model)

    def _total(self, recommendation: Float[Tensor, ""], step: Step) -> dict[str, Float[Tensor, ""]]:
        """Return the recommendation loss and the terms: each part, and their sum."""
        parts = {"recommendation": recommendation}
        total = recommendation
        for name, (weight, term) in self.terms.items():
            parts[name] = weight * step.supply(term.forward)
            total = total + parts[name]
        return {"loss": total, **parts, **self._diagnosed(step)}

    @torch.no_grad()
    def _diagnosed(self, step: Step) -> dict[str, Tensor]:
        self.steps += 1
        if (self.steps - 1) % DIAGNOSED_EVERY or "scorer" not in vars(step):  # scoring anew would draw other dropout
            return {}
        return {name: value for look in self.diagnostics for name, value in step.supply(look).items()}

    @torch.no_grad()
    def _mined(self, step: Step) -> Step:
        """Return the step with only the negatives that the miner selects."""
        batch = step.batch
        if self.miner is None or batch.negatives is None:
            return step
        columns = step.look().supply(self.miner.choose)
        own = batch.negatives.expand(len(batch), -1).gather(1, columns)
        false = None if batch.false_negatives is None else batch.false_negatives.gather(1, columns)
        return step.on(replace(batch, negatives=own, false_negatives=false))

    def _weighted(self, losses: Tensor, step: Step, choice: Choice) -> Tensor:
        """Return the losses of the chosen positives, weighted by the choice; pointwise losses have weights per side."""
        assert self.loss is not None
        plain = choice.negative_weights is None and choice.relabelled is None
        if choice.weights is None and plain:
            return losses
        if not self.loss.pointwise:
            assert choice.weights is not None
            return losses * (choice.weights if self.loss.kind == "Q P" else choice.weights.mean(1))
        positive, negative = self.loss.side("positive", step), self.loss.side("negative", step)
        if choice.relabelled is not None:
            positive = torch.where(
                choice.relabelled, self.loss.side("negative", step.on(step.batch, neg=step.pos)), positive
            )
        if choice.weights is not None:
            positive = positive * choice.weights
        if choice.negative_weights is not None:
            negative = negative * choice.negative_weights
        weighted: Tensor = positive + negative.sum(1, keepdim=True)
        return weighted

    def _mean(self, losses: Tensor, rows: Int[Tensor, "Q S"]) -> Float[Tensor, ""]:
        """Return the mean of the losses of training rows, weighted by the event weights."""
        if self.tables.weight is None or losses.dim() == 0:
            return losses.mean()
        weight = self.tables.weight[rows]
        if losses.dim() == 1:
            weight = weight.mean(1)
        return (losses * weight).sum() / weight.sum()

    @torch.no_grad()
    def _choice(self, step: Step, losses: Tensor | None) -> Choice:
        """Choose the positives to train on, with statistics to log; record the losses of all candidates.

        Args:
            losses: the losses of all candidates, if the step has computed them already.
        """
        acts = self.denoiser is not None and step.epoch > self.denoiser.start_epoch
        remembers = self.memory is not None and step.epoch >= self.audit_from
        candidates = step.batch.pooled(step.batch.rows)
        plain = Choice(
            _first(candidates) if self.denoiser is not None or step.batch.pools is not None else _all(candidates)
        )
        if not acts and not remembers:
            return plain
        pool = self.pool(step, losses)
        choice = self.denoiser.choose(pool) if self.denoiser is not None and acts else plain
        rows = candidates.gather(1, choice.columns)
        if self.memory is not None and remembers:
            self.memory.record(candidates, pool.losses, choice.columns, choice.weights)
        noise = self.tables.noise
        if noise is None or not acts:
            return choice
        weights = torch.ones_like(rows, dtype=pool.losses.dtype) if choice.weights is None else choice.weights
        shares = {
            "noise_share_drawn": noise[candidates].to(weights.dtype).mean(),
            "noise_share_chosen": (noise[rows] * weights).sum() / weights.sum().clamp_min(1e-12),
        }
        return replace(choice, stats=choice.stats | shares)

    @torch.no_grad()
    def pool(self, step: Step, losses: Float[Tensor, "Q P"] | None = None) -> Pool:
        """Return the losses (nats) of the candidates for a denoiser: those of the positive side if pointwise."""
        assert self.loss is not None
        batch = step.batch
        rows = batch.pooled(batch.rows)
        _ = step.neg  # used in training as well, so it is scored once
        if not self.loss.pointwise:
            losses = self.loss.per_candidate(step.look()) if losses is None else losses
            return Pool(batch.pooled(losses), rows, step.epoch)
        look = step.look()
        negative = self.loss.side("negative", look)
        positive = batch.pooled(self.loss.side("positive", look))
        return Pool(positive, rows, step.epoch, negative if batch.pools is None else None)

    @torch.no_grad()
    def inspect(self, batch: Batch, epoch: int) -> tuple[Float[Tensor, "_ _"], Choice]:
        """Return the losses of a batch's candidates, and the choice of a denoiser that selects among them."""
        pool = self.pool(self.step(batch, epoch))
        if self.denoiser is None or not pool.losses.shape[1] == self.denoiser.candidates > 1:
            return pool.losses, Choice(_first(pool.rows))
        return pool.losses, self.denoiser.choose(pool)


def _compared(step: Step, choice: Choice) -> tuple[Step, Choice]:
    """Return the step with the chosen positives (Q, S); from pools, each of the G · S as a separate query."""
    batch = step.batch
    if batch.pools is None:
        return step.on(batch.take(choice.columns), neg=step.neg), choice
    queries = batch.pools.gather(1, choice.columns).flatten()
    weights = None if choice.weights is None else choice.weights.reshape(-1, 1)
    chosen = step.on(batch.of_queries(queries), pos=step.pos[queries], neg=step.neg[queries])
    return chosen, replace(choice, columns=torch.zeros_like(queries).unsqueeze(1), weights=weights)


def _first(candidates: Int[Tensor, "_ _"]) -> Int[Tensor, "_ 1"]:
    return torch.zeros_like(candidates[:, :1])


def _all(candidates: Int[Tensor, "_ _"]) -> Int[Tensor, "_ _"]:
    return torch.arange(candidates.shape[1], device=candidates.device).expand_as(candidates)
