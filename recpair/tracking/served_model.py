"""Code of the MLflow models that recpair writes: copied into the model, and executed when it is loaded."""

from mlflow.models import set_model

from recpair.tracking.requests import Recommendations

set_model(Recommendations())
