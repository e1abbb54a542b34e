"""Search spaces: the values that a search tries for each config key."""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recpair import raw_config
from recpair.errors import ConfigError, one_line, shown

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

KEYS = {"low", "high", "log", "step"}
EXAMPLE = "{low: 1e-4, high: 1e-2, log: true}, or a list of values"


@dataclass(frozen=True)
class Choices:
    """Values to choose from, each with a label: the value itself, or its JSON if it is a list or a mapping."""

    values: tuple[Any, ...]

    @property
    def labels(self) -> list[Any]:
        return [label(value) for value in self.values]

    def value(self, chosen: Any) -> Any:
        """Return the value with a label."""
        return next(value for value in self.values if _same(label(value), chosen))

    def contains(self, value: Any) -> bool:
        return any(_same(label(value), each) for each in self.labels)

    def distribution(self) -> "BaseDistribution":
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.labels)

    def corners(self) -> list[Any]:
        """Labels that a check of the space covers."""
        return self.labels

    def grid(self) -> list[Any] | None:
        return self.labels


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included, on a linear or a logarithmic scale.

    Attributes:
        step: distance between neighbouring values; None for a continuous range, 1 for whole numbers on a log scale.
        whole: whether the values are whole numbers.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    def value(self, chosen: Any) -> Any:
        return int(chosen) if self.whole else float(chosen)

    def contains(self, value: Any) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.distribution()._contains(value)

    def distribution(self) -> "BaseDistribution":
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def corners(self) -> list[Any]:
        return [self.value(self.low), self.value(self.high)]

    def grid(self) -> list[Any] | None:
        """All values, or None for a range without a step."""
        if self.log or (self.step is None and not self.whole):
            return None
        step = self.step or 1
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        return [self.value(self.low + i * step) for i in range(count)]


Space = dict[str, Choices | Range]
Labels = dict[str, Any]  # one value of each key, as a label


def read_space(raw: Mapping[str, Any], takes_fractions: Callable[[str], bool], place: str = "tune.space") -> Space:
    """Parse a search space.

    Args:
        raw: dotted config key → ``{low, high, log, step}`` or a list of values.
        takes_fractions: returns whether a key accepts values that are not whole numbers.

    Raises:
        ConfigError: an entry has another form.
    """
    if not raw:
        raise ConfigError(f"{place} is empty; expected config keys, each with {EXAMPLE}")
    return {str(key): _dimension(f"{place}.{key}", str(key), value, takes_fractions) for key, value in raw.items()}


def _dimension(place: str, key: str, raw: Any, takes_fractions: Callable[[str], bool]) -> Choices | Range:
    if isinstance(raw, list):
        labels = [json.dumps(label(value)) for value in raw]
        if len(raw) < 2 or len({*labels}) != len(raw):
            raise ConfigError(f"{place} is {shown(raw)}; expected a list of at least two distinct values")
        return Choices(tuple(raw))
    if not isinstance(raw, Mapping) or not {"low", "high"} <= raw.keys() or not raw.keys() <= KEYS:
        raise ConfigError(f"{place} is {shown(raw)}; expected {EXAMPLE}")
    low, high, log, step = (raw.get(name) for name in ("low", "high", "log", "step"))
    for name, value in (("low", low), ("high", high), *([("step", step)] if step is not None else [])):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{place}.{name} is {shown(value)}; expected a number, such as 0.001")
    if log not in (None, True, False):
        raise ConfigError(f"{place}.log is {shown(log)}; expected true or false")
    assert low is not None
    assert high is not None
    if low >= high:
        raise ConfigError(f"{place} is from {low} to {high}; expected low below high")
    if log and (low <= 0 or step is not None):
        problem = f"low is {low}" if low <= 0 else "a step is given"
        raise ConfigError(f"{place}: {problem}, but log is true; a logarithmic range has a low above 0 and no step")
    if step is not None and not 0 < step <= high - low:
        raise ConfigError(f"{place}.step is {step}; expected a number from 0 to high − low, {high - low:g}")
    numbers = (low, high, *([] if step is None else [step]))
    whole = all(isinstance(value, int) for value in numbers) and not takes_fractions(key)
    return Range(low, high, bool(log), step, whole)


def label(value: Any) -> Any:
    """Return a value as Optuna stores it: None, a number, a boolean or text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value)


def values_of(space: Space, chosen: Labels) -> dict[str, Any]:
    """Return the config values of labels."""
    return {key: space[key].value(each) for key, each in chosen.items()}


def overrides_of(space: Space, chosen: Labels) -> list[str]:
    """Return labels as overrides of a config."""
    return [raw_config.assignment(key, value) for key, value in values_of(space, chosen).items()]


def described(values: Mapping[str, Any]) -> str:
    """Return values by config key on one line."""
    return one_line(", ".join(f"{key}={_short(value)}" for key, value in values.items()), 300)


def _short(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return f"{value:.4g}" if isinstance(value, float) else str(label(value))


def grid(space: Space) -> list[Labels]:
    """Return all combinations of a space, the last key varying fastest.

    Raises:
        ConfigError: a range has no step.
    """
    axes = {key: each.grid() for key, each in space.items()}
    for key, values in axes.items():
        if values is None:
            raise ConfigError(f"tune.space.{key} is a range without a step; for sampler grid, give a list of values")
    return [dict(zip(axes, point, strict=True)) for point in itertools.product(*(axes[key] or [] for key in axes))]


def to_check(space: Space, limit: int) -> Iterator[Labels]:
    """Yield combinations that cover a space: each value beside the first values of the other keys, then all corners.

    Args:
        limit: the number of corners after which the rest are left out.
    """
    corners = {key: each.corners() for key, each in space.items()}
    first = {key: values[0] for key, values in corners.items()}
    for key, values in corners.items():
        yield from ({key: value} for value in values)
    every = itertools.product(*corners.values())
    yield from (first | dict(zip(corners, point, strict=True)) for point in itertools.islice(every, limit))


def _same(first: Any, second: Any) -> bool:
    """Return True for equal labels; 1, 1.0 and true are different labels."""
    return type(first) is type(second) and first == second
