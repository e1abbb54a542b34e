"""Search spaces: parsing, grids, defaults of the components."""

import pytest

from recpair.errors import ConfigError
from recpair.experiment.loading import load_config, search_section
from recpair.experiment.schema import SCHEMA
from recpair.tuning.plan import load_plan
from recpair.tuning.space import Choices, Range, grid, overrides_of, read_space
from recpair.tuning.spaces import SPACES

RATE = "train.learning_rate"


def parsed(raw, fractions=True):
    return read_space({"a.b": raw}, lambda key: fractions)["a.b"]


def test_two_whole_numbers_give_a_range_of_whole_numbers_only_if_the_key_takes_no_fractions():
    assert parsed({"low": 1, "high": 8}, fractions=False) == Range(1, 8, whole=True)
    assert parsed({"low": 1, "high": 8}, fractions=True) == Range(1, 8)


def test_the_type_of_the_key_decides_in_a_plan(quick):
    space = {"model.embedding_dim": {"low": 4, "high": 8}, "model.init_std": {"low": 1, "high": 2}}
    plan = load_plan(quick | {"tune": {"space": space}})
    assert plan.space == {"model.embedding_dim": Range(4, 8, whole=True), "model.init_std": Range(1, 2)}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([1], "at least two distinct values"),
        ([1, 1], "at least two distinct values"),
        (3, "expected {low: 1e-4, high: 1e-2, log: true}, or a list of values"),
        ({"low": 1}, "expected {low"),
        ({"low": 1, "high": 2, "lgo": True}, "expected {low"),
        ({"low": "a", "high": 2}, "low is 'a'; expected a number"),
        ({"low": 2, "high": 1}, "expected low below high"),
        ({"low": 0, "high": 1, "log": True}, "low is 0, but log is true"),
        ({"low": 1, "high": 2, "log": True, "step": 1}, "a step is given, but log is true"),
        ({"low": 1, "high": 2, "step": 3}, "step is 3; expected a number from 0 to high − low, 1"),
        ({"low": 1, "high": 2, "log": "yes"}, "log is 'yes'; expected true or false"),
        ({"low": True, "high": 2}, "low is True; expected a number"),
    ],
)
def test_other_forms_are_refused_with_the_place(raw, message):
    with pytest.raises(ConfigError, match=r"tune\.space\.a\.b") as error:
        parsed(raw)
    assert message in str(error.value)


def test_choices_may_be_null_lists_and_mappings():
    values = [None, "none", 1, 1.0, True, [1, 2], {"name": "pld"}]
    choices = parsed(values)
    assert [choices.value(label) for label in choices.labels] == values
    assert [type(choices.value(label)) for label in choices.labels] == [type(value) for value in values]


def test_overrides_are_read_back_as_the_values(quick):
    space = read_space({RATE: {"low": 1e-5, "high": 1e-2}, "denoise": [None, {"name": "pld"}]}, lambda key: True)
    config = load_config(quick, overrides_of(space, {RATE: 1e-5, "denoise": '{"name": "pld"}'}))
    assert config["train"]["learning_rate"] == 1e-5
    assert config["denoise"]["name"] == "pld"


def test_a_grid_has_every_combination_and_requires_steps():
    space = {"a": Choices(("x", "y")), "b": Range(0.1, 0.3, step=0.1), "c": Range(1, 2, whole=True)}
    points = grid(space)
    assert len(points) == 12
    assert points[0] == {"a": "x", "b": 0.1, "c": 1}
    assert [point["b"] for point in points[:6:2]] == pytest.approx([0.1, 0.2, 0.3])
    with pytest.raises(ConfigError, match=r"tune\.space\.d is a range without a step"):
        grid(space | {"d": Range(0, 1)})


@pytest.mark.parametrize("section", SPACES)
def test_default_spaces_name_existing_components(section):
    known = SCHEMA[section].choices
    assert SPACES[section].keys() <= {*known}


@pytest.mark.parametrize(
    ("section", "name"), [(section, name) for section, of in SPACES.items() for name in of if section == "model"]
)
def test_default_spaces_are_valid_for_each_model(section, name, bare):
    section = {"name": name} | ({"days": 30.0} if name == "popular_recent" else {})
    split = {"split": {"name": "leave_last"}}
    plan = load_plan(bare | split | {"model": section})  # checks the corners
    assert {key.partition(".")[2] for key in plan.space if key.startswith("model.")} == {*SPACES["model"][name]}


@pytest.mark.parametrize("denoise", list(SPACES["denoise"]))
def test_default_spaces_are_valid_for_each_denoiser(denoise, quick):
    loss = {"loss": "bce"} if denoise in ("t_ce", "r_ce", "dcf") else {}
    plan = load_plan(quick | {"denoise": denoise} | loss)
    assert {key for key in plan.space if key.startswith("denoise.")} == {
        f"denoise.{key}" for key in SPACES["denoise"][denoise]
    }


def test_fit_accepts_and_checks_the_section_and_does_not_store_it(quick):
    config = load_config(quick | {"tune": {"trials": 3}})
    assert "tune" not in config.sections
    assert search_section("tune", quick | {"tune": {"trials": 3}}, ["tune.n_seeds=1"], {})["n_seeds"] == 1
    with pytest.raises(ConfigError, match=r"tune\.trails is unknown; did you mean trials"):
        load_config(quick | {"tune": {"trails": 3}})


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"train.learning_rat": [1, 2]}, "did you mean learning_rate"),
        ({RATE: {"low": -1.0, "high": 1.0}}, "greater than 0"),
        ({"model": ["mf", "sasrec"], "loss": ["bpr", "nothing"]}, "nothing"),
        ({"model": ["mf", "ease"], RATE: [0.01, 0.1]}, "tune.space allows model=ease, train.learning_rate=0.01, but"),
    ],
)
def test_configs_of_the_space_are_checked_before_the_first_trial(quick, space, message):
    with pytest.raises(ConfigError) as error:
        load_plan(quick | {"tune": {"space": space}})
    assert message in str(error.value)


def test_a_search_requires_a_metric(quick):
    with pytest.raises(ConfigError, match=r"evaluate\.monitor is null, so trials cannot be compared"):
        load_plan(quick | {"evaluate": {"monitor": None}})
    plan = load_plan(quick | {"evaluate": {"monitor": None}, "tune": {"metric": "hit@5"}})
    assert plan.metric == plan.config["evaluate"]["monitor"] == "hit@5"


def test_a_model_without_options_needs_a_space(bare):
    with pytest.raises(ConfigError, match="popularity has no default search space"):
        load_plan(bare | {"model": "popularity"})
