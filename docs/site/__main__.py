"""Build the documentation site: ``python docs/site [OUTPUT]``, by default ``build/docs/html``.

The pages are plain Markdown in the repository. They are copied to a temporary folder with the same relative paths, so
that links between them work on GitHub and in the site, and the reference pages are generated there from signatures and
docstrings. Warnings are errors.

Notebooks are shown with their committed outputs. NOTEBOOKS=force executes them, which needs the run of ``make fit``.
"""

import os
import sys
import tempfile
from pathlib import Path

from sphinx.cmd.build import build_main

SITE = Path(__file__).parent
ROOT = SITE.parent.parent


def main(arguments: list[str]) -> int:
    """Build the site; return the exit code."""
    output = Path(arguments[0] if arguments else ROOT / "build" / "docs" / "html").resolve()
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")  # as the next version of Jupyter does; otherwise it warns
    os.environ.setdefault("RECPAIR_RUN", str(ROOT / "runs" / "ml-100k-mf-bpr-pld"))
    os.environ.setdefault("RECPAIR_RUNS", str(ROOT / "runs"))
    sys.path[:0] = [str(SITE), str(ROOT)]
    with tempfile.TemporaryDirectory(prefix="recpair-docs-") as folder:
        source, doctrees = Path(folder, "source"), Path(folder, "doctrees")
        write(source)
        options = ["-W", "--keep-going", "-q", "-b", "html", "-c", str(SITE), "-d", str(doctrees)]
        return build_main([*options, str(source), str(output)])


def write(source: Path) -> None:
    """Write all documents of the site to a folder."""
    import api
    import commands
    import contents
    import legends
    import reference

    contents.copy(ROOT, source)
    for pages in (contents.pages(source), reference.pages(), legends.pages(), api.pages(), commands.pages()):
        for name, text in pages.items():
            page = source / name
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
