"""Pages of the site: which documents of the repository are in it, in which order, and their index pages."""

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from rst import escaped, heading, table, toctree

COPIED = ("docs/*", "docs/site/pages/**/*", "benchmarks/**/*.md", "benchmarks/**/*.png", "benchmarks/**/*.svg")
COPIED += ("notebooks/*.ipynb", "configs/**/*.yaml", "data/*/README.md", "CHANGELOG.md", "LICENSE")
GUIDES = {
    "Start": ("install", "quickstart", "tour"),
    "Data": ("data", "evaluation"),
    "Methods": ("models", "losses", "denoising", "contrast", "components"),
    "Training": ("configs", "tuning", "distributed", "runs", "retraining"),
    "Serving": ("serving", "browse", "new-items", "export"),
    "Extending": ("extend", "stability"),
}
TARGETS = {  # of links in docs/, to a folder or the README of the repository: a page of the site
    "../configs": "../configs/index.rst",
    "../data": "../data/index.rst",
    "../README.md": "../index.md",
}
TITLE = re.compile(r"^# (.+)$", re.M)
SKIPPED = re.compile(r"```|[|#<!:-]|`[^`]*`$|Measured on |`python ")  # paragraphs that do not describe a page


def copy(root: Path, source: Path) -> None:
    """Copy the documents with their relative paths; the pages of the site itself come to the top."""
    own = root / "docs" / "site" / "pages"
    for pattern in COPIED:
        for path in root.glob(pattern):
            if path.is_file():
                target = source / (path.relative_to(own) if own in path.parents else path.relative_to(root))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    for page in source.glob("docs/*.md"):
        page.write_text(rewritten(page.read_text(encoding="utf-8"), TARGETS), encoding="utf-8")
    for page in source.glob("benchmarks/**/*.md"):
        page.write_text(rewritten(page.read_text(encoding="utf-8"), {}), encoding="utf-8")


def rewritten(text: str, targets: Mapping[str, str]) -> str:
    """The text of a page with other targets of links; links to code, which the site does not have, become code."""
    for before, after in targets.items():
        text = re.sub(rf"\]\({re.escape(before)}(?:#[\w-]*)?\)", f"]({after})", text)
    return re.sub(r"\[`?([^]`]+)`?\]\([^)]+\.py\)", r"`\1`", text)


def pages(source: Path) -> dict[str, str]:
    """Names and texts of the index pages."""
    return {
        "docs/index.rst": guides(source),
        "notebooks/index.rst": listed(source, "Notebooks", NOTEBOOKS, ("notebooks/*.ipynb",)),
        "benchmarks/index.rst": listed(source, "Benchmarks", BENCHMARKS, ("benchmarks/**/*.md",)),
        "reference/index.rst": REFERENCE,
        "configs/index.rst": configs(source),
        "data/index.rst": listed(source, "Public data sets", DATA, ("data/*/README.md",)),
    }


def guides(source: Path) -> str:
    """Table of the guides, in the order of ``GUIDES``; further pages follow at the end."""
    there = {path.stem for path in source.glob("docs/*.md")}
    named = {name for names in GUIDES.values() for name in names}
    groups = {caption: [name for name in names if name in there] for caption, names in GUIDES.items()}
    if rest := sorted(there - named):
        groups["Further guides"] = rest
    parts = [heading("User guide")]
    for caption, names in groups.items():
        rows = [(f":doc:`{name}`", first_sentence(source / f"docs/{name}.md")) for name in names]
        if rows:
            parts += [
                heading(caption, 2),
                table(("guide", "content"), rows, "25 75"),
                toctree(names, caption, hidden=True),
            ]
    return "".join(parts)


def listed(source: Path, title: str, text: str, patterns: Iterable[str]) -> str:
    """Page with a table of all documents that match the patterns."""
    paths = sorted({path for pattern in patterns for path in source.glob(pattern)})
    names = [f"/{path.relative_to(source).with_suffix('')}" for path in paths]
    rows = [(f":doc:`{name}`", first_sentence(path)) for name, path in zip(names, paths, strict=True)]
    return heading(title) + text + table(("page", "content"), rows, "35 65") + toctree(names, hidden=True)


def configs(source: Path) -> str:
    """All configs that ship with the package, by data set."""
    parts = [heading("Shipped configs"), CONFIGS]
    for path in sorted(source.glob("configs/*/*.yaml")):
        name = path.relative_to(source / "configs").as_posix()
        parts.append(heading(name, 2) + f".. literalinclude:: {name}\n   :language: yaml\n\n")
    return "".join(parts)


def first_sentence(page: Path) -> str:
    """First sentence below the title of a Markdown page or a notebook, without markup."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        import nbformat

        text = nbformat.reads(text, as_version=4).cells[0].source
    body = TITLE.split(text, maxsplit=1)[-1].strip()
    paragraph = next((part for part in re.split(r"\n\s*\n", body) if not SKIPPED.match(part)), "")
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(paragraph.split())).replace("`", "").replace("*", "")
    found = re.match(r".*?[.!?](?=\s|$)", plain)
    return escaped(found[0] if found else plain)


NOTEBOOKS = "Shown with the outputs of their last execution; the tests execute all of them.\n\n"
BENCHMARKS = "Measured results, each with the command that reproduces it. The tables are files of the repository.\n\n"
DATA = "Sources, licences, citations and columns of the public data sets.\n\n"
CONFIGS = (
    "Found by name from any folder: ``recpair fit --config ml-100k/mf-bpr.yaml``. Options that a config does not name have "
    "their default, see :doc:`/reference/config/index`.\n\n"
)
REFERENCE = heading("Reference") + toctree(
    ("config/index", "cli", "api", "contracts", "legends", "/configs/index", "/data/index"), depth=2
)
