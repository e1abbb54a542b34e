"""Vectors from an OpenAI-compatible embeddings endpoint."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from recpair.errors import EndpointError
from recpair.semantics.endpoint import Endpoint, Pace


class EmbeddingsEndpoint:
    """Requests vectors from ``base_url``/embeddings, ``batch_size`` texts at a time.

    Args:
        model: name of the model on the server.
        base_url: URL up to and including the version, https://host/v1.
        key_variable: environment variable with the key, which is read when needed and never stored.
        dimensions: size of the vectors to request, for models that can shorten them.
        timeout: seconds per request.
        retries: after 429, 5xx, a time-out or a broken connection.
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str = "https://api.openai.com/v1",
        key_variable: str | None = "OPENAI_API_KEY",
        dimensions: PositiveInt | None = None,
        batch_size: PositiveInt = 128,
        requests_per_minute: PositiveInt | None = None,
        timeout: PositiveFloat = 60.0,
        retries: NonNegativeInt = 5,
    ) -> None:
        self.model, self.dimensions, self.batch_size = model, dimensions, batch_size
        self.endpoint = Endpoint("semantics", base_url, key_variable, timeout, retries, Pace(requests_per_minute))

    def identity(self) -> tuple[Any, ...]:
        return ("openai", self.endpoint.base_url, self.model, self.dimensions)

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "E D"]:
        request = {"model": self.model} | ({"dimensions": self.dimensions} if self.dimensions else {})
        vectors: list[list[float]] = []
        for start in range(0, len(texts), self.batch_size):
            vectors += self.endpoint.embed(list(texts[start : start + self.batch_size]), **request)
        if len(lengths := {len(vector) for vector in vectors}) > 1:
            raise EndpointError(
                f"{self.endpoint.base_url} gave vectors of {sorted(lengths)} numbers; expected one length for all"
            )
        return np.array(vectors, dtype=np.float32)
