"""Commands for configs."""

import typer

from recpair.cli.app import app

config_app = typer.Typer(help="Describe configs (recpair config schema).", no_args_is_help=True)
app.add_typer(config_app, name="config")


@config_app.callback()
def _group() -> None:
    """Describe configs."""


@config_app.command()
def schema() -> None:
    r"""Print the JSON Schema of configs, for completion and checks in an editor.

    Editors with a YAML language server read it if the first line of a config is

      # yaml-language-server: $schema=recpair.schema.json

    [bold]Example[/]

      recpair config schema > recpair.schema.json
    """
    import json

    from recpair.experiment.json_schema import json_schema

    print(json.dumps(json_schema(), indent=1, ensure_ascii=False))
