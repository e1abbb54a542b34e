"""Reference page of the command line, from the commands' own help."""

import re
from collections.abc import Iterator
from typing import Any

import typer
from rst import escaped, heading, literal, table

from recpair.cli import app as application

MARKUP = re.compile(r"\[/?(?:bold|italic|dim)?\]")
BOLD = re.compile(r"\[bold\](.*?)\[/(?:bold)?\]")


def pages() -> dict[str, str]:
    """Names and texts of the pages."""
    root = typer.main.get_command(application.app)
    text = "Every command accepts ``--debug``, which shows the traceback of an error, and ``--help``.\n\n"
    return {"reference/cli.rst": heading("Command line") + text + "".join(map(page, commands(root, "recpair")))}


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield all commands with their full names, in the order of the help."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, each in command.commands.items():
        if not each.hidden:
            yield from commands(each, f"{path} {name}")


def page(named: tuple[str, Any]) -> str:
    path, command = named
    rows = [row(each) for each in command.params if not getattr(each, "hidden", False) and each.name != "help"]
    options = table(("argument or option", "default", "meaning"), rows) if rows else ""
    return heading(path, 2) + help_text(command.help or "") + options


def row(parameter: Any) -> tuple[str, str, str]:
    if parameter.param_type_name == "option":
        name = ", ".join(map(literal, [*parameter.opts, *parameter.secondary_opts]))
    else:
        name = literal(parameter.metavar or parameter.name.upper())
    value = parameter.default
    shown = (
        "required" if parameter.required else "" if value in (None, False, ...) or callable(value) else literal(value)
    )
    return name, shown, escaped(MARKUP.sub("", getattr(parameter, "help", None) or ""))


def help_text(text: str) -> str:
    """The help of a command: paragraphs, and indented examples as literal blocks."""
    parts: list[str] = []
    examples: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip().replace("\b", "")):
        if block.startswith("  "):
            examples += [f"   {line.strip()}" for line in block.splitlines()]
            continue
        parts += literal_block(examples)
        examples = []
        parts.append(BOLD.sub(r"**\1**", escaped(block.replace("\\[", "["))))
    return "\n\n".join([*parts, *literal_block(examples)]) + "\n\n"


def literal_block(lines: list[str]) -> list[str]:
    return [".. code-block:: text\n\n" + "\n".join(lines)] if lines else []
