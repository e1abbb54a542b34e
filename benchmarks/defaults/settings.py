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
MORE = {
    f"{loss} n {n} lr {rate} l2 {l2} spectral": [
        *_mf(rate, l2, SPECTRAL, f"sampler.n_negatives={n}"),
        f"loss.name={loss}",
    ]
    for loss, n in (("bpr", 1), ("bpr", 4), ("sampled_softmax", 16), ("sampled_softmax", 64))
    for rate in (0.001, 0.003)
    for l2 in (0.003, 0.01, 0.03)
    if (loss, rate) != ("bpr", 0.003) or l2 == 0.03 or n > 1
}
STAGES: dict[str, dict[str, list[str]]] = {"mf": MF, "negatives": MORE}
