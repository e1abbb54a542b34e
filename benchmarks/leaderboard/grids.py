"""Settings of each model, at most 12 a model; the best on the validation part is tested."""

from itertools import product


def grid(**choices: tuple[object, ...]) -> list[list[str]]:
    """Return every combination as overrides of the section model; names may be dotted paths with ``__`` for a dot."""
    keys = [key.replace("__", ".") if "__" in key else f"model.{key}" for key in choices]
    return [
        [f"{key}={value}" for key, value in zip(keys, values, strict=True)] for values in product(*choices.values())
    ]


GRIDS: dict[str, list[list[str]]] = {
    "popularity": [[]],
    "popular_recent": grid(days=(7, 30, 90)),
    "item_knn": grid(k=(50, 100, 300), shrinkage=(0, 10, 50)),
    "rp3beta": grid(k=(100, 300), alpha=(0.6, 0.9), beta=(0.2, 0.4, 0.6)),
    "slim": grid(l1=(0.5, 1, 3), l2=(5, 20, 80)),
    "ease": grid(ridge=(50, 100, 250, 500, 1000, 2000)),
    "sansa": grid(ridge=(50, 100, 250, 500, 1000)),
    "ials": grid(weight=(3, 10, 30), ridge=(3, 10, 30)),
    "gf_cf": grid(k=(32, 64, 128, 256), alpha=(0.1, 0.3, 0.6)),
    "bspm": grid(k=(32, 128, 448), alpha=(0.1, 0.3), sharpening=(1.2, 2.5)),
    "turbo_cf": grid(alpha=(0.4, 0.5, 0.6), power=(0.6, 0.8, 1.0, 1.2)),
    "transitions": grid(window=(3, 6), column_exponent=(0.1, 0.3), text_weight=(0.0, 0.5, 1.0)),
    "markov": [[]],
    "mf": grid(train__learning_rate=(0.001, 0.003), train__l2=(0.0, 0.0001, 0.001)),
    "lightgcn": grid(train__learning_rate=(0.001, 0.003), train__l2=(0.0, 0.0001)),
    "sasrec": grid(dropout=(0.2, 0.5), embedding_dim=(64,)),
}
ALWAYS = {"sasrec": ["loss=softmax", "train.epochs=30", "train.patience=5"]}  # overrides of every point of a model
# Settings chosen on validation data by the comments of configs/gowalla, with the number of points; ease by results/gowalla.md.
SETTLED: dict[str, dict[str, tuple[list[str], int]]] = {
    "gowalla": {
        "item_knn": (["model.k=100", "model.shrinkage=10"], 1),
        "rp3beta": (["model.k=300", "model.alpha=0.6", "model.beta=0.4"], 1),
        "slim": (["model.l1=0.5", "model.l2=50"], 12),
        "ease": (["model.ridge=100"], 3),
        "sansa": (["model.ridge=100"], 1),
        "ials": (["model.weight=100", "model.ridge=50"], 8),
        "gf_cf": (["model.k=1024", "model.alpha=0.3"], 12),
        "bspm": (["model.k=448", "model.alpha=0.2", "model.sharpening=2.5"], 12),
    }
}
SEQUENTIAL = ("popular_recent", "transitions", "markov", "sasrec")
