"""Command that checks the installation."""

from recpair.cli.app import app


@app.command()
def doctor() -> None:
    """Print versions, devices, thread settings, and the missing packages of optional features."""
    from recpair.cli import checks, console

    for title, rows in checks.findings().items():
        console.pair_table(title, rows)
