"""Parameters of the next trials, and the Optuna study in which one trial runs.

A study is built in memory from the finished trials, and the sampler of trial n is seeded by (seed, n). So the parameters
and the pruning of a trial follow from the plan and the trials before its batch, and a search that was interrupted
continues as if it had not been.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recpair.experiment.folds import has_folds
from recpair.seeds import derive
from recpair.tuning.plan import Plan
from recpair.tuning.store import quiet

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

STARTUP = 5  # complete trials before the median pruner stops any
WARM_UP = 0.1  # share of the epochs in which the median pruner stops no trial: low learning rates start slowly
NAME = "search"  # Hyperband assigns a trial to a bracket by the study's name and the trial's number


def ask(plan: Plan, known: "Sequence[FrozenTrial]", n: int) -> "list[FrozenTrial]":
    """Return the next ``n`` trials after the known ones, with parameters, not yet run."""
    study, points = _study(plan, known), plan.points()
    with quiet():
        for number in range(len(known), len(known) + n):
            if number == 0:
                study.enqueue_trial(plan.base)
            elif points is not None:
                study.enqueue_trial(points[number - 1])
            study.sampler = _sampler(plan, number)
            own = plan.space if number or plan.base.keys() == plan.space.keys() else plan.base
            study.ask({key: plan.space[key].distribution() for key in own})
    return list(study.get_trials()[len(known) :])


def reopened(plan: Plan, known: "Sequence[FrozenTrial]", asked: "Sequence[FrozenTrial]") -> "tuple[Study, Trial]":
    """Return the study that holds the known and the asked trials, and the last one of these, to be run."""
    import optuna

    study = _study(plan, [*known, *asked])
    study.sampler = _sampler(plan, asked[-1].number)
    return study, optuna.trial.Trial(study, study.get_trials(deepcopy=False)[-1]._trial_id)


def importances(plan: Plan, finished: "Sequence[FrozenTrial]") -> dict[str, float]:
    """Return the share of each key in the difference between good trials and all (PED-ANOVA); empty if undetermined.

    Source: Watanabe et al., PED-ANOVA (IJCAI 2023), with the best tenth of the complete trials as good ones.
    """
    import optuna

    study = _study(plan, finished)
    varied = [t for t in finished if t.value is not None and t.params.keys() == plan.space.keys()]
    if len(varied) < 10:
        return {}
    with quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Some regimes")  # few trials per choice
        try:
            shares: dict[str, float] = optuna.importance.get_param_importances(study)
        except (ValueError, RuntimeError):  # too few complete trials, or all of them equal
            return {}
    return shares


def _study(plan: Plan, trials: "Sequence[FrozenTrial]") -> "Study":
    import optuna

    with quiet():
        study = optuna.create_study(direction="maximize", study_name=NAME, pruner=_pruner(plan))
        study.add_trials(trials)
    return study


def _sampler(plan: Plan, number: int) -> "BaseSampler":
    from optuna.samplers import RandomSampler, TPESampler

    seed = derive(plan.seed, number) % 2**32
    if plan.sampler == "tpe":
        return TPESampler(seed=seed)
    return RandomSampler(seed=seed)


def _pruner(plan: Plan) -> "BasePruner":
    from optuna import pruners

    folds = has_folds(plan.config)
    steps = plan.config["split"]["folds"] if folds else plan.config["train"]["epochs"]
    if plan.pruner == "median":
        warm_up = 0 if folds else max(3, round(WARM_UP * steps))
        return pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=warm_up)
    if plan.pruner == "hyperband":
        return pruners.HyperbandPruner(min_resource=1, max_resource=steps)
    return pruners.NopPruner()
