"""Blends of configs, which are fitted first, and of runs."""

import numpy as np
import pytest
import yaml

import recpair
from recpair.cli import main
from recpair.errors import ConfigError, RunError


@pytest.fixture
def configs(shared, tmp_path):
    """Paths of two configs."""
    sections = {"slim": {"model": {"name": "slim", "l1": 0.1}}, "knn": {"model": {"name": "item_knn", "k": 5}}}
    for name, section in sections.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(shared | section | {"output": str(tmp_path / "unused")}))
    return [tmp_path / f"{name}.yaml" for name in sections]


def test_a_blend_of_configs_is_the_blend_of_their_runs(configs, runs, tmp_path):
    made = recpair.blend([*configs, runs["ease"]], tmp_path / "blend", ["filter.user_core=1"], calibration="rank")
    members = [tmp_path / "blend.members" / name for name in ("slim", "knn")]
    assert not (tmp_path / "unused").exists()
    paths = {member["path"] for member in made.metrics["blend"]["members"]}
    assert paths == {*map(str, members), str(runs["ease"])}
    again = recpair.blend([*members, runs["ease"]], tmp_path / "again", calibration="rank")
    assert again.metrics["test"] == made.metrics["test"]
    assert again.recommend(k=10).equals(made.recommend(k=10))


def test_overrides_change_every_config(configs, tmp_path):
    changed = ["evaluate.mask_seen=false", "semantics.name=tfidf", "semantics.template='{title}'"]
    made = recpair.blend(configs, tmp_path / "blend", changed, weights=[1, 1], calibration="rank")
    for name in ("slim", "knn"):
        config = recpair.load(tmp_path / "blend.members" / name).config
        assert config["evaluate"]["mask_seen"] is False
        assert config["semantics"]["template"] == "{title}"
    assert made.config["evaluate"]["mask_seen"] is False


def test_sections_and_a_config(events, tmp_path):
    sections = {"split": "predefined", "evaluate": {"cutoffs": [5], "monitor": "ndcg@5"}, "tracking": None}
    pair = [sections | {"model": "ease"}, recpair.load_config(sections | {"model": {"name": "ease", "ridge": 9}})]
    made = recpair.blend(pair, tmp_path / "blend", weights=[1, 1], data=events)
    assert sorted(path.name for path in (tmp_path / "blend.members").iterdir()) == ["ease", "ease-2"]
    assert np.sum(made.metrics["blend"]["weights"]) == 1


def test_nothing_is_fitted_if_a_config_is_wrong(configs, runs, tmp_path):
    for changed, message in [
        (["model.kk=3"], "model.kk"),
        (["evaluate.cutoffs=[1,10]"], "slim does not measure 'ndcg@5', which chooses the weights"),
        (["split={name: rolling, horizon: 2d}"], "slim: split.name is rolling, which trains a run per fold"),
        (["evaluate.monitor=null"], "slim: evaluate.monitor is null, which leaves no validation events"),
    ]:
        with pytest.raises(ConfigError, match=message):
            recpair.blend(configs, tmp_path / "blend", changed)
    with pytest.raises(ConfigError, match=r"nothing\.yaml does not exist"):
        recpair.blend([configs[0], tmp_path / "nothing.yaml"], tmp_path / "blend")
    with pytest.raises(ConfigError, match="slim does not measure 'mrr@5'"):
        recpair.blend(configs, tmp_path / "blend", metric="mrr@5")
    with pytest.raises(RunError, match="none does not exist"):
        recpair.blend([configs[0], tmp_path / "none"], tmp_path / "blend")
    with pytest.raises(ConfigError, match="changes configs, but all members are finished runs"):
        recpair.blend([runs["ease"], runs["knn"]], tmp_path / "blend", ["filter.user_core=2"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(RunError, match="exists and is not a run folder"):
        recpair.blend(configs, tmp_path / "mine")
    assert not list(tmp_path.glob("*.members"))


def test_the_command_takes_configs_and_overrides(configs, tmp_path, capsys):
    out = tmp_path / "blend"
    assert main(["blend", *map(str, configs), "filter.user_core=2", "--out", str(out), "--calibration", "rank"]) == 0
    assert recpair.load(out).config["filter"]["user_core"] == 2
    assert "knn" in capsys.readouterr().out
    assert main(["blend", *map(str, configs), "filter.user_cor=2", "--out", str(out)]) == 2
    assert "did you mean user_core" in " ".join(capsys.readouterr().err.split())
