"""Signatures read from source equal those that inspect reads after the import, and reading imports no heavy library."""

import inspect
import subprocess
import sys

import pytest

from recpair import signatures
from recpair.evaluation import METRICS, metrics
from recpair.experiment import schema
from recpair.integrations import MODEL_SIGNATURES
from recpair.losses import Pointwise
from recpair.registry import options
from recpair.signatures import Reference

REFERENCES = {
    f"{section}: {component.name}": component
    for section, spec in schema.SCHEMA.items()
    for component in [*spec.functions, *(spec.choices or {}).values()]
    if isinstance(component, Reference)
} | {f"metrics: {name}": component for name, component in METRICS.items()}
HEAVY = ("torch", "numba", "numpy", "polars", "scipy", "matplotlib", "mlflow", "lightning_fabric", "pyarrow", "recbole")


@pytest.mark.parametrize("reference", REFERENCES.values(), ids=REFERENCES)
def test_source_and_inspect_read_the_same_signature(reference):
    component = reference.load()
    assert repr(options(reference)) == repr(options(component))
    component = component.positive if isinstance(component, Pointwise) else component
    supplied = [p.name for p in inspect.signature(component).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    read = signatures.signature(reference).parameters.values()
    assert [p.name for p in read if p.kind is p.POSITIONAL_OR_KEYWORD] == supplied


def test_every_component_of_every_registry_is_read():
    assert len(REFERENCES) >= 45
    assert set(MODEL_SIGNATURES) == set(Reference.of("recpair.models:MODELS").load())
    assert set(METRICS) == set(metrics.METRICS)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train.epoch=3"], "did you mean epochs?"),
        (["modle.name=mf"], "did you mean model?"),
        (["model.name=sasrek"], "did you mean sasrec?"),
        (["model.embedding_dim=many"], "input should be a valid integer"),
        (["terms=[{name: cl4srek}]"], "did you mean cl4srec?"),
        (["semantics.name=wordlama"], "did you mean wordllama?"),
        (["evaluate.metrics=[ndgc]"], "did you mean ndcg?"),
        (["train.embedding_dim=3"], "did you mean model.embedding_dim?"),
    ],
)
def test_a_mistake_is_reported_before_the_heavy_libraries_load(overrides, message):
    """In a process of its own: here they have been imported long ago."""
    code = (
        "import sys; from recpair.cli import main; from recpair.experiment.loading import load_config; import recpair\n"
        "try: load_config({}, sys.argv[1:])\n"
        "except recpair.RecpairError as error: print(error)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *overrides], capture_output=True, text=True, check=True)
    said, loaded = done.stdout.splitlines()
    assert message in said
    assert loaded == "[]"
