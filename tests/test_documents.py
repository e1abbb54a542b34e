"""What the README and the notebook show works when it is typed in."""

import re
import shlex
from pathlib import Path

import nbformat
import numpy as np
import polars as pl
import pytest
from nbclient import NotebookClient

import recpair
from recpair.cli import main
from recpair.data import SOURCES
from recpair.denoising import DENOISERS
from recpair.errors import DataError
from recpair.evaluation import METRICS
from recpair.losses import LOSSES
from recpair.models import MODELS
from recpair.sampling import NEGATIVES
from recpair.semantics import ENCODERS
from recpair.terms import TERMS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.S | re.M)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the repository's configs, in which two epochs are enough."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("recpair.tracking.mlflow_tracker.MlflowTracker.start", lambda *args, **kwargs: None)
    return tmp_path


@pytest.fixture
def ml_100k():
    try:
        SOURCES["ml-100k"]()
    except DataError as reason:
        pytest.skip(str(reason))


def test_the_commands_of_the_readme_run(here, ml_100k, capsys):
    commands = [line.partition("   #")[0] for block in blocks("bash") for line in block.splitlines()]
    typed = [shlex.split(c)[1:] for c in commands if c.startswith("recpair ")]
    assert len(typed) >= 5
    for arguments in typed:
        if arguments[0] == "fit":
            arguments = [a for a in arguments if not a.startswith("train.epochs")] + ["train.epochs=2"]
        assert main(arguments) == 0, arguments
    assert pl.read_parquet("recs.parquet")["user_id"].n_unique() == 943


def test_the_python_of_the_readme_runs(here, ml_100k):
    generator = np.random.default_rng(0)
    frame = pl.DataFrame({name: generator.integers(20, size=600) for name in ("uid", "sku")})
    frame.with_columns(at=pl.arange(600)).write_csv("events.csv")
    library, notebook = blocks("python")
    exec(library.replace("train.epochs=30", "train.epochs=2"), {})
    small = '"train": {"epochs": 2}, "evaluate": {"cutoffs": [5], "monitor": "ndcg@5"}, "output"'
    exec(notebook.replace('"output"', small).replace("ndcg@10", "ndcg@5"), {})


def test_the_readme_names_what_there_is():
    for name in [*MODELS, *LOSSES, *DENOISERS, *NEGATIVES, *METRICS, *SOURCES, *ENCODERS, *TERMS]:
        assert f"`{name}`" in README, name


def test_the_links_of_the_readme_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target


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
    monkeypatch.setenv("RECPAIR_RUN", str(run.folder))
    shown = executed("quickstart.ipynb", tmp_path)
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert sum("Film" in str(output.get("data", {})) for output in shown) == 3


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
    shown = executed("sra_cl.ipynb", tmp_path)
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert "Return of the Jedi" in str([output.get("data", {}) for output in shown])
