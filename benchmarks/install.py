"""Installed size of recpair's dependencies, and the share of recbole and mlflow.

    python benchmarks/install.py

A package counts towards a root (recbole, mlflow) if recpair does not need it without that root. Sizes are those of the
files listed in the RECORD of each distribution (including existing .pyc files), in MB of 10^6 bytes.
"""

import argparse
import importlib.metadata as metadata
import re
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from table import page

ROOTS = ("recbole", "mlflow", "torch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "install.md")
    arguments = parser.parse_args()
    whole = closure("recpair")
    lines = ["| | packages | MB |", "|---|---:|---:|", row("recpair with all dependencies", whole)]
    parts = {root: whole - closure("recpair", without=root) for root in ROOTS}
    lines += [row(f"needed only through {root}", parts[root]) for root in ROOTS]
    either = whole - closure("recpair", without="recbole", also="mlflow")
    lines += [row("needed only through recbole or mlflow (pandas and scikit-learn are shared)", either)]
    lines += ["", "Largest packages of each, in MB:", ""]
    for root in ROOTS:
        largest = sorted(parts[root], key=size, reverse=True)[:8]
        lines += [f"- {root}: {', '.join(f'{name} {size(name):.0f}' for name in largest)}"]
    lines += ["", *SKINNY]
    page(arguments.out, "Size of an installation", "python benchmarks/install.py", lines)


SKINNY = """recbole is installed on Python 3.11 only; it brings MovieLens-100K and the `recbole/…` models, and most of its
size is ray, plotly and tensorboard, which recpair never imports. `pip install --no-deps recpair` with the other dependencies
leaves recbole out; `recpair doctor` then lists what is missing.

mlflow-skinny 3.17.2 instead of mlflow (tried in an empty environment): a tracking server (`tracking.uri: http://…`) works;
the default store, `sqlite:///mlflow.db`, works once sqlalchemy and alembic are installed too (174 MB in all with everything
they need, pip included); `mlflow ui` and the deprecated `file:` store do not work without the full package.""".splitlines()


def closure(name: str, without: str | None = None, also: str | None = None) -> set[str]:
    """Names of the distributions that a distribution needs, itself included."""
    found: set[str] = set()
    left = [name]
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in found or name in (without, also) or not installed(name):
            continue
        found.add(name)
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({**default_environment(), "extra": ""}):
                left.append(requirement.name)
    return found


def installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def size(name: str) -> float:
    """MB of the files of a distribution that exist."""
    paths = [Path(str(file.locate())) for file in metadata.files(name) or []]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def row(label: str, names: set[str]) -> str:
    return f"| {label} | {len(names)} | {sum(map(size, names)):,.0f} |"


if __name__ == "__main__":
    main()
