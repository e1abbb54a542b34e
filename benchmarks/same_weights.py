"""Compare the weights to which two versions of recpair train every config in configs/, and the time of an epoch.

Each config is trained for two epochs (closed-form models: completely), and the SHA-256 of every tensor of its model is
written, a row per config; configs that are already in the file are skipped, so that the run can be interrupted. Run it
once with each version (PYTHONPATH names the checkout), then compare the two files:

    python -m benchmarks.same_weights --data DATA --out before.jsonl [CONFIG …]
    python -m benchmarks.same_weights --compare before.jsonl after.jsonl

DATA is a folder written by recpair data fetch. The exit code of the comparison is 1 if a config differs; if weights
differ, the test metrics of both versions are shown.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

FITTED = ("bspm", "ease", "gf-cf", "ials", "item-knn", "slim", "transitions")  # trained without epochs
CONFIGS = Path(__file__).parent.parent / "configs"


def train(config: Path, data: str, time_column: str | None, more: list[str]) -> dict[str, object]:
    """The sums of the model's tensors after two epochs, and the test metrics."""
    import os

    import recpair

    os.environ["RECPAIR_DATA"] = data
    with tempfile.TemporaryDirectory() as folder:
        overrides = ["tracking=null", "train.device=cpu", f"output={folder}/run", *more]
        if config.stem not in FITTED:
            overrides += ["train.epochs=2", "train.patience=null"]
        if time_column and config.parent.name == "amazon-beauty":
            overrides.append(f"data.columns.time={time_column}")
        run = recpair.fit(config, overrides)
        state = run.model.state_dict()
        sums = {
            name: hashlib.sha256(tensor.contiguous().reshape(-1).numpy().tobytes()).hexdigest()[:16]
            for name, tensor in sorted(state.items())
        }
        return {"config": f"{config.parent.name}/{config.name}", "weights": sums, "test": run.metrics["test"]} | {
            "epoch_s": run.metrics["timing"]["epoch_s"]
        }


def compare(before: Path, after: Path) -> int:
    """Print a line per config; the number of configs that differ."""
    rows = [{row["config"]: row for row in map(json.loads, path.read_text().splitlines())} for path in (before, after)]
    different = 0
    for config in sorted({*rows[0], *rows[1]}):
        if config not in rows[0] or config not in rows[1]:
            print(f"{config}: in one of the files only")
            continue
        one, other = rows[0][config], rows[1][config]
        same = one["weights"] == other["weights"]
        different += not same
        gap = max((abs(one["test"][name] - other["test"][name]) for name in one["test"]), default=0.0)
        pace = f", {other['epoch_s'] / one['epoch_s']:.2f} times the seconds of an epoch" if one["epoch_s"] else ""
        print(f"{config}: {'same' if same else 'other'} weights, test metrics differ by at most {gap:.1e}{pace}")
    return different


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="*", type=Path, default=None)
    parser.add_argument("--data", default="data")
    parser.add_argument("--time-column", help="of amazon-beauty, where it is not timestamp")
    parser.add_argument("--set", action="append", default=[], help="an override, such as filter.item_core=100")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("BEFORE", "AFTER"))
    given = parser.parse_args()
    if given.compare:
        return int(compare(*given.compare) > 0)
    done = {json.loads(line)["config"] for line in given.out.read_text().splitlines()} if given.out.exists() else set()
    for config in given.configs or sorted(CONFIGS.glob("*/*.yaml")):
        if f"{config.parent.name}/{config.name}" in done:
            continue
        row = train(config, given.data, given.time_column, given.set)
        with given.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row["config"], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
