"""Comparison of item popularity between test events and training events of a predefined split.

    python benchmarks/split_popularity.py --data ../shared/data/gowalla/interactions.parquet

If they differ, validation events sampled from the training part misjudge models that favour popular or rare items.
Popularity is the number of training events of the item; for a training event, without the event itself.
"""

import argparse
from pathlib import Path

import polars as pl
from table import page

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="Parquet with user_id, item_id and split")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "split_popularity.md")
    arguments = parser.parse_args()
    events = pl.read_parquet(arguments.data)
    parts = {name: events.filter(pl.col("split") == name) for name in ("train", "test")}
    counts = parts["train"].group_by("item_id").len("popularity")
    lines = [f"| events | number | {' | '.join(f'{share:.0%}' for share in QUANTILES)} | mean |"]
    lines += ["|---|---:|" + "---:|" * (len(QUANTILES) + 1)]
    for name, part in parts.items():
        itself = int(name == "train")
        popularity = part.join(counts, on="item_id", how="left")["popularity"].fill_null(0) - itself
        cells = [f"{popularity.quantile(share, 'linear'):.0f}" for share in QUANTILES]
        lines += [f"| {name} | {len(part):,} | {' | '.join(cells)} | {popularity.mean():.1f} |"]
    lines += ["", "Quantiles over events of the training events of the event's item, the event itself not counted."]
    page(
        arguments.out,
        "Popularity of what is held out",
        f"python benchmarks/split_popularity.py --data {arguments.data}",
        lines,
    )


if __name__ == "__main__":
    main()
