"""What the design promises of the tree itself: one home per library, one legend of axes, indexes that are whole."""

import ast
import re
from pathlib import Path

import pytest

from recpair.axes import AXES
from recpair.comparison import COMPARISONS
from recpair.data import SOURCES, SPLITS
from recpair.denoising import DENOISERS
from recpair.evaluation.legend import LEGEND
from recpair.evaluation.metrics import METRICS
from recpair.losses import LOSSES
from recpair.mining import MINERS
from recpair.models import MODELS
from recpair.registry import options
from recpair.sampling import NEGATIVES, SAMPLERS
from recpair.semantics import ENCODERS
from recpair.terms import TERMS

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "recpair").rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def imported(tree: ast.AST) -> set[str]:
    """Top-level names of everything that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_typer_is_imported_by_the_command_line_only():
    assert {path.parent.name for path, tree in TREES.items() if "typer" in imported(tree)} == {"cli"}


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("numba", {"kernels.py", "checks.py"}),
        (
            "mlflow",
            {
                *("logged_model.py", "mlflow_tracker.py", "pyfunc.py", "requests.py"),
                *("served_model.py", "server.py", "store.py"),
            },
        ),
        ("recbole", {"component.py"}),
        ("matplotlib", {"figures.py", "plots.py", "report.py", "study_plots.py"}),
        ("rich", {"console.py"}),
        ("lightning_fabric", {"launch.py", "loop.py"}),
        ("faiss", {"neighbours.py", "vectors.py"}),
        ("onnx_ir", {"export.py"}),
        ("onnxruntime", {"check.py"}),
        ("wordllama", {"word_llama.py"}),
        ("openai", {"endpoint.py"}),
        ("optuna", {"ask.py", "search.py", "space.py", "store.py", "trial.py", "tune.py"}),
        ("sentence_transformers", {"sentence_transformer.py"}),
        ("fastapi", {"server.py", "web.py"}),
        ("starlette", {"web.py"}),
        ("uvicorn", {"server.py"}),
        ("pickle", set()),
    ],
)
def test_a_library_is_imported_in_its_home_only(library, homes):
    assert {path.name for path, tree in TREES.items() if library in imported(tree)} == homes


def test_the_library_logs_and_does_not_print():
    """Only the command line and the display of notebooks print; everything else uses the logger ``recpair``."""
    calls = {path: [node for node in ast.walk(tree) if isinstance(node, ast.Call)] for path, tree in TREES.items()}
    printing = {path.relative_to(ROOT / "recpair") for path, found in calls.items() if "print" in map(called, found)}
    assert {path for path in printing if path.parts[0] != "cli"} == {Path("notebook.py")}


def called(node):
    """Name of the function of a call, or None."""
    return getattr(node.func, "id", None)


def test_axes_of_annotations_are_in_the_legend():
    unknown = {(name, axis) for name, each in LEGEND.items() for axis in each.shape.split() if axis not in AXES}
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.value, ast.Name)
                and node.value.id in ("Float", "Int", "Bool")
            ):
                shape = node.slice.elts[1].value
                unknown |= {(path.name, axis) for axis in shape.split() if axis not in AXES and axis not in ("_", "1")}
    assert unknown == set()


def lines_of(function):
    """Number of lines of the body, without the docstring."""
    first = function.body[min(1, len(function.body) - 1) if ast.get_docstring(function) is not None else 0]
    return function.end_lineno - first.lineno + 1


def test_files_and_functions_fit_their_bounds():
    long_files = [path.name for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > 400]
    long_functions = [
        f"{path.name}:{node.name}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (lines_of(node) > 60 or node.end_lineno - node.lineno >= 80)
    ]
    assert long_files == []
    assert long_functions == []


def test_no_name_that_says_nothing():
    assert not [path for path in FILES if path.stem in {"utils", "util", "common", "helpers", "base", "misc"}]


def test_every_component_documents_itself_and_has_typed_options():
    for registry in (
        LOSSES,
        MODELS,
        SAMPLERS,
        NEGATIVES,
        DENOISERS,
        MINERS,
        TERMS,
        ENCODERS,
        SPLITS,
        SOURCES,
        METRICS,
        COMPARISONS,
    ):
        for name, component in registry.items():
            if component.__name__ == "<lambda>":
                continue
            assert component.__doc__, name
            assert all(annotation is not type(None) for annotation, _ in options(component).values()), name


def test_every_public_name_has_a_docstring():
    missing = [
        f"{path.name}:{node.name}"
        for path, tree in TREES.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert missing == []


def test_no_component_receives_a_config():
    """Below the composition root plain arguments only: nobody else imports Config but those who read it."""
    imports = re.compile(
        r"from recpair\.config import .*\bConfig\b|import recpair\.config|from recpair import .*\bconfig\b"
    )
    users = {path.relative_to(ROOT / "recpair") for path, tree in TREES.items() if imports.search(ast.unparse(tree))}
    roots = ("experiment", "tuning")
    assert {str(path) for path in users if path.parent.name not in roots} == {"__init__.py", "cli/fit.py"}


SEEDED = {"default_rng", "Generator", "SeedSequence", "Philox"}
FILLS = re.compile(
    r"(bernoulli|cauchy|exponential|geometric|log_normal|normal|random|uniform|trunc_normal|orthogonal|sparse"
    r"|xavier_\w+|kaiming_\w+)_"
)
DRAWS = re.compile(r"torch\.(rand|randn|randint|randperm|multinomial|bernoulli|normal|poisson)(_like)?")
LAYERS = re.compile(
    r"(torch\.)?nn\.(Linear|Bilinear|Embedding\w*|GRU|LSTM|RNN|Conv\w+|Transformer\w*|Multihead\w+|\w*Dropout\w*)"
)


def process_wide_draw(call: ast.Call) -> bool:
    """A call that would draw from a generator of the whole process, or set it."""
    name = ast.unparse(call.func)
    if re.fullmatch(r"(np|numpy)\.random\.\w+", name):
        return name.rpartition(".")[2] not in SEEDED or not (call.args or call.keywords)
    if DRAWS.fullmatch(name) or FILLS.fullmatch(name.rpartition(".")[2]):
        return "generator" not in {keyword.arg for keyword in call.keywords}
    return bool(LAYERS.fullmatch(name)) or name in {
        *("torch.manual_seed", "torch.seed", "torch.cuda.manual_seed", "seed_everything", "random.seed"),
        *("torch.dropout", "torch.nn.functional.dropout", "functional.dropout", "nn.functional.dropout", "F.dropout"),
    }


def test_nothing_draws_from_process_wide_generators():
    """Two runs in two threads would disturb each other; RecBole's own draws are seeded by its bridge, under a lock."""
    elsewhere = {path: tree for path, tree in TREES.items() if "recbole" not in path.parts and path.name != "seeds.py"}
    found = [
        f"{path.name}:{node.lineno}: {ast.unparse(node)}"
        for path, tree in elsewhere.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and process_wide_draw(node)
    ]
    assert found == []
    assert not [path for path, tree in elsewhere.items() if "random" in imported(tree)]


@pytest.mark.parametrize(
    "line",
    ["torch.rand(3)", "x.bernoulli_(0.5)", "nn.init.normal_(w, std=1)", "nn.Linear(2, 3)", "np.random.rand(3)"],
)
def test_a_process_wide_draw_is_recognised(line):
    assert process_wide_draw(ast.parse(line).body[0].value)


def test_the_root_logger_is_left_alone():
    assert not [
        path.name for path in FILES if re.search(r"logging\.(basicConfig|info|warning|error)\(", path.read_text())
    ]


def test_data_cards_exist_for_every_named_set():
    for name in SOURCES:
        card = (ROOT / "data" / name / "README.md").read_text(encoding="utf-8")
        assert all(word in card for word in ("**Source**", "**Licence**", "**Checksum**", "**Counts**")), name
