"""The output folder: what counts as a run, what may be moved, and that a run is loadable at every moment."""

import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
import torch
import yaml

import recpair
from recpair import files
from recpair.errors import ConfigError, RunError
from recpair.experiment.loading import load_config
from recpair.experiment.seeds import fit_seeds
from recpair.run.manifest import Manifest, rewrite
from recpair.run.output import Output, State, state_of


@pytest.fixture
def fitted(checkerboard, quick):
    """Fit the quick config, one epoch, with overrides."""

    def fit(*overrides, **options):
        return recpair.fit(quick, ["train.epochs=1", *overrides], data=options.pop("data", checkerboard), **options)

    return fit


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_users_own_folder_is_refused_and_left_alone(fitted, tmp_path):
    own = tmp_path / "mine"
    own.mkdir()
    for name in ("config.yaml", "events.csv", "manifest.json"):  # a manifest of another program
        (own / name).write_text('{"files": []}')
    before = {path.name: path.read_bytes() for path in own.iterdir()}
    assert state_of(own) is State.FOREIGN
    with pytest.raises(RunError, match="mine exists and is not a run folder"):
        fitted(f"output={own}")
    with pytest.raises(RunError, match="mine exists and is not a run folder"):
        fitted(f"output={own}", resume=True)
    assert {path.name: path.read_bytes() for path in own.iterdir()} == before
    assert names(tmp_path) == ["mine"]


@pytest.mark.parametrize("name", ["run.partial", "run.1", "run.unfinished"])
def test_folders_of_other_kinds_in_the_places_of_runs_are_left_alone(fitted, tmp_path, name):
    first = fitted()
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("years of work")
    if name == "run.unfinished":  # only matters where an unfinished run is moved there
        manifest = Manifest.read(first.folder)
        Manifest(manifest.data).write(first.folder)
    with pytest.raises(RunError, match=f"{name} exists and is not a run folder"):
        fitted("train.seed=2")
    assert (tmp_path / name / "thesis.txt").read_text() == "years of work"
    assert names(tmp_path) == ["run", name]


def test_without_places_nothing_is_kept(fitted, tmp_path):
    fitted()
    fitted("train.seed=2", "output_keep=0")
    assert names(tmp_path) == ["run"]
    assert recpair.load(tmp_path / "run").config["train"]["seed"] == 2


@pytest.mark.parametrize("value", [-1, True, "two", 1.5])
def test_how_many_runs_are_kept_is_a_number(quick, value):
    with pytest.raises(ConfigError, match="output_keep"):
        load_config(quick | {"output_keep": value})


def test_an_unfinished_run_that_is_not_resumed_is_kept_aside(fitted, tmp_path, caplog):
    first = fitted("train.checkpoint_every=1")
    Manifest(Manifest.read(first.folder).data).write(first.folder)  # as if it had been interrupted
    with pytest.raises(RunError, match="did not finish"):
        recpair.load(first.folder)
    with caplog.at_level("INFO", "recpair"):
        fitted("train.seed=2")
    assert "run.unfinished; --resume would have continued it" in caplog.text
    assert names(tmp_path) == ["run", "run.unfinished"]
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run.unfinished").rename(tmp_path / "run")
    assert fitted("train.checkpoint_every=1", resume=True).metrics["test"] == first.metrics["test"]


def test_a_run_of_an_earlier_version_has_no_checksums(fitted, caplog):
    run = fitted()
    (run.folder / "manifest.json").unlink()
    with caplog.at_level("INFO", "recpair"):
        again = recpair.load(run.folder)
    assert "earlier version: it has no checksums" in caplog.text
    assert again.recommend(k=3).equals(run.recommend(k=3))
    fitted("train.seed=2")
    assert recpair.load(run.folder.with_name("run.1")).config["train"]["seed"] == 1


def test_every_flipped_bit_of_a_file_is_noticed(fitted, checkerboard):

    def use(folder, name):
        opened = recpair.load(folder)
        _ = opened.history, opened.per_user, opened.audit()
        if name == "last.safetensors":
            fitted("train.epochs=3", resume=True)
        if name == "manifest.json":  # a flip changes a checksum, the state, the syntax, or the fingerprint of the data
            fitted(resume=True)

    run = fitted("train.checkpoint_every=1")
    for path in sorted(path for path in run.folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for place in {0, len(content) // 3, len(content) // 2, len(content) - 2}:
            changed = bytearray(content)
            changed[place] ^= 0x10
            path.write_bytes(bytes(changed))
            name = path.name
            if name in ("curves.png", "audit.png", "SUMMARY.md", "environment.json"):
                continue  # for people: nothing reads them back
            with pytest.raises(recpair.RecpairError):
                use(run.folder, name)
        path.write_bytes(content)
        shutil.rmtree(run.folder.with_name("run.partial"), ignore_errors=True)
    assert recpair.load(run.folder).recommend(k=3).equals(run.recommend(k=3))


def test_a_resumed_run_has_the_same_data(fitted, checkerboard):
    fitted()
    other = checkerboard.with_columns(item_id=39 - pl.col("item_id"))
    with pytest.raises(RunError, match=r"the data has changed since .*run was started"):
        fitted(data=other, resume=True)
    exchanged = checkerboard.with_columns(pl.col("split").replace({"test": "valid", "valid": "test"}))
    with pytest.raises(RunError, match="the data has changed"):
        fitted(data=exchanged, resume=True)


def test_a_second_fit_waits_for_nobody(fitted, quick):
    with (
        files.locked(Path(quick["output"]), "held"),
        pytest.raises(RunError, match="run is in use by another fit; wait until it ends or choose another output"),
    ):
        fitted()
    assert fitted().folder.is_dir()
    assert not list(Path(quick["output"]).parent.glob(".*"))


def test_a_lock_is_waited_for(tmp_path):
    order = []

    def work(name):
        with files.locked(tmp_path / "shared"):
            order.extend([name, name])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    assert sorted(order) == sorted([*range(8), *range(8)])
    assert all(order[i] == order[i + 1] for i in range(0, 16, 2))


def test_the_path_can_be_loaded_through_200_exchanges(fitted, tmp_path):
    """A nightly retrain puts one run after the other in the place that a service loads from."""
    runs = [fitted(f"train.seed={seed}", f"output={tmp_path / f'made-{seed}'}").folder for seed in (1, 2)]
    expected = {recpair.load(run).model.item_embedding.weight.sum().item() for run in runs}
    final, stop, found = tmp_path / "live", threading.Event(), []
    shutil.copytree(runs[0], final)

    def exchange():
        for number in range(200):
            output = Output(final, keep=number % 3)
            output.plan(resume=False)
            shutil.copytree(runs[number % 2], output.work)
            manifest = Manifest.read(output.work)
            Manifest(manifest.data, Manifest.read(final).id).write(output.work)
            output.complete()
        stop.set()

    thread = threading.Thread(target=exchange)
    thread.start()
    while not stop.is_set():
        found.append(recpair.load(final).model.item_embedding.weight.sum().item())
    thread.join()
    assert len(found) > 5
    assert set(found) <= expected


def test_folders_are_exchanged_where_the_system_cannot(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "exchange", lambda first, second: False)
    for seed in (1, 2, 3):
        fitted(f"train.seed={seed}")
    assert names(tmp_path) == ["run", "run.1"]
    assert recpair.load(tmp_path / "run").config["train"]["seed"] == 3
    assert recpair.load(tmp_path / "run.1").config["train"]["seed"] == 2


def test_an_opened_run_that_is_replaced_says_so(fitted):
    run = fitted()
    fitted("train.seed=2")
    assert len(run.recommend(k=3))
    with pytest.raises(RunError, match="now holds a different run than when it was opened; load it again"):
        _ = run.history


def test_a_rewritten_file_is_accepted_before_and_after(fitted):
    run = fitted()
    rewrite(run.folder, "metrics.json", run.metrics | {"mlflow_run_id": "1" * 32})
    assert recpair.load(run.folder).metrics["mlflow_run_id"] == "1" * 32
    assert len(Manifest.read(run.folder).files["metrics.json"]) == 1


def test_files_have_the_permissions_of_the_umask(fitted):
    before = os.umask(0o027)
    try:
        run = fitted("train.checkpoint_every=1")
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in run.folder.rglob("*") if path.is_file()}
    assert modes == {0o640}


def test_seeds_are_checked_before_anything_moves(checkerboard, quick):
    recpair.fit(quick, ["train.epochs=1"], data=checkerboard)
    for seeds in ([1, -1], [1, 2**70], [1, "x"], [1, 1], []):
        with pytest.raises(ConfigError, match="seed"):
            fit_seeds(quick, seeds, data=checkerboard)
    assert recpair.load(quick["output"]).metrics["epochs"] == 1


def test_seeds_and_single_runs_are_not_resumed_as_each_other(checkerboard, quick):
    recpair.fit(quick, ["train.epochs=1"], data=checkerboard)
    with pytest.raises(RunError, match="holds a run of one seed; leave out --seeds"):
        fit_seeds(quick, [1], ["train.epochs=1"], data=checkerboard, resume=True)
    fit_seeds(quick, [1, 2], ["train.epochs=1", f"output={quick['output']}-many"], data=checkerboard)
    with pytest.raises(RunError, match="holds several seeds; add --seeds"):
        recpair.fit(quick, ["train.epochs=1", f"output={quick['output']}-many"], data=checkerboard, resume=True)
    with pytest.raises(RunError, match=r"holds several seeds; open one of its runs \(seed-1, seed-2\)"):
        recpair.load(f"{quick['output']}-many")
    with pytest.raises(ConfigError, match="is complete with the runs seed-1, seed-2; choose another output"):
        fit_seeds(quick, [1, 3], ["train.epochs=1", f"output={quick['output']}-many"], data=checkerboard, resume=True)


def test_a_link_as_the_output_stays_a_link(fitted, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "runs")
    (tmp_path / "disk" / "runs").mkdir()
    for seed in (1, 2):
        fitted(f"output={tmp_path / 'link'}", f"train.seed={seed}")
    assert (tmp_path / "link").is_symlink()
    assert recpair.load(tmp_path / "link").config["train"]["seed"] == 2
    assert names(tmp_path / "disk") == ["runs", "runs.1"]


@pytest.mark.parametrize("output", [".", "/", "..", "runs/..", "a\0b"])
def test_an_output_that_is_not_a_name_is_refused(fitted, tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(recpair.RecpairError, match="output"):
        fitted(f"output={json.dumps(output)}")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"name": "recbole/NeuMF", "use_pretrain": True, "mf_pretrain_path": "evil.pt"}},
        {"model": {"name": "mf", "embedding_dim": 8, "load_from": "evil.pt"}},
        {"model": {"name": "os.system"}},
        {"model": None},
        {"train": {"hook": "evil"}},
    ],
)
def test_a_config_that_fit_would_refuse_is_not_opened(fitted, change):
    run = fitted()
    path = run.folder / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    with pytest.raises(RunError, match="does not match its checksum"):
        recpair.load(run.folder)
    (run.folder / "manifest.json").unlink()
    with pytest.raises(RunError, match=r"config\.yaml: "):
        recpair.load(run.folder)


@pytest.mark.parametrize("text", ["3", "[]", "null", "{}", '{"test": 1}', "[" * 100_000, '{"a": ' + "9" * 5000 + "}"])
def test_metrics_of_another_shape(fitted, text):
    run = fitted()
    (run.folder / "manifest.json").unlink()
    (run.folder / "metrics.json").write_text(text)
    for act in (lambda: recpair.load(run.folder), lambda: fitted(resume=True)):
        with pytest.raises(RunError, match=r"metrics\.json") as raised:
            act()
        assert len(str(raised.value)) < 400


def test_checkpoints_know_their_data_and_their_content(fitted, checkerboard, tmp_path):
    run = fitted("train.checkpoint_every=1")
    _, metadata = files.read_tensors(run.folder / "checkpoint" / "last.safetensors")
    assert metadata["data"] == run.metrics["data"]["fingerprint"]
    tensors = {"a": torch.tensor([1.0, 2.0]), "b": torch.zeros((), dtype=torch.bfloat16)}
    files.write_tensors(tmp_path / "x.safetensors", tensors, {"k": "v"})
    read, kept = files.read_tensors(tmp_path / "x.safetensors")
    assert kept == {"k": "v"}
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())
