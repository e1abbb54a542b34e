"""The wheel and the source distribution: their content, and the installed package outside of the repository."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import polars as pl
import pytest

import recpair

ROOT = Path(__file__).parent.parent
NOT_SHIPPED = {".pyc", ".nbi", ".nbc"}  # what Python and numba write beside the sources
INTERPRETED = {"NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "ignore"}  # compiling takes longer than the tiny fit


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command without the repository on its path; return what it prints."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=kept | environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command} ends with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def built(root: Path, out: Path, *targets: str) -> None:
    """Build without network: with the hatchling of this environment."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed; pip install 'recpair[dev]'")
    chosen = [argument for target in targets for argument in ("-t", target)]
    path = os.environ.get("PYTHONPATH", "")
    run(sys.executable, "-m", "hatchling", "build", "-d", out, *chosen, cwd=root, PYTHONPATH=path)


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """Folder with the wheel and the source distribution of the working tree."""
    out = tmp_path_factory.mktemp("dist")
    built(ROOT, out, "wheel", "sdist")
    return out


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def test_the_version_has_one_value():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == recpair.__version__
    assert f"\n## {recpair.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_wheel_holds_the_package_and_the_configs_only(dist):
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "recpair").rglob("*")
        if path.is_file() and path.suffix not in NOT_SHIPPED
    }
    configs = {f"recpair/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "configs").rglob("*.yaml")}
    assert names_in(only(dist, "*.whl")) == files | configs
    assert "recpair/py.typed" in files


def test_the_source_distribution_builds_the_same_wheel(dist, tmp_path):
    with tarfile.open(only(dist, "*.tar.gz")) as archive:
        names = {Path(name).relative_to(Path(name).parts[0]) for name in archive.getnames()}
        archive.extractall(tmp_path, filter="data")
    folders = {name.parts[0] for name in names}
    assert {"tests", "docs", "benchmarks", "LICENSE", "CHANGELOG.md", "Makefile", "constraints.txt"} <= folders
    assert {name.name for name in names if name.parts[0] == "data"} == {"README.md"}  # no data set
    built(only(tmp_path, "recpair-*"), tmp_path / "again", "wheel")
    assert names_in(only(tmp_path / "again", "*.whl")) == names_in(only(dist, "*.whl"))


@pytest.fixture
def installed(dist, tmp_path):
    """Console script of the wheel, installed beside the dependencies of this environment."""
    pytest.importorskip("pip")
    home = tmp_path / "environment"
    venv.create(home, symlinks=True)
    places = {"base": str(home), "platbase": str(home)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=places))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    scripts = Path(sysconfig.get_path("scripts", "venv", vars=places))
    interpreter = next(scripts.glob("python*"))
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--no-compile"]
    wheel = only(dist, "*.whl")
    run(sys.executable, "-m", "pip", "--python", interpreter, "install", *options, wheel, cwd=tmp_path)
    assert (site / "recpair" / "py.typed").is_file()
    return next(scripts.glob("recpair*"))


def test_the_installed_wheel_fits_outside_of_the_repository(installed, tmp_path, checkerboard):
    here = tmp_path / "elsewhere"
    here.mkdir()
    checkerboard.select("user_id", "item_id", "split").write_csv(here / "events.csv")
    assert recpair.__version__ in run(installed, "--version", cwd=here)
    assert "fit" in run(installed, "--help", cwd=here)
    assert '"denoise"' in run(installed, "config", "schema", cwd=here)
    own = ["data.source=null", "data.path=events.csv", "evaluate.cutoffs=[5]", "tracking=null", "output=run"]
    run(installed, "fit", "--config", "gowalla/ease.yaml", *own, cwd=here, **INTERPRETED)
    run(installed, "recommend", "run", "--all", "--k", "3", "--out", "recs.csv", cwd=here, **INTERPRETED)
    assert len(pl.read_csv(here / "recs.csv")) == 3 * 40
