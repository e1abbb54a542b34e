"""Does SRA-CL help on Amazon Beauty, where, and beside which rivals? Every cell is one line of a JSON-lines file.

    python -m benchmarks.sra_cl.study --data BEAUTY --runs RUNS --part authors --out benchmarks/sra_cl/results/authors.jsonl
    python -m benchmarks.sra_cl.tables benchmarks/sra_cl/results

Protocol: leave one out, all items ranked, the epoch chosen by validation NDCG@10 (seen items not masked, as SRA-CL's authors
do); the test is read once, with and without masking. The backbone is SASRec in ``positions`` style with sampled softmax
over 1,024 negatives that a batch shares: a third of the cost of the whole softmax. What is searched, is searched on
validation data with seed 1. A cell that is in the file already is not trained again; run folders stay in RUNS.

Parts: ``authors`` is SRA-CL's own backbone setting (post-norm, D 64, dropout 0.5, length 20), ``tuned`` the best backbone of
a search, ``ablations`` changes one thing of SRA-CL, ``weights`` weighs its terms apart, ``long`` trains up to 48 epochs,
``losses`` compares losses, ``softmax`` has SRA-CL on the best of them, ``rivals`` the other contrast terms, ``floors`` what
has no transformer, ``gru4rec`` a search of it. Parts can run beside each other with files of their own in one folder.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import recpair
from benchmarks.sra_cl.leak import NAME as LEAKY
from benchmarks.sra_cl.leak import leaking
from recpair.comparison.significance import paired
from recpair.experiment.prepare import prepare

GROUPS = 4
METRIC = "ndcg@10"
SEEDS = (1, 2, 3)
SAMPLED = {"negatives": "uniform", "n_negatives": 1024, "shared": True}
AUTHORS = {"embedding_dim": 64, "history_length": 20, "n_layers": 2, "n_heads": 2, "inner_dim": 256, "norm": "post"}
AGREE = {"similarity": "cosine", "temperature": 0.2}
BACKBONES: dict[str, list[str]] = {
    f"dropout {dropout}, learning rate {rate}, D {dim}, {norm}-norm": [
        *[f"model.dropout={dropout}", f"train.learning_rate={rate}", f"model.embedding_dim={dim}"],
        *[f"model.norm={norm}", "model.history_length=50"],
    ]
    for dropout, rate, dim, norm in [
        (0.5, 0.001, 64, "post"),
        (0.3, 0.001, 64, "post"),
        (0.5, 0.0005, 64, "post"),
        (0.5, 0.002, 64, "post"),
        (0.5, 0.001, 128, "post"),
        (0.5, 0.001, 64, "pre"),
    ]
}


def contrast(*terms: Mapping[str, Any]) -> str:
    """The terms as an override."""
    return f"contrast={json.dumps(list(terms))}"


def sra_cl(weights: tuple[float, float] = (0.1, 0.1), k: int = 5, **options: Any) -> str:
    """Both terms, or one where the other's weight is 0."""
    cross = {"name": "sra_cl_cross", "weight": weights[0], "neighbours": k, **AGREE, **options}
    intra = {"name": "sra_cl_intra", "weight": weights[1], **AGREE, **options}
    return contrast(*(term for term in (cross, intra) if term["weight"]))


SEARCH: dict[str, list[str]] = {  # of SRA-CL
    f"weights {weight}, temperature {temperature}": [sra_cl((weight, weight), temperature=temperature)]
    for weight, temperature in [(0.1, 0.2), (0.03, 0.2), (0.1, 1.0)]
}
WEIGHTS: dict[str, list[str]] = {  # the paper's grid
    f"cross-user {cross}, substitution {intra}, temperature 0.2": [sra_cl((cross, intra))]
    for cross in (0.05, 0.1, 0.3)
    for intra in (0.05, 0.1, 0.3)
}
RIVALS: dict[str, dict[str, list[str]]] = {  # as many settings as SRA-CL was given
    name: {
        f"{name}, weight {weight}": [contrast({"name": name.lower(), "weight": weight, **AGREE, **options})]
        for weight in (0.03, 0.1, 0.3)
    }
    for name, options in {"CL4SRec": {}, "CoSeRec": {}, "DuoRec": {"mask": "target"}, "ICLRec": {}, "CWCL": {}}.items()
}
LONG = "train.epochs=48"
GRU4REC: dict[str, list[str]] = {
    f"GRU4Rec, dropout {dropout}, learning rate {rate}, D {dim}": [
        *["model=gru4rec", f"model.dropout={dropout}", f"model.embedding_dim={dim}"],
        *[f"train.learning_rate={rate}", LONG],
    ]
    for dropout, rate, dim in [
        *[(0.3, 0.001, 64), (0.3, 0.002, 64), (0.3, 0.004, 64)],
        *[(0.5, 0.002, 64), (0.1, 0.002, 64), (0.5, 0.002, 128)],
    ]
}
LOSSES: dict[str, list[str]] = {
    "softmax": ["loss=softmax", "sampler.negatives=all", "sampler.shared=false"],
    "gBCE, 256 negatives": ["loss=gbce", "sampler.n_negatives=256"],
    "BCE": ["loss=bce", "sampler.n_negatives=1", "sampler.shared=false"],
    "BPR": ["loss=bpr", "sampler.n_negatives=1", "sampler.shared=false"],
}
FLOORS: dict[str, list[str]] = {
    "most popular": ["model=popularity"],
    "ItemKNN": ["model=item_knn"],
    "GRU4Rec": ["model=gru4rec", "train.learning_rate=0.002"],
}


def config(data: Path, runs: Path, epochs: int) -> dict[str, Any]:
    return {
        "data": {
            "path": f"{data}/interactions.parquet",
            "items": f"{data}/items.parquet",
            "columns": {"time": "position"},
        },
        "split": {"name": "leave_last"},
        "sampler": {"name": "sequences", "batch_size": 128, **SAMPLED},
        "model": {"name": "sasrec", "dropout": 0.5, **AUTHORS},
        "loss": {"name": "sampled_softmax"},
        "semantics": {"name": "wordllama", "k": 20, "folder": f"{runs}/semantics"},
        "train": {"epochs": epochs, "patience": 2, "validate_every": 4, "checkpoint_every": 4},
        "evaluate": {"metrics": ["hit", "ndcg"], "cutoffs": [10, 20], "monitor": METRIC, "mask_seen": False},
        "tracking": None,
    }


class Study:
    """A file of finished cells, and the folder of their runs."""

    def __init__(self, data: Path, runs: Path, out: Path, epochs: int) -> None:
        self.base, self.runs, self.out = config(data.resolve(), runs.resolve(), epochs), runs, out
        out.parent.mkdir(parents=True, exist_ok=True)
        files = sorted(out.parent.glob("*.jsonl"))  # what another process has done counts, too
        lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
        self.rows = {name_of(row["key"]): row for row in map(json.loads, lines)}

    def cell(self, part: str, method: str, overrides: Sequence[str], seed: int, *, test: bool = True) -> dict[str, Any]:
        """Train one setting unless it is known; its validation value, and its test metrics where they are wanted."""
        key = {"part": part, "method": method, "seed": seed, "test": test}
        if name_of(key) in self.rows:
            return self.rows[name_of(key)]
        for known in self.rows.values():
            if (
                known.get("overrides") == [*overrides]
                and known["key"]["seed"] == seed
                and ("test" in known or not test)
            ):
                tested = () if test else ("test", "masked", "groups")
                return self.add(
                    {name: known[name] for name in known if name not in tested} | {"key": key, "seconds": 0.0}
                )
        started = time.time()
        run = self.trained(overrides, seed)
        row = {"key": key, "overrides": [*overrides], "run": run.folder.name, "valid": run.metrics["valid"][METRIC]}
        row |= {"epoch": run.metrics["best_epoch"], "epochs": run.metrics["epochs"]}
        row |= {"epoch_s": run.metrics["timing"]["epoch_s"], "geometry": geometry(run)}
        if test:
            masked, _ = recpair.evaluate(run, ["evaluate.mask_seen=true"])
            row |= {"test": run.metrics["test"], "masked": masked.means, "groups": self.groups(run)}
        return self.add(row | {"seconds": time.time() - started})

    def trained(self, overrides: Sequence[str], seed: int) -> recpair.Run:
        """The run of a setting: what an earlier cell has trained, where its folder is still there."""
        settings = [*overrides, f"train.seed={seed}"]
        folder = self.runs / hashlib.blake2b(json.dumps(settings).encode(), digest_size=6).hexdigest()
        return recpair.fit(self.base, [*settings, f"output={folder}"], resume=True)

    def add(self, row: dict[str, Any]) -> dict[str, Any]:
        with self.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.rows[name_of(row["key"])] = row
        print({name: row[name] for name in ("key", "valid", "seconds", "test", "paired") if name in row}, flush=True)
        return row

    def search(self, part: str, settings: Mapping[str, Sequence[str]]) -> str:
        """The setting with the best validation value of seed 1."""
        rows = {name: self.cell(part, name, setting, 1, test=False) for name, setting in settings.items()}
        return max(rows, key=lambda name: rows[name]["valid"])

    def compare(self, part: str, method: str, plain: str, plain_part: str | None = None) -> None:
        """Paired tests over users of means over the seeds, as a separate row; runs without a folder are trained again."""
        key = {"part": part, "method": f"{method} − {plain}", "seed": 0, "test": True}
        if name_of(key) in self.rows:
            return
        found = {}
        for name, place in ((method, part), (plain, plain_part or part)):
            rows = [self.rows[name_of({"part": place, "method": name, "seed": seed, "test": True})] for seed in SEEDS]
            runs = [self.trained(row["overrides"], row["key"]["seed"]) for row in rows]
            frames = [run.per_user.sort("user_id") for run in runs]
            found[name] = np.mean([frame[METRIC].to_numpy() for frame in frames], axis=0)
        self.add({"key": key, "paired": vars(paired(found[method], found[plain]))})

    @cached_property
    def held_out(self) -> pl.DataFrame:
        """user_id, how long its training history is, and how popular its test item is in training."""
        splits = prepare(recpair.load_config(self.base))
        length, popularity = np.diff(splits.train.indptr), splits.train.item_counts
        test = splits.test
        users = splits.train.vocabulary.users.values
        return pl.DataFrame(
            {"user_id": users[test.user], "length": length[test.user], "popularity": popularity[test.item]}
        )

    def groups(self, run: recpair.Run) -> dict[str, list[float]]:
        """Mean test NDCG@10 in quarters by length of history and by popularity of the test item."""
        frame = run.per_user.join(self.held_out, on="user_id")
        found = {}
        for name in ("length", "popularity"):
            edges = np.unique(np.quantile(frame[name].to_numpy(), np.linspace(0, 1, GROUPS + 1)[1:-1], method="lower"))
            group = np.searchsorted(edges, frame[name].to_numpy(), side="left")
            found[name] = [float(frame[METRIC].to_numpy()[group == g].mean()) for g in range(len(edges) + 1)]
            found[f"{name}_edges"] = edges.tolist()
        return found


def name_of(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)


def geometry(run: recpair.Run) -> dict[str, float]:
    """Alignment and uniformity in the last epoch."""
    last = run.history.filter(pl.col("epoch") == pl.col("epoch").max())
    return {
        name.removeprefix("train/").replace("queries", "histories"): value
        for name, value in zip(last["metric"], last["value"], strict=True)
        if "alignment" in name or "uniformity" in name
    }


def chosen(study: Study) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two terms of the best setting of the search."""
    (entry,) = SEARCH[study.search("authors-search", SEARCH)]
    cross, intra = json.loads(entry.removeprefix("contrast="))
    return cross, intra


def authors(study: Study) -> None:
    """SRA-CL's own setting: search, then three seeds of it, of its halves and of the backbone."""
    for seed in SEEDS:
        study.cell("authors", "SASRec", [], seed)
    cross, intra = chosen(study)
    variants = {
        "SRA-CL": [contrast(cross, intra)],
        "SRA-CL, intra only": [contrast(intra)],
        "SRA-CL, cross only": [contrast(cross)],
    }
    for name, terms in variants.items():
        for seed in SEEDS:
            study.cell("authors", name, terms, seed)
        study.compare("authors", name, "SASRec")


def ablations(study: Study) -> None:
    """One seed each of what the authors' part leaves open."""
    cross, intra = chosen(study)
    with leaking():
        one_each("authors", {"SRA-CL, with the authors' leak": [contrast(cross | {"name": LEAKY}, intra)]}, study)
    one_each(
        "authors",
        {
            "SRA-CL, same user among the neighbours": [contrast(cross, intra), "semantics.same_user=true"],
            "SRA-CL, as published: dot, temperature 1": [sra_cl(similarity="dot", temperature=1.0)],
            "SRA-CL, sentence-transformers": [contrast(cross, intra), "semantics.name=sentence_transformers"],
            "SRA-CL, mean of the neighbours": [contrast(cross | {"synthesiser": "mean"}, intra)],
            "SRA-CL, k 10": [contrast(cross | {"neighbours": 10}, intra)],
            "SRA-CL, nearest neighbour alone": [contrast(cross | {"synthesiser": "nearest"}, intra)],
            "SRA-CL, k 20": [contrast(cross | {"neighbours": 20}, intra)],
            "SASRec, prefixes": ["sampler.examples=prefixes", "sampler.batch_size=256"],
        },
        study,
    )


def tuned(study: Study) -> None:
    """The best backbone of a search, then SRA-CL on top of it with the authors' part's best setting."""
    basis = BACKBONES[study.search("tuned-search", BACKBONES)]
    setting = contrast(*chosen(study))
    for seed in SEEDS:
        study.cell("tuned", "SASRec", basis, seed)
        study.cell("tuned", "SRA-CL", [*basis, setting], seed)
    study.compare("tuned", "SRA-CL", "SASRec")


def weights(study: Study) -> None:
    """The two terms' weights apart, on validation data alone."""
    study.search("weights-search", WEIGHTS)


def rivals(study: Study) -> None:
    """Each rival's weight by a search as long as SRA-CL's, then three seeds of the best, beside the same backbone."""
    for settings in RIVALS.values():
        best = study.search("rivals-search", settings)
        for seed in SEEDS:
            study.cell("rivals", best, settings[best], seed)
        study.compare("rivals", best, "SASRec", "authors")


def gru4rec(study: Study) -> None:
    """As many settings as the transformer's backbone was given, and as many epochs as it wants."""
    best = study.search("gru4rec-search", GRU4REC)
    for seed in SEEDS:
        study.cell("long", best, GRU4REC[best], seed)


def long(study: Study) -> None:
    """Runs of up to 48 epochs instead of sixteen; the epoch is chosen on validation data."""
    setting = contrast(*chosen(study))
    for seed in SEEDS:
        study.cell("long", "SASRec", [LONG], seed)
    for seed in SEEDS:
        study.cell("long", "SRA-CL", [LONG, setting], seed)
    study.compare("long", "SRA-CL", "SASRec")


def softmax(study: Study) -> None:
    """The whole softmax with and without SRA-CL."""
    for seed in SEEDS:
        study.cell("authors", "softmax", LOSSES["softmax"], seed)
        study.cell("authors", "softmax and SRA-CL", [*LOSSES["softmax"], contrast(*chosen(study))], seed)
    study.compare("authors", "softmax and SRA-CL", "softmax")


def one_each(part: str, settings: Mapping[str, Sequence[str]], study: Study) -> None:
    for name, overrides in settings.items():
        study.cell(part, name, overrides, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder with interactions.parquet and items.parquet")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--part", choices=[*PARTS, *SINGLE], required=True)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    study = Study(arguments.data, arguments.runs, arguments.out, arguments.epochs)
    if arguments.part in PARTS:
        PARTS[arguments.part](study)
    else:
        one_each("authors", SINGLE[arguments.part], study)


PARTS = {
    "authors": authors,
    "ablations": ablations,
    "weights": weights,
    "rivals": rivals,
    "softmax": softmax,
    "long": long,
    "gru4rec": gru4rec,
    "tuned": tuned,
}
SINGLE = {"losses": LOSSES, "floors": FLOORS}


if __name__ == "__main__":
    main()
