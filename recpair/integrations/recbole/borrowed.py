"""A context in which RecBole 1.2.1 runs on current numpy and scipy, and which restores all global state.

RecBole's ``Config`` reads command-line arguments, overwrites names in numpy, and sets environment variables and a yaml
resolver; its logger configures the root logger; its seeding affects numpy, random and cudnn; one of its models enables
torch's anomaly detection. Its graphs call a method that scipy has removed.
"""

import logging
import os
import random
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
import yaml

from recpair.seeds import generator, process_wide

NUMPY_NAMES: dict[str, Any] = {
    "bool": np.bool_,
    "complex": np.complex128,
    "complex_": np.complex128,
    "float": np.float64,
    "float_": np.float64,
    "int": np.int_,
    "long": np.int_,
    "object": np.object_,
    "str": np.str_,
    "unicode": np.str_,
    "unicode_": np.str_,
}
_ABSENT = object()


@contextmanager
def borrowed(seed: int = 0) -> Iterator[None]:
    """Provide what RecBole requires; random numbers inside depend on ``seed`` only, those outside are unaffected.

    RecBole draws from process-wide generators, so only one thread can be inside at a time; others block.
    """
    with ExitStack() as undo:
        undo.enter_context(process_wide(seed))  # first, as it exits last: one thread at a time changes global state
        undo.callback(random.setstate, random.getstate())
        _keep(undo, sys, {"argv": sys.argv[:1]})
        _keep(undo, np, {name: value for name, value in NUMPY_NAMES.items() if name not in vars(np)})
        _keep(undo, np, dict.fromkeys(NUMPY_NAMES, _ABSENT))
        _keep(undo, sp.dok_matrix, {"_update": lambda matrix, entries: matrix._dict.update(entries)})
        _keep(undo, yaml.FullLoader, dict.fromkeys(("yaml_implicit_resolvers",), _ABSENT))
        _keep(undo, sys, dict.fromkeys(("stdout", "stderr"), _ABSENT))  # its logger wraps them in colours
        undo.callback(_restore_root_logger, list(logging.root.handlers), logging.root.level)
        anomalies = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()
        undo.callback(torch.autograd.set_detect_anomaly, *anomalies)  # SINE's module enables it
        for flag in ("deterministic", "benchmark"):
            undo.callback(setattr, torch.backends.cudnn, flag, getattr(torch.backends.cudnn, flag))
        undo.callback(_restore_environment, dict(os.environ))
        undo.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002  (RecBole draws from the global one)
        undo.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # they concern RecBole's own code
        np.random.seed(seed % 2**32)  # noqa: NPY002
        random.seed(seed)
        yield


@contextmanager
def inside(training: bool) -> Iterator[None]:
    """``borrowed`` for a model's call: random numbers depend on the epoch while training, and are fixed otherwise."""
    with borrowed(drawn_seed() if training else 0):
        yield


def drawn_seed() -> int:
    """Draw a seed from the run's generator, so that RecBole's random numbers depend on the run's seed."""
    return int(torch.randint(2**62, (), generator=generator()))


def _keep(undo: ExitStack, owner: Any, values: Mapping[str, Any]) -> None:
    """Set attributes (``_ABSENT``: leave them unchanged), and restore the previous values on exit."""
    for name, value in values.items():
        undo.callback(_put_back, owner, name, vars(owner).get(name, _ABSENT))
        if value is not _ABSENT:
            setattr(owner, name, value)


def _put_back(owner: Any, name: str, value: Any) -> None:
    if value is not _ABSENT:
        setattr(owner, name, value)
    elif name in vars(owner):
        delattr(owner, name)


def _restore_root_logger(handlers: list[logging.Handler], level: int) -> None:
    for handler in [h for h in logging.root.handlers if h not in handlers]:
        handler.close()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def _restore_environment(before: Mapping[str, str]) -> None:
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)
