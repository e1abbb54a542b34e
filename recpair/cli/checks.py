"""Diagnosis of the installation: versions, devices, optional features, data sets."""

import importlib.util
import os
import platform

from recpair import shipped
from recpair.data.events import SOURCES, Generated
from recpair.errors import DataError
from recpair.run.environment import versions

FEATURES = {
    "MovieLens-100K, RecBole's models": ("recbole", "pip install recbole==1.2.1 (Python 3.11 only)"),
    "pandas in, pandas out": ("pandas", "pip install pandas"),
    "text vectors and neighbours": ("wordllama", "pip install 'recpair[text]'"),
    "text vectors by sentence-transformers": ("sentence_transformers", "pip install 'recpair[text-st]'"),
    "descriptions by a language model": ("openai", "pip install 'recpair[llm]'"),
    "export of vectors": ("faiss", "pip install 'recpair[vectors]'"),
    "export to ONNX": ("onnxscript", "pip install 'recpair[onnx]'"),
    "tuning": ("optuna", "pip install 'recpair[tune]'"),
}


def findings() -> dict[str, list[tuple[str, str]]]:
    """Tables by title, as (name, value) rows: versions, devices, threads, features, data sets, configs."""
    return {
        "versions": [("python", platform.python_version())]
        + [(name, version or "not installed") for name, version in versions().items()],
        "devices and threads": _devices(),
        "features": [
            (feature, "ready" if importlib.util.find_spec(module) else f"missing: {remedy}")
            for feature, (module, remedy) in FEATURES.items()
        ],
        "data sets": [(name, _located(name)) for name in SOURCES],
        "configs (recpair fit --config NAME)": _configs(),
    }


def _devices() -> list[tuple[str, str]]:
    import numba
    import torch
    from threadpoolctl import threadpool_info

    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    pools = [f"{pool['internal_api']} {pool['num_threads']}" for pool in threadpool_info()]
    return [
        ("processor cores", str(os.cpu_count())),
        ("accelerators", ", ".join(devices) or "none (training runs on the processor)"),
        ("torch threads", str(torch.get_num_threads())),
        ("numba threads", str(numba.config.NUMBA_NUM_THREADS)),
        ("thread pools of BLAS and OpenMP", ", ".join(pools) or "none loaded"),
    ]


def _configs() -> list[tuple[str, str]]:
    """One row per data set: the names of the configs that ship with recpair."""
    rows: dict[str, list[str]] = {}
    for name in shipped.names():
        rows.setdefault(name.partition("/")[0], []).append(name)
    return [(data, ", ".join(found)) for data, found in rows.items()]


def _located(name: str) -> str:
    try:
        found = SOURCES[name]()
        return "generated when it is read" if isinstance(found, Generated) else str(found.events)
    except DataError as error:
        return str(error)
