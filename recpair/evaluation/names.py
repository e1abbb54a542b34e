"""Names of metrics, checked without the libraries that measure them."""

from collections.abc import Sequence

from recpair.errors import ConfigError, shown
from recpair.registry import nearest
from recpair.signatures import registry

PER_USER = ("recall", "precision", "ndcg", "mrr", "map", "hit")  # in the order of the kernel's last axis
POOLED = tuple(registry("recpair.evaluation.metrics:POOLED"))
METRICS = (*PER_USER, *registry("recpair.evaluation.metrics:OVER_LISTS"), *POOLED)


def check_names(metrics: Sequence[str]) -> None:
    """Raise a ConfigError where one is no metric's name, or has a cut-off."""
    for metric in metrics:
        if "@" in metric:
            raise ConfigError(
                f"evaluate.metrics holds {shown(metric)}; name the metric alone, and cut-offs in evaluate.cutoffs"
            )
        if metric not in POOLED:
            parse_metric(f"{metric}@1", "evaluate.metrics")


def parse_metric(name: str, key: str = "evaluate.monitor") -> tuple[str, int]:
    """``ndcg@10`` → ("ndcg", 10).

    Raises:
        ConfigError: the metric is unknown, or the cut-off is no positive number.
    """
    base, at, cutoff = name.partition("@")
    if base in POOLED:
        raise ConfigError(f"{key}: {base} has no cut-off and chooses no epoch; name it in evaluate.metrics only")
    if base not in METRICS:
        raise ConfigError(f"{key}: unknown metric {shown(base)}{nearest(base, METRICS)} (known: {', '.join(METRICS)})")
    # ndcg@010 would be read as 10, and then be found under no name.
    if not at or not cutoff.isdecimal() or len(cutoff) > 9 or int(cutoff) < 1 or cutoff != str(int(cutoff)):
        raise ConfigError(f"{key} is {shown(name)}; expected a metric and a cut-off, as in ndcg@10")
    return base, int(cutoff)
