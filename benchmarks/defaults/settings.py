"""Settings of the study: label → overrides. Everything that is not overridden is a default."""

OLD = [
    *("loss.name=bpr", "sampler.n_negatives=1", "train.epochs=100", "train.patience=10", "train.validate_every=1"),
    *("train.learning_rate=0.001", "train.l2=0"),
]


def _mf(learning_rate: float, l2: float, *more: str, patience: int = 5) -> list[str]:
    rates = [f"train.learning_rate={learning_rate}", f"train.l2={l2}"]
    return ["model.name=mf", *OLD[:2], "train.epochs=60", f"train.patience={patience}", *rates, *more]


SPECTRAL = "model.init=spectral"
FLOORS = {"popularity": ["model.name=popularity"], "mf old": ["model.name=mf", *OLD, "sampler.batch_size=2048"]}
MF = FLOORS | {
    f"lr {rate} l2 {l2}{label}": _mf(rate, l2, *more)
    for label, more in {"": (), " spectral": (SPECTRAL,)}.items()
    for rate in (0.003, 0.01)
    for l2 in (0.001, 0.003, 0.01)
}
STAGES: dict[str, dict[str, list[str]]] = {"mf": MF}
