"""Reference page of the Python API: the public names of the package, and the contracts of components."""

import dataclasses
import inspect
from typing import Any

from rst import heading

import recpair
from recpair import testing

CONTRACTS = {
    "Models": ("recpair.models", ["Model", "GradientModel", "SequenceModel", "FittedModel", "Scorer", "Vectors"]),
    "Losses": ("recpair.losses", ["positives", "pointwise"]),
    "Terms": ("recpair.terms", ["Term"]),
    "Denoisers": ("recpair.denoising", ["Denoiser", "Pool", "Choice"]),
    "Comparisons": ("recpair.comparison", ["Comparison"]),
    "Batches": ("recpair.batch", ["Batch"]),
    "Random numbers": ("recpair.seeds", ["generator"]),
    "Contract tests": ("recpair.testing", sorted(testing.__all__)),
}
INTRODUCTION = (
    "Names of ``recpair`` are stable between minor versions (:doc:`/docs/stability`). They are imported on first use, so "
    "that ``import recpair`` is fast.\n\n"
)
EXTENSION = (
    "Base classes, decorators and values for components of your own; :doc:`/docs/extend` shows how they are used.\n\n"
)


def pages() -> dict[str, str]:
    """Names and texts of the pages."""
    public = {name: getattr(recpair, name) for name in recpair.__all__}
    functions = [name for name, each in public.items() if not inspect.isclass(each)]
    classes = [name for name, each in public.items() if inspect.isclass(each)]
    first = [name for name in ("fit", "load", "load_config", "evaluate") if name in functions]
    functions = first + [name for name in functions if name not in first]
    parts = [heading("API"), INTRODUCTION]
    parts += [heading("Functions", 2), *(described("recpair", name) for name in functions)]
    parts += [heading("Classes", 2), *(described("recpair", name) for name in classes)]
    own = [heading("Contracts of components"), EXTENSION]
    for title, (module, names) in CONTRACTS.items():
        own += [heading(title, 2), *(described(module, name) for name in names)]
    return {"reference/api.rst": "".join(parts), "reference/contracts.rst": "".join(own)}


def described(module: str, name: str) -> str:
    """Directive of autodoc; fields of a dataclass are described by its docstring."""
    found: Any = getattr(__import__(module, fromlist=[name]), name)
    if not inspect.isclass(found):
        return f".. autofunction:: {module}.{name}\n\n"
    kind = "autoexception" if issubclass(found, BaseException) else "autoclass"
    fields = [field.name for field in dataclasses.fields(found)] if dataclasses.is_dataclass(found) else []
    members = "   :members:\n" + (f"   :exclude-members: {', '.join(fields)}\n" if fields else "")
    return f".. {kind}:: {module}.{name}\n{members}\n"
