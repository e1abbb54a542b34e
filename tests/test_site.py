"""The documentation site: built once, offline, with warnings as errors."""

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

import recpair
from recpair.experiment.schema import SCHEMA, SEARCH
from recpair.registry import options
from recpair.step import SUPPLIES

ROOT = Path(__file__).parent.parent
RESOURCE = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\"([^\"]*)\"")
CONTACT = re.compile(r"(?:@import|url\()\s*['\"]?(?:https?:)?//")

for package in ("sphinx", "myst_nb", "pydata_sphinx_theme"):
    pytest.importorskip(package, reason="not installed; pip install 'recpair[docs]'")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder of the site, built once for all processes of pytest-xdist."""
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    out = folder / "site"
    with FileLock(folder / "site.lock"):
        if not (out / "searchindex.js").is_file():  # written last
            build(out)
    return out


def build(out: Path) -> None:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "NOTEBOOKS": "off"}
    command = [sys.executable, "docs/site", str(out)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def text_of(page: Path) -> str:
    """Visible text of a page."""
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_every_document_has_a_page(site):
    documents = [*ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("benchmarks/**/*.md")]
    documents.append(ROOT / "CHANGELOG.md")
    missing = [path for path in documents if not (site / path.relative_to(ROOT)).with_suffix(".html").is_file()]
    assert not missing


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = RESOURCE.findall(page.read_text(encoding="utf-8"))
        assert not [address for address in loaded if re.match(r"(?:https?:)?//", address)], page
    for sheet in site.rglob("*.css"):
        assert not CONTACT.search(sheet.read_text(encoding="utf-8")), sheet


def test_the_reference_lists_every_option_of_every_component(site):
    for name, spec in (SCHEMA | SEARCH).items():
        page = site / f"reference/config/{name}.html"
        text = text_of(page)
        found = {function: options(function) for function in spec.functions}
        for component, each in (spec.choices or {}).items():
            assert f'<section id="{component.replace("_", "-")}"' in page.read_text(encoding="utf-8"), (name, component)
            found[component] = options(each)
        missing = [option for each in found.values() for option in each if not re.search(rf"^{option}$", text, re.M)]
        assert not missing, (name, missing)
    legends = text_of(site / "reference/legends.html")
    assert not [name for name in SUPPLIES if not re.search(rf"^{name}$", legends, re.M)]


def test_a_bound_a_default_and_a_meaning_are_in_one_row(site):
    rows = re.findall(r"<tr.*?</tr>", (site / "reference/config/terms.html").read_text(encoding="utf-8"), re.S)
    (gamma,) = [row for row in rows if ">gamma<" in row]
    cells = [" ".join(re.sub(r"<[^>]+>", "", cell).split()) for cell in re.findall(r"<td.*?</td>", gamma, re.S)]
    meaning = "weight of the uniformity, relative to the alignment; 0.2 to 10 in the paper."
    assert cells == ["gamma", "number ≥ 0", "1.0", meaning]


def test_the_public_names_and_commands_are_described(site):
    api = (site / "reference/api.html").read_text(encoding="utf-8")
    assert not [name for name in recpair.__all__ if f'id="recpair.{name}"' not in api]
    commands = (site / "reference/cli.html").read_text(encoding="utf-8")
    assert not [
        verb for verb in ("fit", "recommend", "data-describe", "doctor") if f'id="recpair-{verb}"' not in commands
    ]


@pytest.mark.parametrize("name", sorted(path.stem for path in ROOT.glob("notebooks/*.ipynb")))
def test_the_outputs_of_one_execution_of_a_notebook_are_shown(name, site):
    cells = json.loads((ROOT / f"notebooks/{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert "error" not in {output["output_type"] for output in outputs}
    page = (site / f"notebooks/{name}.html").read_text(encoding="utf-8")
    assert page.count("cell_output") >= sum(bool(cell["outputs"]) for cell in code) >= 5
