"""The command that writes recommendations."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from recpair.cli.app import PluginsOption, RunArgument, app

OnUnknown = Literal["raise", "skip", "popular"]
USERS = "A table with the column user_id or the user column of the run's data, or a .txt file with one id per line."

EveryoneOption = Annotated[bool, typer.Option("--all", help="Recommend for every user with a training event.")]
ItemsOption = Annotated[
    Path | None, typer.Option("--items", help="Rank only the items of this file, a table or a .txt like --users.")
]
ExcludeOption = Annotated[
    Path | None, typer.Option("--exclude", help="Never recommend the items of this file; it may be empty.")
]
PerUserItemsOption = Annotated[
    Path | None,
    typer.Option("--per-user-items", help="A table with user_id and item_id: rank only these candidates of each user."),
]
DiversityOption = Annotated[
    float, typer.Option(help="0 ranks by score, larger values up to 1 prefer items unlike each other, such as 0.3.")
]
NewItemsOption = Annotated[
    Path | None,
    typer.Option(
        "--new-items",
        help="A table of items that were not in training, with the columns of the item table; they are placed by their texts "
        "and can be recommended too.",
    ),
]


@app.command()
def recommend(
    run: RunArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Output file: .csv, .parquet or .jsonl.")],
    users: Annotated[Path | None, typer.Option("--users", help=USERS)] = None,
    everyone: EveryoneOption = False,
    k: Annotated[int, typer.Option("--k", "-k", help="Items per user.")] = 10,
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Also rank items seen in training.")] = False,
    items: ItemsOption = None,
    exclude: ExcludeOption = None,
    per_user_items: PerUserItemsOption = None,
    new_items: NewItemsOption = None,
    diversity: DiversityOption = 0.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add the items of the history that contribute most; JSON in a .csv.")
    ] = False,
    titles: Annotated[
        bool,
        typer.Option(
            "--titles",
            help="Add the columns of the item table. In a .csv, lists are joined with |, other nested values are JSON.",
        ),
    ] = False,
    on_unknown: Annotated[
        OnUnknown,
        typer.Option(
            help="For users without training events: raise an error, skip them, or return the most popular items, "
            "marked in the column fallback."
        ),
    ] = "raise",
    plugins: PluginsOption = None,
) -> None:
    """Write the k best items of each user: user_id, item_id, score, rank.

    Does not read the data set. Ids are those of your data; items seen in training are excluded. With --per-user-items
    and neither --users nor --all, recommends for the users of that file.

    [bold]Examples[/]

      recpair recommend runs/ml-100k-mf-bpr-pld --all --k 20 --out recs.parquet

      recpair recommend runs/ml-100k-mf-bpr-pld --users users.csv --on-unknown popular --out recs.csv

      recpair recommend runs/ml-100k-mf-bpr-pld --all --exclude sold_out.txt --diversity 0.3 --explain --out recs.jsonl

      recpair recommend runs/mine --all --new-items new.csv --titles --out recs.csv
    """
    from recpair.cli import console
    from recpair.experiment.load import load
    from recpair.run import batch

    files = {"--users": users, "--items": items, "--exclude": exclude, "--per-user-items": per_user_items}
    _check_files(out, files | {"--new-items": new_items})
    if (users is not None) + everyone > 1 or (users is None and not everyone and per_user_items is None):
        raise typer.BadParameter("give either --users FILE or --all, or only --per-user-items FILE")
    batch.check_output(out)
    loaded = load(run, plugins=plugins or [])
    names = {kind: loaded.id_columns(kind) for kind in ("user", "item")}
    with console.notes():
        if new_items is not None:
            loaded = loaded.add_items(new_items)
        given: dict[str, Any] = {
            "items": None if items is None else batch.read_ids(items, "item", names["item"]),
            "exclude": None if exclude is None else batch.read_ids(exclude, "item", names["item"], may_be_empty=True),
            "per_user_items": None if per_user_items is None else batch.read_pairs(per_user_items, *names.values()),
        }
        asked = None if users is None else batch.read_users(users, names["user"])
        frame = loaded.recommend(
            loaded.recommender.all_users() if everyone else asked,
            k=k,
            exclude_seen=not include_seen,
            diversity=diversity,
            explain=explain,
            on_unknown=on_unknown,
            titles=titles,
            **given,
        )
        batch.write_table(out, frame)
    console.console.print(f"{len(frame):,} recommendations for {frame['user_id'].n_unique():,} users in {out}")


def _check_files(out: Path, files: dict[str, Path | None]) -> None:
    """Refuse an output file that is also an input."""
    for option, file in files.items():
        if file is not None and file.resolve() == out.resolve():
            raise typer.BadParameter(f"--out would overwrite the file of {option}; give another name")
