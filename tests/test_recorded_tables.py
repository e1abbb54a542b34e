"""Published tables of the studies follow from their recorded cells, and the configs of the studies are valid."""

import runpy
import shutil
import sys
from pathlib import Path

import pytest

from recpair.tuning.study import arms_of, settings_of

ROOT = Path(__file__).parent.parent
STUDIES = sorted((ROOT / "benchmarks").glob("*/*.yaml"))


@pytest.mark.parametrize("name", ["denoising", "sra_cl"])
def test_tables_follow_from_the_recorded_cells(name, tmp_path, monkeypatch):
    results = ROOT / "benchmarks" / name / "results"
    for path in results.glob("*.jsonl"):
        shutil.copy(path, tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setattr(sys, "argv", ["tables", str(tmp_path)])
    runpy.run_module(f"benchmarks.{name}.tables", run_name="__main__")
    assert (tmp_path / "tables.md").read_text() == (results / "tables.md").read_text()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_configs_of_studies_are_valid(path):
    settings = settings_of(path, [], {})
    arms = arms_of(path, [], settings)
    assert len(arms) == len(settings["methods"]) * len(settings["noise"])
    assert {arm.plan.trials for arm in arms} <= {settings["trials"], 1}
