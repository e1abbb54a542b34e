"""Tables and the plot of the denoising study, from its JSON-lines files.

python -m benchmarks.denoising.tables benchmarks/denoising/results
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.cells import Row, over_seeds, read, table

NAMES = {
    "none": "plain",
    "t_ce": "T-CE",
    "r_ce": "R-CE",
    "udt": "UDT",
    "dcf": "DCF",
    "pld": "PLD",
    "dns": "DNS",
    "udt+dns": "UDT + DNS",
    "pld+dns": "PLD + DNS",
}
COLOURS = ("#1f2937", "#9ca3af", "#b45309", "#0f766e", "#7c3aed", "#dc2626", "#2563eb", "#65a30d", "#db2777")
METRICS = ("recall@20", "ndcg@20", "recall@50", "ndcg@50")
REAL = {"ml-100k": "MovieLens-100K", "modcloth": "ModCloth"}
RULES = {"clean": "clean valid", "noisy": "noisy valid", "trimmed": "noisy, trimmed", "best": "best on test"}


def select(rows: Sequence[Row], **key: object) -> list[Row]:
    return [row for row in rows if all(row["key"].get(name) == value for name, value in key.items())]


def measured(row: Row, rule: str, metric: str = "recall@20") -> float:
    """A test metric at the epoch that a rule chose."""
    value: float = row["rules"][rule][metric]
    return value


def seeds_of(rows: Sequence[Row]) -> str:
    counts = sorted({len(select(rows, method=row["key"]["method"], noise=row["key"]["noise"])) for row in rows})
    return "–".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))


def grid_tables(rows: Sequence[Row], model: str, loss: str) -> list[str]:
    """Test metrics by method and noise, the epoch chosen on clean validation."""
    noises, methods = sorted({row["key"]["noise"] for row in rows}), [m for m in NAMES if select(rows, method=m)]
    lines = [f"## {model}, {loss} ({seeds_of(rows)} seeds)", ""]
    for metric in METRICS:
        at = partial(measured, rule="clean", metric=metric)
        body = [[NAMES[m], *(over_seeds(select(rows, method=m, noise=n), at) for n in noises)] for m in methods]
        lines += table([f"test {metric}, noise", *(f"{n:.1f}" for n in noises)], body)
    return lines + gain(rows, noises)


def gain(rows: Sequence[Row], noises: Sequence[float]) -> list[str]:
    """Differences between PLD and plain training, seed by seed."""
    parts = []
    for noise in noises:
        plain, pld = (
            {r["key"]["seed"]: r["rules"]["clean"]["recall@20"] for r in select(rows, method=m, noise=noise)}
            for m in ("none", "pld")
        )
        gaps = [pld[seed] / plain[seed] - 1 for seed in plain if seed in pld]
        if gaps:
            parts.append(f"{noise:.1f}: {np.mean(gaps):+.1%}")
    return [f"PLD against plain, Recall@20 by noise: {', '.join(parts)}.", ""]


def rule_table(rows: Sequence[Row], noise: float) -> list[str]:
    """The same trainings, the epoch chosen by other rules."""
    body = [
        [
            NAMES[m],
            *(over_seeds(select(rows, method=m, noise=noise), partial(measured, rule=rule)) for rule in RULES),
        ]
        for m in NAMES
        if select(rows, method=m, noise=noise)
    ]
    return table([f"noise {noise}, test recall@20 by", *RULES.values()], body)


def drawn_to_chosen(rows: Sequence[Row]) -> str:
    """Share of noise among the drawn and among the chosen positives; a dash where nothing chose."""
    shares = [row["shares"] for row in rows if row["shares"]["drawn"] is not None]
    if not shares:
        return "–"
    return f"{np.mean([s['drawn'] for s in shares]):.1%} → {np.mean([s['chosen'] for s in shares]):.1%}"


def reason_table(rows: Sequence[Row], noise: float, what: str = "injected") -> list[str]:
    """Recall by popularity of the item, shares of noise among positives, the audit, and the cost."""
    body = []
    for method in NAMES:
        chosen = select(rows, method=method, noise=noise)
        if not chosen:
            continue
        groups = np.mean([row["groups"] for row in chosen], axis=0)
        audits = [row["audit"] for row in chosen if "audit" in row]
        auroc = [
            f"{np.mean([a[f'{name}_auroc'] for a in audits]):.3f}" if audits else "–"
            for name in ("personal", "mean_loss", "final_loss")
        ]
        seconds = f"{np.median([row['epoch_s'] for row in chosen]):.2f}"
        body.append([NAMES[method], *(f"{g:.3f}" for g in groups), drawn_to_chosen(chosen), *auroc, seconds])
    head = ["recall@20 of items, rarest quarter", "second", "third", "most popular", f"{what}, drawn → chosen"]
    return table(
        [f"noise {noise}" if what == "injected" else "", *head, "AUROC personal", "mean loss", "last loss", "s/epoch"],
        body,
    )


def real_table(rows: Sequence[Row], name: str) -> list[str]:
    """One data set with real noise: the test by three rules, and whether low ratings are chosen less and found."""
    lines = [f"## {REAL[name]} ({seeds_of(rows)} seeds)", ""]
    for metric in ("recall@20", "ndcg@20"):
        body = []
        for method in NAMES:
            if chosen := select(rows, method=method):
                by_rule = (over_seeds(chosen, partial(measured, rule=rule, metric=metric)) for rule in RULES)
                body.append([NAMES[method], *by_rule])
        lines += table([f"test {metric} by", *RULES.values()], body)
    return lines + reason_table(rows, 0.0, "ratings of 1 and 2")


def settings_table(rows: Sequence[Row]) -> list[str]:
    """Settings chosen by the search on validation data."""
    body = []
    for model, loss in sorted({(r["key"]["model"], r["key"]["loss"]) for r in rows}):
        for method in NAMES:
            tried = select(rows, model=model, loss=loss, method=method)
            if tried:
                best = max(tried, key=lambda row: row["valid"])
                worst = min(row["valid"] for row in tried)
                chosen = " ".join(part.partition(".")[2] for part in best["overrides"] if "name=" not in part)
                body.append([model, loss, NAMES[method], str(len(tried)), f"{worst:.4f} … {best['valid']:.4f}", chosen])
    return table(["model", "loss", "method", "settings", "valid recall@20", "chosen"], body)


def full_tuned_table(rows: Sequence[Row]) -> list[str]:
    """Settings on all users, each with its test."""
    body = []
    for row in rows:
        setting = " ".join(part.partition(".")[2] for part in row["key"]["setting"])
        rarest, *_, popular = (f"{group:.3f}" for group in row["groups"])
        tested = [f"{measured(row, 'clean', metric):.4f}" for metric in ("recall@20", "ndcg@20")]
        cost = [f"{row['epoch']} of {row['epochs']}", f"{row['epoch_s']:.2f}"]
        told = [rarest, popular, drawn_to_chosen([row]), f"{row['audit']['personal_auroc']:.3f}"]
        body.append([NAMES[row["key"]["method"]], setting, f"{row['valid']:.4f}", *tested, *told, *cost])
    head = ["noise 0.2", "setting", "valid recall@20", "test recall@20", "test ndcg@20", "of items, rarest quarter"]
    return table([*head, "most popular", "injected, drawn → chosen", "AUROC personal", "best epoch", "s/epoch"], body)


def plot(rows: Sequence[Row], path: Path) -> None:
    """Test Recall@20 against noise, a panel per model and loss."""
    panels = sorted({(r["key"]["model"], r["key"]["loss"]) for r in rows}, reverse=True)
    figure = Figure(figsize=(1.6 + 4.2 * len(panels), 3.8), layout="constrained")
    for axes, (model, loss) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        for method, colour in zip(NAMES, COLOURS, strict=True):
            if not (cells := select(rows, model=model, loss=loss, method=method)):
                continue
            noises = sorted({row["key"]["noise"] for row in cells})
            values = [[r["rules"]["clean"]["recall@20"] for r in select(cells, noise=n)] for n in noises]
            spread = [np.std(v) for v in values]
            axes.errorbar(noises, [np.mean(v) for v in values], spread, color=colour, label=NAMES[method], capsize=2)
        axes.set(title=f"{model}, {loss}", xlabel="injected events per real one", ylabel="test recall@20")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e6e9ec", linewidth=0.8)
    shown = {label: line for axes in figure.axes for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(shown.values(), shown.keys(), loc="outside right center", frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rows = read(folder)
    real = [row for row in rows if row["key"]["model"] in REAL]
    rows = [row for row in rows if row["key"]["model"] not in REAL]
    cells = select(rows, kind="grid")
    lines = [
        "# Denoising on Gowalla: what was measured",
        "",
        "How: `study.py`; what it means: `README.md` beside it.",
        "",
    ]
    if full := select(rows, kind="full"):
        lines += ["# All users", "", *grid_tables(full, "mf", "bpr"), *rule_table(full, 0.2)]
        lines += [line for noise in (0.0, 0.2, 0.5) if select(full, noise=noise) for line in reason_table(full, noise)]
    if tuned := select(rows, kind="full-tuned"):
        lines += ["## mf, bpr, with more L2 (1 seed)", "", *full_tuned_table(tuned)]
    lines += ["# A fifth of the users", "", *settings_table(select(rows, kind="tune"))]
    for model, loss in sorted({(r["key"]["model"], r["key"]["loss"]) for r in cells}, reverse=True):
        chosen = select(cells, model=model, loss=loss)
        lines += [*grid_tables(chosen, model, loss), *rule_table(chosen, 0.2)]
        lines += [line for noise in (0.0, 0.2) for line in reason_table(chosen, noise)]
    if real:
        lines += [
            "# Real noise: ratings of 1 and 2 among the positives",
            "",
            *settings_table(select(real, kind="tune")),
        ]
        for name in sorted({row["key"]["model"] for row in real}):
            if chosen := select(real, kind="grid", model=name):
                lines += real_table(chosen, name)
    (folder / "tables.md").write_text("\n".join(lines), encoding="utf-8")
    plot(cells, folder / "recall_by_noise.png")


if __name__ == "__main__":
    main()
