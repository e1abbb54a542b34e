"""Quality and cost of every model on a data set, with settings chosen on validation data and tested once.

    python -m benchmarks.leaderboard tune SET MODEL … --data DATA     # every point of the model's grid, on validation data
    python -m benchmarks.leaderboard test SET MODEL … --data DATA     # the best point, on the test part: once
    python -m benchmarks.leaderboard record SET NAME RUN [SETTINGS]       # a finished run, such as a blend
    python -m benchmarks.leaderboard tables

SET is one of sets.py, or a config file with data, split and evaluate of your own; DATA is a folder written by recpair data
fetch. Each cell runs in its own process, which is also how its memory is measured; a cell that is in the results file is
skipped, so an interrupted study continues.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.leaderboard.grids import ALWAYS, GRIDS, SEQUENTIAL, SETTLED
from benchmarks.leaderboard.sets import FINAL, SETS, TEXTS, TIMED

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["tune", "test", "record", "tables", "cell"])
    parser.add_argument("set", nargs="?")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--data", default="data")
    parser.add_argument("--set", dest="more", action="append", default=[], help="an override of every config")
    given = parser.parse_args()
    if given.stage == "tables":
        from benchmarks.leaderboard.tables import write

        write(RESULTS)
    elif given.stage == "record":
        record(given.set, *given.models)
    elif given.stage == "cell":
        print(json.dumps(cell(json.loads(given.set), given.models[0])))
    else:
        for model in given.models or [name for name in GRIDS if given.set in TIMED or name not in SEQUENTIAL]:
            for row in points(given.stage, given.set, model):
                run(given.stage, given.set, row, given.data, given.more)


def points(stage: str, name: str, model: str) -> list[dict[str, Any]]:
    """Cells of a stage that are not in the results file."""
    done = rows(stage, name)
    settled = SETTLED.get(name, {}).get(model)
    if stage == "tune":
        grid = GRIDS[model] if settled is None else [settled[0]]
        wanted = [{"model": model, "overrides": [*ALWAYS.get(model, []), *point]} for point in grid]
    else:
        tuned = [row for row in rows("tune", name) if row["model"] == model]
        best = max(tuned, key=lambda row: row["valid"][row["monitor"]])
        size = len(tuned) if settled is None else settled[1]
        wanted = [{"model": model, "overrides": best["overrides"], "valid": best["valid"], "points": size}]
    return [row for row in wanted if not any(all(d[k] == row[k] for k in ("model", "overrides")) for d in done)]


def rows(stage: str, name: str) -> list[dict[str, Any]]:
    path = RESULTS / f"{stage}-{Path(name).stem}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def record(name: str, title: str, folder: str, written: str | None = None) -> None:
    """Append the test metrics of a finished run to the results file; an earlier row of the title is replaced."""
    overrides, size = SETTLED.get(name, {}).get(title, ([], None))
    metrics = json.loads((Path(folder) / "metrics.json").read_text())
    section = SETS[name]["evaluate"]
    names = [f"{metric}@{cutoff}" for metric in section["metrics"] for cutoff in section["cutoffs"]]
    blend, epochs = metrics.get("blend"), metrics["epochs"]
    row = {
        "model": title,
        "settings": written or settings(metrics),
        "overrides": overrides,
        "valid": (blend or {}).get("valid") or metrics["valid"],
        "points": blend["readings"] if blend else size,
        "monitor": section["monitor"],
        "fit_s": round(epochs * metrics["timing"]["epoch_s"], 2) or None,
        "rank_s": round(metrics["timing"]["evaluate_s"], 2),
        "test": {each: metrics["test"][each] for each in names},
        "memory": None,
    }
    kept = [each for each in rows("test", name) if each["model"] != title]
    lines = "".join(json.dumps(each) + "\n" for each in [*kept, row])
    (RESULTS / f"test-{Path(name).stem}.jsonl").write_text(lines)


def settings(metrics: dict[str, Any]) -> str:
    """Members of a blend with their weights, or the number of epochs of a trained model."""
    if (blend := metrics.get("blend")) is None:
        return f"{metrics['epochs']} epochs" if metrics["epochs"] else ""
    weights = [" / ".join(f"{row[place]:.2f}" for row in blend["weights"]) for place in range(len(blend["members"]))]
    members = [f"{Path(each['path']).name} {weight}" for each, weight in zip(blend["members"], weights, strict=True)]
    return f"{blend['calibration']}: {', '.join(members)}{'; refit' if blend.get('refit') else ''}"


def run(stage: str, name: str, row: dict[str, Any], data: str, more: list[str]) -> None:
    """Run a cell in its own process, and append its row to the results file."""
    import yaml

    base = SETS[name] if name in SETS else yaml.safe_load(Path(name).read_text())
    config = base | {"tracking": None, "model": row["model"]}
    if row["model"] == "transitions" and name in TEXTS:
        config["semantics"] = TEXTS[name]
    overrides = [*row["overrides"], *more, *(FINAL.get(name, []) if stage == "test" else [])]
    command = [sys.executable, "-m", "benchmarks.leaderboard", "cell", json.dumps([config, overrides]), stage]
    environment = {**os.environ, "RECPAIR_DATA": data}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{row['model']} {row['overrides']}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return
    result = row | json.loads(done.stdout.splitlines()[-1])
    with (RESULTS / f"{stage}-{Path(name).stem}.jsonl").open("a") as file:
        file.write(json.dumps(result) + "\n")
    print(json.dumps(result), flush=True)


def cell(what: list[Any], stage: str) -> dict[str, Any]:
    """Fit one model; return its validation metrics, or its test metrics and costs."""
    import recpair
    from benchmarks.table import peak_memory
    from recpair.experiment.prepare import evaluators_of, prepare

    config, overrides = what
    with tempfile.TemporaryDirectory() as folder:
        checked = recpair.load_config(config | {"output": f"{folder}/run"}, overrides)
        monitor = config["evaluate"]["monitor"]
        splits = prepare(checked)
        evaluators = evaluators_of(checked, splits)
        started = time.perf_counter()
        model = fitted(checked, splits, evaluators)
        fit_s = time.perf_counter() - started
        evaluator = evaluators.test if stage == "test" else evaluators.valid
        found = evaluator.evaluate(model)
    row = {"monitor": monitor, "fit_s": round(fit_s, 2), "rank_s": round(found.seconds, 2), "users": found.n_users}
    return row | {"test" if stage == "test" else "valid": found.means, "memory": peak_memory()}


def fitted(config: Any, splits: Any, evaluators: Any) -> Any:
    """A model, fitted or trained to its best epoch; the test part is not read."""
    from recpair.experiment.build import build
    from recpair.models import FittedModel
    from recpair.seeds import isolated

    components = build(config, splits)
    if isinstance(components.model, FittedModel):
        with isolated(config["train"]["seed"]):
            components.model.fit(splits.train)
        return components.model
    return trained(config, splits, evaluators, components)


def trained(config: Any, splits: Any, evaluators: Any, components: Any) -> Any:
    from recpair.experiment.fit import trainer
    from recpair.registry import options_in
    from recpair.run.manifest import CHECKPOINT
    from recpair.seeds import isolated
    from recpair.training.checkpoint import Checkpoint
    from recpair.training.launch import launch
    from recpair.training.log import MultiLog

    fabric = launch(**options_in(config["train"], launch))
    Path(config["output"]).mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(Path(config["output"]) / CHECKPOINT, splits.fingerprint)
    with isolated(config["train"]["seed"]):
        trainer(config, components, splits, evaluators, fabric, checkpoint, False)(MultiLog())
    return components.model


if __name__ == "__main__":
    main()
