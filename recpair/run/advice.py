"""Warnings about the result of a run: too few epochs, or worse than recommending the most popular items."""

from recpair.models import FittedModel
from recpair.run.report import Outcome


def advice(outcome: Outcome, monitor: str | None, epochs: int, decay: str, init: str | None) -> list[str]:
    """Return a list with one warning per problem with the result.

    Args:
        monitor: the validation metric that chose the epoch, or None.
        epochs: ``train.epochs``.
        decay: ``train.decay``; if the learning rate decays to 0, the last epochs are usually the best, so that is not
            a problem.
        init: ``model.init``, or None if the model has no such option.
    """
    found = []
    progress = outcome.progress
    if monitor is not None and 0 < progress.best_epoch == progress.epoch == epochs and decay == "none":
        found.append(f"the best epoch is the last one ({epochs} of {epochs}): raise train.epochs")
    below = _below(outcome, monitor)
    if below is not None:
        found.append(f"{below}; {_remedy(isinstance(outcome.model, FittedModel), init)}")
    return found


def _below(outcome: Outcome, monitor: str | None) -> str | None:
    """Message if the model is worse than the most popular items, on the validation part if it exists, else on the test."""
    parts = [("validation", outcome.valid, outcome.valid_floor), ("test", outcome.test.means, outcome.floor.means)]
    for name, ours, popular in parts:
        metric = monitor if monitor in ours else next((metric for metric in ours if metric.startswith("ndcg@")), None)
        if metric is not None and metric in popular:
            if ours[metric] >= popular[metric]:
                return None
            return f"{name} {metric} {ours[metric]:.4f} is below {popular[metric]:.4f}, that of the most popular items"
    return None


def _remedy(fitted: bool, init: str | None) -> str:
    if fitted:
        return "change the options of the model, or try model=ease, item_knn or mf"
    start = "set model.init=spectral, " if init == "normal" else ""
    return f"{start}try other values of train.epochs, train.learning_rate and train.l2, or model=ease or item_knn"
