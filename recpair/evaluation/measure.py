"""Metrics with their options bound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, get_type_hints

from recpair.errors import ConfigError
from recpair.evaluation.legend import LEGEND
from recpair.evaluation.metrics import METRICS
from recpair.evaluation.names import Entry, check_metrics, has_cutoff, name_of, needs
from recpair.evaluation.supplies import Lists


@dataclass(frozen=True)
class Measure:
    """Metric of an evaluation.

    Attributes:
        name: name in ``METRICS``.
        function: the metric with its options bound.
        needs: legend names of the values that it receives.
        per_list: whether it returns one value per list (else one value over all lists).
        has_cutoff: whether it is computed for each cut-off.
    """

    name: str
    function: Callable[..., Any]
    needs: tuple[str, ...]
    per_list: bool
    has_cutoff: bool

    @classmethod
    def of(cls, name: str, metric: Callable[..., Any], **chosen: Any) -> "Measure":
        """Create a measure from the signature of a metric.

        Raises:
            ConfigError: a parameter is not in the legend, or the return annotation is neither "B" nor a number.
        """
        returned = get_type_hints(metric).get("return")
        shape = "" if returned is float else getattr(returned, "dim_str", None)
        if shape not in ("B", ""):
            raise ConfigError(
                f'metric {name} needs a return annotation: Float[np.ndarray, "B"] for one value per list, or float for one '
                f"number over all lists"
            )
        return cls(name, partial(metric, **chosen), needs(metric), shape == "B", has_cutoff(metric))

    def requires(self, what: str) -> bool:
        """Return True if a value that the metric receives is computed from ``what`` (``Supply.requires``)."""
        return any(LEGEND[name].requires == what for name in self.needs)

    def compute(self, lists: Lists, cutoff: int) -> Any:
        """Compute the metric of the lists, at ``cutoff`` if it has one."""
        return self.function(**{name: lists.supply(name, cutoff) for name in self.needs})


def measures_of(metrics: Sequence[Entry]) -> list[Measure]:
    """Return the metrics of ``evaluate.metrics``, each once.

    Raises:
        ConfigError: an unknown metric or option.
    """
    entries = check_metrics(metrics)
    chosen = [{} if isinstance(entry, str) else {k: v for k, v in entry.items() if k != "name"} for entry in entries]
    names = [name_of(entry) for entry in entries]
    return [Measure.of(name, METRICS[name], **each) for name, each in zip(names, chosen, strict=True)]
