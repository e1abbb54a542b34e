"""Trained models as ONNX files, checked with onnxruntime."""

import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from recpair import files
from recpair.data.interactions import Interactions
from recpair.errors import RunError
from recpair.integrations.embeddings import Trained
from recpair.integrations.onnx.build import graph_of
from recpair.integrations.onnx.check import largest_difference
from recpair.integrations.onnx.graphs import Graph, UserGraph
from recpair.models import Model

OPSET = 20
TOLERANCE = 1e-5  # of scores, relative to the largest score if it is above 1
LOGGERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")


def write_onnx(folder: Path, model: Model, train: Interactions, origin: Mapping[str, Any]) -> None:
    """Write ``model.onnx``, ``items.parquet``, ``metadata.json``, and ``users.parquet`` for a graph of users.

    Inputs: ``history`` (int64 (Q, L), padded with −1 on the left) or ``user`` (int64 (Q,)); ``k`` (int64, at most I);
    ``exclude_seen`` (bool). Outputs: ``items`` (int64 (Q, k)) and ``scores`` (float32 (Q, k)), −1 and −∞ where fewer than
    k items are left; ties go to the lower index. Users and items are given by their rows in the tables, from 0. The
    metadata of the ONNX model holds the ids too, as JSON lists.

    Args:
        origin: values for the metadata; ``model``, the name of the model, is used in messages too.

    Raises:
        RunError: onnx, onnxscript or onnxruntime is not installed, the model has no graph, or scores by onnxruntime
            differ from the model's by more than ``TOLERANCE``.
    """
    _require()
    name = origin["model"]
    trained = Trained.of(train)
    graph = graph_of(model, name, train, trained).eval()
    query = "user" if isinstance(graph, UserGraph) else "history"
    ids = {"items.parquet": trained.item_ids} | ({"users.parquet": trained.user_ids} if query == "user" else {})
    about: dict[str, Any] = {
        "query": query,
        "items": len(trained.items),
        "users": len(trained.users),
        "opset": OPSET,
        **origin,
    }
    if hasattr(model, "history_length"):
        about["history_length"] = model.history_length
    lists = {f"{column.name}s": json.dumps(column.to_list(), ensure_ascii=False) for column in ids.values()}
    _save(folder / "model.onnx", graph, query, {key: str(value) for key, value in about.items()} | lists)
    for file, column in ids.items():
        files.write_frame(folder / file, column.to_frame())
    queries, difference, scale = largest_difference(folder / "model.onnx", query, model, train, trained)
    if not difference <= TOLERANCE * max(1.0, scale):
        raise RunError(
            f"scores of the exported model {name} differ from those of the run by {difference:.1e}, expected at most "
            f"{TOLERANCE * max(1.0, scale):.1e}; report it, or choose another format"
        )
    about["checked"] = {"queries": queries, "largest_difference": difference, "largest_score": scale}
    files.write_json(folder / "metadata.json", about)


def _save(path: Path, graph: Graph, query: str, metadata: dict[str, str]) -> None:
    """Trace a graph and write it; weights above 2 GB go to a second file, ``model.onnx.data``."""
    import onnx_ir as ir

    example = torch.zeros((2,) if query == "user" else (2, 3), dtype=torch.int64)
    labels = ("batch",) if query == "user" else ("batch", "length")
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph,
            (example, torch.tensor(1), torch.tensor(True)),
            input_names=[query, "k", "exclude_seen"],
            output_names=["items", "scores"],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=({axis: torch.export.Dim(label) for axis, label in enumerate(labels)}, {}, {}),
            verbose=False,
        )
        assert program is not None
        traced = program.model
        _remove_notes(traced)
        for output in traced.graph.outputs:
            output.shape = ir.Shape(["batch", "k"])
        traced.metadata_props.update(metadata)
        program.save(path)


def _remove_notes(traced: Any) -> None:
    """Remove what the exporter notes about its work: source lines with paths of this machine, and signatures."""
    traced.graph.metadata_props.clear()
    for value in (*traced.graph.inputs, *traced.graph.initializers.values()):
        value.metadata_props.clear()
    for node in traced.graph:
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()


def _require() -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise RunError(f"the format onnx needs {package}: run pip install 'recpair[onnx]'")


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the warnings and log messages of torch's exporter."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
