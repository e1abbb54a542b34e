"""Commands of the semantic stage: encode item texts, and show their nearest neighbours."""

from pathlib import Path
from typing import Annotated

import typer

from recpair import raw_config
from recpair.cli import completion
from recpair.cli.app import ConfigOption, OverridesArgument, app


@app.command()
def embed(
    config: ConfigOption,
    overrides: OverridesArgument = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the number of language model requests and their cost.")
    ] = False,
) -> None:
    """Turn item texts into vectors and find the nearest items and training histories, from training events only.

    Configured by the section semantics; with the section describe, a language model describes the items first.
    Results are cached in .semantics beside the run folder (or in semantics.folder) and reused by later calls, by fit
    and after an interruption.

    [bold]Examples[/]

      recpair embed --config configs/ml-100k/mf-bpr.yaml semantics.template="'{title}. {genres}'"

      recpair embed --config my.yaml describe.model=gpt-x describe.price_in=0.15 describe.price_out=0.6 --dry-run
    """
    from recpair.cli import console
    from recpair.experiment import semantics as stage

    with console.notes():
        if dry_run:
            console.pair_table("What is left to do", stage.semantic_estimates(config, overrides or []))
            return
        with console.StageBar() as bar:
            rows = stage.embed(config, overrides or [], report=bar)
    console.pair_table(f"Vectors and neighbours: {config}", rows)


@app.command()
def neighbours(
    item_id: Annotated[str | None, typer.Argument(metavar="[ITEM_ID]", help="An item id; or use --user.")] = None,
    overrides: OverridesArgument = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A YAML or TOML file.", autocompletion=completion.configs)
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="A run folder, in place of --config.", autocompletion=completion.runs)
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="The neighbours of this user's training history.")] = None,
) -> None:
    """Show the nearest neighbours of an item, or of a user's history, with titles and cosine similarity.

    A history is the user's items before the last training event. Embeds first if necessary. With --run, no endpoint
    is called, whatever the run's config says: cached responses are used.

    [bold]Examples[/]

      recpair neighbours 50 --config configs/ml-100k/mf-bpr.yaml semantics.template="'{title}. {genres}'"

      recpair neighbours --user 196 --run runs/ml-100k-sasrec semantics.k=5
    """
    from recpair.cli import console
    from recpair.experiment import semantics as stage

    given = overrides or []
    if user is not None and item_id is not None:  # the first argument is then an override
        given, item_id = [item_id, *given], None
    if (user is None) == (item_id is None):
        raise typer.BadParameter("give either an ITEM_ID or --user ID")
    if (config is None) == (run is None):
        raise typer.BadParameter("give either --config FILE or --run RUN")
    if run is not None:
        config, given = run / "config.yaml", [raw_config.assignment("output", str(run)), *given]
    assert config is not None
    with console.notes(), console.StageBar() as bar:
        title, frame = stage.neighbours(config, given, item=item_id, user=user, report=bar, of_run=run is not None)
    console.frame_table(title, frame)
