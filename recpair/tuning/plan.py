"""Plan of a search: a config, the space around it, and how the space is searched."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from recpair import raw_config
from recpair.config import Config
from recpair.errors import ConfigError
from recpair.experiment.loading import check_keys, load_config, search_section
from recpair.experiment.schema import TUNE
from recpair.tuning.space import Labels, Space, described, grid, label, overrides_of, read_space, to_check
from recpair.tuning.spaces import method_space, shared_space

Sampling = Literal["tpe", "random", "grid"]
Pruning = Literal["median", "hyperband", "none"]

CHECKED = 32  # corners of a space that are checked before the first trial


def settings(
    *,
    space: dict[str, Any] | None = None,
    metric: str | None = None,
    trials: Annotated[int, Field(gt=0, le=100_000)] = 40,
    sampler: Sampling = "tpe",
    pruner: Pruning = "median",
    n_seeds: Annotated[int, Field(ge=0, le=100)] = 3,
) -> None:
    """Settings of ``recpair tune``; ``fit`` and ``study`` ignore them.

    ``space`` maps config keys to ``{low, high, log, step}`` or a list of values; by default it is that of the components
    (``tuning.spaces``). ``metric`` is the validation metric to maximise, by default ``evaluate.monitor``; it also chooses
    the epoch of each trial. The winner is trained with ``n_seeds`` seeds and tested; with 0, nothing is tested.
    """


@dataclass(frozen=True)
class Plan:
    """Search of a space around a config.

    Attributes:
        config: the config; its ``evaluate.monitor`` is the metric of the search.
        space: the values to try for each config key.
        trials: number of trials; the first one is the config as it is.
        seed: seed of the sampler, by default that of the training.
        n_seeds: number of seeds with which the winner is trained and tested.
        notes: what was guessed.
    """

    config: Config
    space: Space
    trials: int = 40
    sampler: Sampling = "tpe"
    pruner: Pruning = "median"
    n_seeds: int = 3
    notes: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        return str(self.config["evaluate"]["monitor"])

    @property
    def seed(self) -> int:
        return int(self.config["train"]["seed"])

    @property
    def base(self) -> Labels:
        """Labels of the config's own values, for the keys whose value is in the space."""
        values = {key: value_at(self.config, key) for key in self.space}
        return {key: label(value) for key, value in values.items() if self.space[key].contains(value)}

    def overrides(self, number: int, chosen: Labels) -> list[str]:
        """Return the overrides of a trial."""
        return overrides_of(self.space, chosen) if number else []

    def trial(self, number: int, chosen: Labels, output: Path, further: Sequence[str] = ()) -> Config:
        """Return the config of a trial, with further overrides."""
        placed = raw_config.assignment("output", str(output))
        return load_config(self.config, [*self.overrides(number, chosen), *further, placed])

    def points(self) -> list[Labels] | None:
        """Return the points of a grid, or None for other samplers."""
        if self.sampler != "grid":
            return None
        base = self.base if self.base.keys() == self.space.keys() else None
        return [point for point in grid(self.space) if point != base]

    def record(self) -> dict[str, Any]:
        """Return what must be the same when a search is resumed."""
        space = {key: _plain(each) for key, each in self.space.items()}
        return {"metric": self.metric, "space": space, "sampler": self.sampler, "pruner": self.pruner}

    def check(self) -> None:
        """Check configs that cover the space.

        Raises:
            ConfigError: a value is invalid, or two values contradict each other.
        """
        for point in to_check(self.space, CHECKED):
            try:
                load_config(self.config, overrides_of(self.space, point))
            except ConfigError as error:
                values = described({key: self.space[key].value(each) for key, each in point.items()})
                raise ConfigError(f"tune.space allows {values}, but {error}") from None


def load_plan(
    config: str | Path | Mapping[str, Any] | Config,
    overrides: Sequence[str] = (),
    given: Mapping[str, Any] | None = None,
) -> Plan:
    """Load and check a config and its section ``tune``.

    Args:
        given: settings in place of those of the section; None values are ignored.

    Raises:
        ConfigError: a key is unknown or invalid, or values of the space contradict the config.
    """
    section = search_section(TUNE, config, overrides, given or {})
    checked = load_config(config, overrides)
    metric = section["metric"] or checked["evaluate"]["monitor"]
    if metric is None:
        raise ConfigError("evaluate.monitor is null, so trials cannot be compared; set tune.metric, such as ndcg@10")
    checked = load_config(checked, [raw_config.assignment("evaluate.monitor", metric)])
    notes: list[str] = []
    raw = section["space"]
    if raw is None:
        raw = shared_space(checked) | method_space(checked)
        if not raw:
            raise ConfigError(
                f"model {checked['model']['name']} has no default search space; give tune.space, such as "
                f"{{model.embedding_dim: [32, 64]}}"
            )
        notes.append(f"tune.space is not given; the search is over {', '.join(raw)}")
    space = read_space(raw, lambda key: _takes_fractions(checked, key, raw[key]))
    rest = {key: section[key] for key in ("trials", "sampler", "pruner", "n_seeds")}
    plan = Plan(checked, space, **rest)
    plan.check()
    if (points := plan.points()) is not None and plan.trials > len(points) + 1:
        notes.append(
            f"the grid has {len(points) + 1} points, the config included; trials is lowered from {plan.trials}"
        )
        plan = replace(plan, trials=len(points) + 1)
    outside = [key for key in space if key not in plan.base]
    if outside:
        values = described({key: value_at(checked, key) for key in outside})
        notes.append(f"the first trial is the config as it is, whose {values} is outside of tune.space")
    return replace(plan, notes=tuple(notes))


def value_at(config: Config, key: str) -> Any:
    """Return the value of a dotted key of a config, of a component without options its name; None if it does not exist."""
    place = raw_config.value_at(config.sections, key)
    return place["name"] if isinstance(place, Mapping) and {*place} == {"name"} else place


def _takes_fractions(config: Config, key: str, raw: Mapping[str, Any]) -> bool:
    """Return True if a config key accepts a number between two whole numbers."""
    try:
        check_keys(config, [raw_config.assignment(key, raw["low"])])
    except ConfigError as error:
        raise ConfigError(f"tune.space.{key}: {error}") from None
    try:
        check_keys(config, [raw_config.assignment(key, raw["low"] + 0.5)])
    except ConfigError:
        return False
    return True


def _plain(dimension: Any) -> Any:
    fields = vars(dimension)
    return json.loads(json.dumps(fields.get("values", fields)))
