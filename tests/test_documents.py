"""The README, the pages of docs/ and the notebooks: their examples run, their links and tables are correct."""

import contextlib
import importlib
import io
import json
import re
import shlex
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import nbformat
import numpy as np
import polars as pl
import pytest
import yaml
from nbclient import NotebookClient

import recpair
from recpair import plugins
from recpair.cli import main
from recpair.comparison import COMPARISONS
from recpair.data import SOURCES, SPLITS
from recpair.denoising import DENOISERS
from recpair.diagnostics import DIAGNOSTICS
from recpair.errors import DataError
from recpair.evaluation import METRICS
from recpair.evaluation.legend import LEGEND
from recpair.experiment.loading import load_config
from recpair.experiment.schema import SCHEMA
from recpair.losses import LOSSES
from recpair.mining import MINERS
from recpair.models import MODELS
from recpair.plugins import SLOTS
from recpair.sampling import NEGATIVES, SAMPLERS
from recpair.semantics import ENCODERS
from recpair.step import SUPPLIES
from recpair.terms import TERMS
from recpair.tracking.server import load_served

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMPONENTS = [MODELS, LOSSES, DENOISERS, TERMS, MINERS, SAMPLERS, NEGATIVES, ENCODERS, METRICS, SPLITS, SOURCES]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)
FILE = re.compile(r"# ([\w./-]+\.(?:py|yaml))\n")  # first line of a block that is the content of a file
EPOCHS = re.compile(r"(epochs\"?\s*[:=]\s*)\d{2,}")
NOT_RUN = (
    "pip ",
    "make ",
    "torchrun ",
    "mlflow ",
    "export ",
    "recpair data fetch",
    "recpair track",
    "recpair browse",
)  # install, GPUs, network, servers


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def shortened(text: str) -> str:
    """Two epochs are enough for an example to run."""
    return EPOCHS.sub(r"\g<1>2", text)


class Reader:
    """Runs the blocks of a page in order, as a reader would, in the current directory.

    Python blocks share a namespace; blocks that begin with the name of a file are written to it. Each command has the
    components of a new process. In console blocks, lines after ``$ command`` are expected in its output.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.namespace: dict[str, object] = {"__name__": "__main__"}
        self.modules: list[str] = []
        self.served = None
        self.registries = [slot.components() for slot in SLOTS.values()] + [DIAGNOSTICS, COMPARISONS]
        self.before = [dict(registry) for registry in self.registries]

    def read(self, page: Path) -> int:
        """Run all blocks of a page; return their number."""
        found = BLOCK.findall(text_of(page))
        for language, text in found:
            assert language in ("python", "bash", "console", "yaml", "toml", "text"), f"{page.name}: ```{language}"
            if language != "text":
                getattr(self, language)(shortened(text))
        for module in self.modules:
            importlib.import_module(module)
        return len(found)

    def python(self, text: str) -> None:
        if named := FILE.match(text):
            Path(named[1]).write_text(text)
            self.modules.append(named[1].removesuffix(".py"))
        else:
            exec(compile(text, text.splitlines()[0], "exec"), self.namespace)

    def yaml(self, text: str) -> None:
        if named := FILE.match(text):
            Path(named[1]).write_text(text)
        load_config(yaml.safe_load(text))

    def toml(self, text: str) -> None:
        groups = tomllib.loads(text)["project"]["entry-points"]
        assert set(groups) <= {slot.group for slot in SLOTS.values()}
        entries = [metadata.EntryPoint(*pair, group) for group, pairs in groups.items() for pair in pairs.items()]
        self.monkeypatch.setattr(plugins, "_entry_points", lambda: metadata.EntryPoints(entries))

    def bash(self, text: str) -> None:
        for line in re.sub(r"(-d ')\n\s*", r"\1", text.replace("\\\n", " ")).splitlines():
            command = line.partition("   #")[0]
            if not command.startswith(NOT_RUN):
                self.run(command)

    def console(self, text: str) -> None:
        for session in re.split(r"^\$ ", text, flags=re.M)[1:]:
            command, _, expected = session.partition("\n")
            output = self.run(command, 2 if expected.startswith("error:") else 0)
            for line in filter(None, expected.splitlines()):
                assert " ".join(line.split()) in " ".join(output.split()), f"{command} does not print: {line}\n{output}"

    def run(self, command: str, expected: int = 0) -> str:
        """Run a command as in a new process; return what it prints."""
        self.forget()
        program, *arguments = shlex.split(command)
        if program == "curl":
            return self.curl(arguments)
        if arguments[:1] == ["serve"]:
            self.served = load_served(recpair.load(arguments[1]))
            return ""
        assert program == "recpair", f"{command}: add it to NOT_RUN if it cannot run in a test"
        target = arguments.pop() if arguments[-2:-1] == [">"] else None
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
            code = main([argument for argument in arguments if argument != ">"])
        assert code == expected, f"{command} ends with {code}:\n{out.getvalue()}"
        if target is not None:
            Path(target).write_text(out.getvalue())
        return out.getvalue()

    def curl(self, arguments: list[str]) -> str:
        """Send a request to the run that ``recpair serve`` has opened, without a server; return the answer."""
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc.scoring_server import invocations

        body = arguments[arguments.index("-d") + 1]
        try:
            found = invocations(body, "application/json", self.served, self.served.metadata.get_input_schema())
        except MlflowException as error:
            return error.serialize_as_json()
        assert len(json.loads(found.response)["predictions"]) == 2
        return found.response

    def forget(self) -> None:
        """Remove components and modules from outside the package."""
        for registry, before in zip(self.registries, self.before, strict=True):
            registry.clear()
            registry.update(before)
        for module in self.modules:
            sys.modules.pop(module, None)


@pytest.fixture
def here(tmp_path, monkeypatch, request):
    """A folder with the data of the examples and the shipped configs, in which two epochs are enough."""
    for config in (ROOT / "configs").glob("*/*.yaml"):
        copied = tmp_path / config.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_text(shortened(config.read_text()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("recpair.shipped.PACKAGE", tmp_path)
    if "page" in request.fixturenames and request.getfixturevalue("page").name in ("serving.md", "tour.md"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")  # mlflow's code, too
    else:
        monkeypatch.setattr("recpair.tracking.mlflow_tracker.MlflowTracker.start", lambda *args, **kwargs: None)
    generator, n = np.random.default_rng(0), 900
    user, item, rating = (generator.integers(low, high, size=n) for low, high in ((0, 60), (0, 40), (1, 6)))
    time = 1_400_000_000 + 3600 * np.arange(n)
    pl.DataFrame({"user_id": user, "item_id": item, "rating": rating, "timestamp": time}).write_csv("events.csv")
    pl.DataFrame({"uid": user, "sku": item, "quantity": rating, "at": time}).write_csv("purchases.csv")
    pl.DataFrame({"user_id": [3, 22, 999]}).write_csv("users.csv")
    items = {"item_id": range(40), "title": [f"Film {i}" for i in range(40)], "year": range(1960, 2000)}
    pl.DataFrame(items | {"genres": ["Comedy", "Drama"] * 20}).write_csv("items.csv")
    return tmp_path


@pytest.fixture
def reader(here, monkeypatch):
    reader = Reader(monkeypatch)
    yield reader
    reader.forget()


@pytest.fixture
def ml_100k():
    try:
        SOURCES["ml-100k"]()
    except DataError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_run(page, reader, request):
    examples = "".join(text for language, text in BLOCK.findall(text_of(page)) if language != "yaml")
    if "ml-100k" in examples:
        request.getfixturevalue("ml_100k")
    if "recpair embed" in examples:
        pytest.importorskip("wordllama")
    assert reader.read(page) >= 3


def test_every_component_has_a_row():
    table = set(re.findall(r"^\| `([\w-]+)` \|", text_of(ROOT / "docs/components.md"), re.M))
    table |= set(re.findall(r"^\| `([\w-]+)`", text_of(ROOT / "docs/data.md"), re.M))
    missing = [name for registry in COMPONENTS for name in registry if name not in table]
    assert not missing, f"add a row to a table of docs/components.md or docs/data.md for {', '.join(missing)}"
    assert "own" in table


def table_after(page: Path, marker: str) -> list[str]:
    """Rows of the first table after a marker, without its header."""
    rest = text_of(page).partition(marker)[2]
    rows = re.search(r"^\|.*?(?=^(?!\|))", rest + "\n", re.S | re.M)
    assert rows, f"{page.name} has no table after {marker}"
    return rows.group().splitlines()[2:]


def row(*cells: str) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def test_the_table_of_supplied_names_is_complete():
    expected = [
        row(f"`{name}`", each.shape, each.meaning, each.needs or "", "constructor" if each.building else "step")
        for name, each in SUPPLIES.items()
    ]
    found = table_after(ROOT / "docs/extend.md", "recpair.step.SUPPLIES")
    assert found == expected, "replace the table of docs/extend.md by\n" + "\n".join(expected)


def test_the_table_of_the_values_of_metrics_is_complete():
    expected = [row(f"`{name}`", each.shape, each.meaning, each.requires) for name, each in LEGEND.items()]
    found = table_after(ROOT / "docs/extend.md", "recpair.evaluation.legend.LEGEND")
    assert found == expected, "replace the table of docs/extend.md by\n" + "\n".join(expected)


def test_the_tables_of_sections_are_complete():
    sections = table_after(ROOT / "docs/configs.md", "## Sections")
    assert {line.split("`")[1] for line in sections} == set(SCHEMA)
    groups = table_after(ROOT / "docs/extend.md", "## Sections and groups")
    assert {(line.split("`")[1], line.split("`")[-2]) for line in groups} == {(k, s.group) for k, s in SLOTS.items()}


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", text_of(page)), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", text_of(page))):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name}: {target}"
        assert linked.is_relative_to(ROOT), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name}: {target}"


def executed(name: str, folder: Path) -> list:
    """The outputs of a notebook's cells, after running it in ``folder``."""
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=300, startup_timeout=300, kernel_name="python3", resources=resources)
    client.execute()
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


@pytest.mark.filterwarnings("default")  # the kernel's own
def test_the_quickstart_notebook_runs(tmp_path, checkerboard, quick, monkeypatch):
    items = pl.DataFrame({"item_id": range(40), "title": [f"Film {i}" for i in range(40)]})
    run = recpair.fit(quick, data=checkerboard, items=items)
    checkerboard.write_csv(tmp_path / "events.csv")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(quick | {"data": {"path": str(tmp_path / "events.csv")}}))
    monkeypatch.setenv("RECPAIR_RUN", str(run.folder))
    monkeypatch.setenv("RECPAIR_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.setenv("RECPAIR_RUNS", str(tmp_path))
    shown = executed("quickstart.ipynb", tmp_path)
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert sum("Film" in str(output.get("data", {})) for output in shown) == 3
    assert "margin_bpr" in str(shown[-1].get("data", {}))


@pytest.mark.filterwarnings("default")
def test_the_denoising_notebook_runs(tmp_path, ml_100k, monkeypatch):
    monkeypatch.setenv("RECPAIR_RUNS", str(tmp_path))
    monkeypatch.setenv("RECPAIR_EPOCHS", "8")
    shown = executed("denoising.ipynb", tmp_path)
    assert sum("image/png" in output.get("data", {}) for output in shown) == 2
    assert "explanation" in str(shown[-1].get("data", {}))


@pytest.mark.filterwarnings("default")
def test_the_sra_cl_notebook_runs(tmp_path, ml_100k, monkeypatch):
    pytest.importorskip("wordllama")
    monkeypatch.setenv("RECPAIR_RUNS", str(tmp_path))
    monkeypatch.setenv("RECPAIR_CONFIG", str(ROOT / "configs" / "ml-100k" / "sasrec-sra-cl.yaml"))
    monkeypatch.setenv("RECPAIR_EPOCHS", "1")
    monkeypatch.setenv("RECPAIR_OVERRIDES", "filter.min_rating=5 model.history_length=10 model.embedding_dim=16")
    shown = executed("sra_cl.ipynb", tmp_path)
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert "Return of the Jedi" in str([output.get("data", {}) for output in shown])
