"""MLflow model of a run: answers requests of MLflow's server, of ``mlflow.pyfunc.load_model`` and of ``spark_udf``."""

import functools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PyFuncModel, PythonModel, PythonModelContext

from recpair.errors import ConfigError, DataError, RecpairError, RunError, UnknownIdError
from recpair.plugins import import_modules
from recpair.run.answers import answers, check_columns, checked
from recpair.run.run import Run

RUN = "run"  # name of the artifact with the files of the run folder
PLUGINS = "plugins"  # key of the model's config: modules of components from outside recpair
LISTS = ("items", "exclude")  # parameters whose default in a signature is the empty list: they are not given
OF_THE_REQUEST = (ConfigError, DataError, RunError, UnknownIdError)  # other errors may name paths of the server

logger = logging.getLogger("recpair")


class RequestError(MlflowException):  # type: ignore[misc]
    """Error that the client receives as one line; MLflow would put the data of the request before the message."""

    def __init__(self, message: str, error_code: int = INVALID_PARAMETER_VALUE) -> None:
        super().__init__(message, error_code=error_code)
        self.line = message

    def serialize_as_json(self) -> str:
        """Return the body of the response."""
        self.message = self.line
        return str(super().serialize_as_json())


class Recommendations(PythonModel):  # type: ignore[misc]
    """Model from code whose artifact is a run folder; a row of its output has the best items of a row of its input."""

    run: Run

    def load_context(self, context: PythonModelContext) -> None:
        """Open the run folder among the model's artifacts."""
        folder = str(Path(context.artifacts[RUN]))
        config = context.model_config or {}
        handed = _opened.pop(folder) if folder in _opened else None
        self.run = handed or Run.open(folder, import_modules(config.get(PLUGINS, [])))
        check_requests_first()

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return item_id and score, lists of the best items of each row; see ``recpair.run.answers``."""
        given = {name: value for name, value in (params or {}).items() if name not in LISTS or len(value)}
        found: pd.DataFrame = _answered(lambda: self._answers(model_input, given))
        return found

    def _answers(self, rows: pd.DataFrame, parameters: Mapping[str, Any]) -> pd.DataFrame:
        columns = {str(name): rows[name].tolist() for name in rows.columns}
        return pd.DataFrame(answers(self.run, columns, parameters))

    def checked(self, data: Any, params: Any) -> dict[str, Any]:
        """Check a request before MLflow changes it; return its parameters, with ids as the text of the signature."""

        def check() -> dict[str, Any]:
            if isinstance(data, pd.DataFrame | Mapping):
                check_columns(data.keys())
            given = checked(self.run, {} if params is None else params)
            return given | {name: given[name].cast(str).to_list() for name in LISTS if name in given}

        found: dict[str, Any] = _answered(check)
        return found


_opened: dict[str, Run] = {}  # runs that are open already, by the folder of their artifact


def hand_over(run: Run, model: Path) -> None:
    """Let the next ``load_model`` of a model folder in this process use an open run."""
    _opened[str(model / "artifacts" / RUN)] = run


def check_requests_first() -> None:
    """Extend ``PyFuncModel.predict`` to check the requests of recpair's models before MLflow does.

    MLflow drops parameters and columns that are not in the signature without an error, and its messages about wrong types
    have several lines with the data of the request. The requests of other models are not changed.
    """
    predict = PyFuncModel.predict
    if getattr(predict, "checks_requests", False):
        return

    @functools.wraps(predict)
    def checking(self: PyFuncModel, data: Any, params: Any = None) -> Any:
        model = getattr(self._model_impl, "python_model", None)
        if isinstance(model, Recommendations):
            params = model.checked(data, params)
        return predict(self, data, params)

    checking.checks_requests = True  # type: ignore[attr-defined]
    PyFuncModel.predict = checking


def _answered(answer: Any) -> Any:
    """Call a function; its errors become one line for the client, and a traceback in the log if they are internal."""
    try:
        return answer()
    except OF_THE_REQUEST as error:
        raise RequestError(str(error)) from None
    except Exception as error:  # anything else would be sent to the client with its traceback
        logger.exception("internal error while answering a request")
        kind = "recpair" if isinstance(error, RecpairError) else type(error).__name__
        raise RequestError(f"internal error ({kind}); the log of the server has the details", INTERNAL_ERROR) from None
