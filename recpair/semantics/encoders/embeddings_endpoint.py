"""Vectors from an OpenAI-compatible embeddings endpoint."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from recpair.errors import EndpointError
from recpair.semantics.endpoint import Endpoint, Pace


class EmbeddingsEndpoint:
    """Asks ``base_url``/embeddings, ``batch_size`` texts at a time.

    Args:
        model: as the server calls it.
        base_url: up to and with the version, https://host/v1.
        key_variable: the environment variable with the key; it is read when it is needed and stored nowhere.
        dimensions: how many numbers to ask for, of models that can shorten their vectors.
        timeout: seconds for one request.
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
