"""Components from outside the package: objects, dotted paths, entry points, and run folders that name them."""

import subprocess
import sys
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

import recpair
from recpair import plugins
from recpair.cli import main
from recpair.denoising import DENOISERS, Choice
from recpair.errors import ConfigError, RunError
from recpair.experiment.loading import load_config
from recpair.experiment.track import track
from recpair.losses import LOSSES
from recpair.models import MODELS
from recpair.models.mf import MF
from recpair.signatures import registry
from recpair.terms import TERMS, Term

MODULE = '''
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from recpair.models import MF
from recpair.terms import Term


def squashed(pos, neg, *, margin: float = 0.5) -> Float[Tensor, "Q P"]:
    return softplus(margin + neg.unsqueeze(1) - pos.unsqueeze(2)).mean(-1)


def unannotated(pos, neg):
    return pos.mean()


def untyped(pos, neg, *, margin=0.5) -> Float[Tensor, "Q P"]:
    return pos


def unsupplied(pos, neg, margin) -> Float[Tensor, "Q P"]:
    return pos


def failing(pos, neg) -> Float[Tensor, "Q P"]:
    return pos / torch.zeros(3)[5]


class Energy(Term):
    """Mean squared score of the positives."""

    def forward(self, pos):
        return pos.square().mean()


class Factors(MF):
    """MF of another name."""


def several_hits(hits, *, n: int = 2) -> float:
    return float((hits.sum(1) >= n).mean())
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the current directory, unknown to this process before and after."""
    (tmp_path / "outside_parts.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    yield "outside_parts"
    forget("outside_parts")


def forget(name):
    sys.modules.pop(name, None)
    for slot in plugins.SLOTS.values():
        components = slot.components()
        for key in [key for key in components if key.startswith(f"{name}:") or key.startswith(f"{__name__}:")]:
            del components[key]


@pytest.fixture
def outside(module, quick):
    return quick | {
        "model": {"name": f"{module}:Factors", "embedding_dim": 8},
        "loss": {"name": f"{module}:squashed", "margin": 0.2},
        "terms": [{"name": f"{module}:Energy", "weight": 0.01}],
        "evaluate": quick["evaluate"] | {"metrics": ["hit", "ndcg", {"name": f"{module}:several_hits", "n": 1}]},
    }


def test_dotted_paths_train_are_recorded_and_load_if_named(outside, checkerboard, module):
    run = recpair.fit(outside, ["train.epochs=8"], data=checkerboard)
    assert run.config["loss"] == {"name": "outside_parts:squashed", "margin": 0.2}
    assert run.metrics["test"]["outside_parts:several_hits@1"] == run.metrics["test"]["hit@1"]
    assert "train/Energy" in set(run.history["metric"])
    expected = run.recommend(k=3)
    forget(module)
    with pytest.raises(
        RunError, match=r"model.name is 'outside_parts:Factors', .* name it with --plugins outside_parts"
    ):
        recpair.load(run.folder)
    assert module not in sys.modules
    again = recpair.load(run.folder, plugins=[module])
    assert again.recommend(k=3).equals(expected)
    measured, _ = recpair.evaluate(again, data=checkerboard)
    assert measured.means == run.metrics["test"]
    assert str(outside["output"]) not in sys.path


def test_a_run_of_an_unnamed_loss_recommends_but_imports_nothing(outside, checkerboard, module, caplog):
    run = recpair.fit(outside | {"model": "mf"}, data=checkerboard)
    expected = run.recommend(k=3)
    forget(module)
    caplog.set_level("INFO", "recpair")
    again = recpair.load(run.folder)
    assert any("outside_parts:squashed, outside_parts:Energy" in message for message in caplog.messages)
    assert again.recommend(k=3).equals(expected)
    with pytest.raises(ConfigError, match=r"loss.name is 'outside_parts:squashed', a component outside recpair"):
        recpair.evaluate(again, data=checkerboard)
    assert module not in sys.modules
    assert track(again, uri=f"sqlite:///{run.folder.parent / 'mlflow.db'}") is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "outside_part:squashed"}, "there is no module 'outside_part' in the current directory"),
        ({"loss": "outside_parts:sqashed"}, "outside_parts has no 'sqashed'; did you mean squashed?"),
        ({"loss": "outside_parts:unannotated"}, 'needs a return annotation that says its kind: Float[Tensor, "Q P"]'),
        ({"loss": "outside_parts:untyped"}, "whose option margin has no type; annotate it"),
        ({"loss": "outside_parts:unsupplied"}, "asks for 'margin' before *, which is not supplied; if it is an option"),
        ({"loss": {"name": "outside_parts:squashed", "margn": 1}}, "loss.margn is unknown; did you mean margin?"),
        ({"model": "outside_parts:Energy"}, "expected a class derived from recpair.models.Model"),
        ({"terms": ["outside_parts:squashed"]}, "expected a class derived from recpair.terms.Term"),
    ],
)
def test_mistakes_are_one_line(quick, module, change, message):
    with pytest.raises(ConfigError) as caught:
        load_config(quick | change)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_module_that_fails_and_a_component_that_fails_are_named(module, quick, checkerboard, capsys):
    checkerboard.write_csv("events.csv")
    arguments = ["data.path=events.csv", "split=predefined", "evaluate.cutoffs=[5]", "evaluate.monitor=ndcg@5"]
    arguments += ["tracking=null", "output=run", "train.device=cpu"]
    quick_file = "c.yaml"
    Path(quick_file).write_text("model: mf\n")
    assert main(["fit", "-c", quick_file, *arguments, f"loss={module}:failing"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "outside_parts.py, line" in error
    assert "IndexError: index 5 is out of bounds" in error
    Path("broken_parts.py").write_text("import torch\n1 / 0\n")
    assert main(["fit", "-c", quick_file, *arguments, "loss=broken_parts:f"]) == 2
    assert "importing broken_parts fails with ZeroDivisionError" in capsys.readouterr().err


def test_the_command_line_finds_modules_of_the_current_directory_only_where_they_are_named(module, checkerboard):
    checkerboard.write_csv("events.csv")
    Path("c.yaml").write_text(
        "data: {path: events.csv}\nsplit: predefined\nmodel: outside_parts:Factors\ntrain: {epochs: 1}\n"
        "evaluate: {cutoffs: [5], monitor: ndcg@5}\ntracking: null\noutput: run\n"
    )

    def recpair_of(*arguments):
        command = [sys.executable, "-c", "import sys; sys.path.pop(0); from recpair.cli import entry; entry()"]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)

    assert recpair_of("fit", "-c", "c.yaml").returncode == 0
    refused = recpair_of("recommend", "run", "--all", "--out", "r.csv")
    assert refused.returncode == 2
    assert "name it with --plugins outside_parts" in refused.stderr
    named = recpair_of("recommend", "run", "--all", "--out", "r.csv", "--plugins", module)
    assert named.returncode == 0, named.stderr


# Objects


def cubed(pos: Tensor, neg: Tensor, *, scale: float = 1.0) -> Float[Tensor, "Q P"]:
    return scale * softplus(neg.unsqueeze(1) - pos.unsqueeze(2)).pow(3).mean(-1)


class Last:
    """Chooses the last candidate."""

    candidates, start_epoch = 3, 0

    def __init__(self, calls):
        self.calls = calls

    def choose(self, pool):
        self.calls.append(1)
        return Choice(torch.full_like(pool.rows[:, :1], pool.rows.shape[1] - 1))


class Small(Term):
    """Mean absolute item vector."""

    def forward(self, item_vectors):
        return item_vectors.abs().mean()


class Renamed(MF):
    """MF of another name."""


@pytest.fixture
def forgotten():
    yield
    forget("unknown")


def test_objects_stand_in_for_names(quick, checkerboard, forgotten):
    calls: list[int] = []
    run = recpair.fit(
        quick,
        ["loss.scale=0.5"],
        model=Renamed,
        loss=cubed,
        denoise=Last(calls),
        terms=[{"name": Small, "weight": 0.3}],
        data=checkerboard,
    )
    assert run.config["loss"] == {"name": f"{__name__}:cubed", "scale": 0.5}
    assert run.config["model"]["name"] == f"{__name__}:Renamed"
    assert isinstance(run.model, Renamed)
    assert run.config["terms"][0]["weight"] == 0.3
    assert run.config["denoise"] == {"name": f"{__name__}:Last"}
    assert calls == []  # each run has a copy
    in_dict = load_config(quick | {"loss": {"name": cubed, "scale": 2}})
    assert in_dict["loss"] == {"name": f"{__name__}:cubed", "scale": 2.0}


def test_a_partial_and_a_closure_are_losses(quick, checkerboard, forgotten):
    def local(pos, neg) -> Float[Tensor, "Q P"]:
        return cubed(pos, neg)

    weights = [
        recpair.fit(quick, loss=loss, data=checkerboard).model.state_dict()["item_embedding.weight"]
        for loss in (local, partial(cubed, scale=1.0))
    ]
    assert torch.equal(*weights)
    with pytest.raises(ConfigError, match=r"expected a class derived from recpair\.models\.Model"):
        recpair.fit(quick, model=object(), data=checkerboard)


def test_entry_points_of_installed_packages_are_names(quick, checkerboard, monkeypatch, module):
    entry = metadata.EntryPoint("squashed", f"{module}:squashed", "recpair.losses")
    monkeypatch.setattr(plugins, "_entry_points", lambda: metadata.EntryPoints([entry]))
    monkeypatch.syspath_prepend(".")
    try:
        run = recpair.fit(quick | {"loss": "squashed"}, data=checkerboard)
        assert run.config["loss"] == {"name": "squashed", "margin": 0.5}
        del LOSSES["squashed"]
        assert len(recpair.load(run.folder).recommend(k=1)) == 40
    finally:
        LOSSES.pop("squashed", None)


def test_registries_hold_what_is_added_at_runtime(quick, forgotten):
    names = {"loss": plugins.register("loss", cubed), "terms": plugins.register("terms", Small)}
    assert names["loss"] in registry("recpair.losses:LOSSES")
    assert LOSSES[names["loss"]] is cubed
    assert TERMS[names["terms"]] is Small
    assert not [name for name in (*MODELS, *DENOISERS) if name in names.values()]
