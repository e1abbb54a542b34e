"""Settings of the study: label → overrides. Everything that is not overridden is a default of the package.

The defaults before the study are written out (OLD, NORMAL), so that their rows mean the same after a change of defaults.
"""

OLD = [
    *("loss.name=bpr", "sampler.n_negatives=1", "train.epochs=100", "train.patience=10", "train.validate_every=1"),
    *("train.learning_rate=0.001", "train.l2=0"),
]
NORMAL, SPECTRAL = "model.init=normal", "model.init=spectral"


def _mf(learning_rate: float, l2: float, *more: str, patience: int = 5) -> list[str]:
    rates = [f"train.learning_rate={learning_rate}", f"train.l2={l2}"]
    return ["model.name=mf", *OLD[:2], "train.epochs=60", f"train.patience={patience}", *rates, *more]


FLOORS = {"popularity": ["model.name=popularity"], "mf old": ["model.name=mf", *OLD, NORMAL]}
MF = FLOORS | {
    f"lr {rate} l2 {l2}{label}": _mf(rate, l2, init)
    for label, init in {"": NORMAL, " spectral": SPECTRAL}.items()
    for rate in (0.003, 0.01)
    for l2 in (0.001, 0.003, 0.01)
}
NEGATIVES = {
    f"{loss} n {n} lr {rate} l2 {l2} spectral": [
        *_mf(rate, l2, SPECTRAL, f"sampler.n_negatives={n}"),
        f"loss.name={loss}",
    ]
    for loss, n in (("bpr", 1), ("bpr", 4), ("sampled_softmax", 16), ("sampled_softmax", 64))
    for rate in (0.001, 0.003)
    for l2 in (0.003, 0.01, 0.03)
    if (loss, rate) != ("bpr", 0.003) or l2 == 0.03 or n > 1
}
PATIENT = {  # the old epochs and patience
    f"{model} {init} l2 {l2}": [f"model.name={model}", *OLD, f"model.init={init}", f"train.l2={l2}"]
    for model in ("mf", "lightgcn")
    for init, l2 in (("normal", 0), ("spectral", 0), ("spectral", 0.003), ("spectral", 0.01))
}
NEUMF = {
    f"neumf init_std {std} l2 {l2}": ["model.name=neumf", *OLD, f"model.init_std={std}", f"train.l2={l2}"]
    for std, l2 in ((0.1, 0), (0.01, 0), (0.01, 0.03), (0.1, 0.03))
} | {"neumf lr 0.001 l2 0.003": ["model.name=neumf", *OLD, "train.l2=0.003"]}
FITTED = {
    **{f"ease ridge {ridge}": ["model.name=ease", f"model.ridge={ridge}"] for ridge in (30, 100, 250, 500, 1000)},
    **{
        f"ials weight {weight} ridge {ridge}": ["model.name=ials", f"model.weight={weight}", f"model.ridge={ridge}"]
        for weight, ridge in (
            (10, 10),
            (3, 10),
            (30, 10),
            (10, 3),
            (10, 30),
            (30, 30),
            (3, 30),
            (1, 30),
            (3, 100),
            (10, 100),
        )
    },
    **{f"item_knn shrinkage {s}": ["model.name=item_knn", f"model.shrinkage={s}"] for s in (10, 0, 100)},
}
SEQUENCE_MODELS = {
    f"{model} {loss} n {n} l2 {l2}": [
        *("split.name=leave_last", f"model.name={model}", "sampler.name=sequences", *OLD, "train.epochs=30"),
        *(f"loss.name={loss}", f"sampler.n_negatives={n}", f"train.l2={l2}", "model.history_length=20"),
    ]
    for model in ("sasrec", "gru4rec")
    for loss, n, l2 in (("bpr", 1, 0), ("bpr", 1, 0.003), ("sampled_softmax", 16, 0))
}
SEQUENTIAL = {"popularity": ["split.name=leave_last", "model.name=popularity"]} | SEQUENCE_MODELS
CHOSEN = {  # read with the test part, once
    "most popular": ["model.name=popularity"],
    "mf, old defaults": ["model.name=mf", *OLD, NORMAL],
    "mf": ["model.name=mf"],
    "lightgcn, old defaults": ["model.name=lightgcn", *OLD, NORMAL],
    "lightgcn": ["model.name=lightgcn"],
    "neumf": ["model.name=neumf"],
    "item_knn": ["model.name=item_knn"],
    "ease": ["model.name=ease"],
    "ials": ["model.name=ials"],
}
NEXT_ITEM = ["split.name=leave_last"]
CHOSEN_SEQUENTIAL = {
    "most popular": [*NEXT_ITEM, "model.name=popularity"],
    "sasrec": [*NEXT_ITEM, "model.name=sasrec", "sampler.name=sequences"],
    "gru4rec": [*NEXT_ITEM, "model.name=gru4rec", "sampler.name=sequences"],
}
STAGES: dict[str, dict[str, list[str]]] = {
    "mf": MF,
    "negatives": NEGATIVES,
    "patient": PATIENT,
    "neumf": NEUMF,
    "fitted": FITTED,
    "sequential": SEQUENTIAL,
    "final": CHOSEN,
    "final-sequential": CHOSEN_SEQUENTIAL,
}
