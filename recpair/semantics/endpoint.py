"""Client of an OpenAI-compatible server: validated responses, one-line errors, the key in memory only."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError

from recpair.errors import ConfigError, EndpointError

Shape = TypeVar("Shape", bound=BaseModel)


class Message(BaseModel):
    """Message of a model, or its refusal."""

    content: str | None = None
    refusal: str | None = None


class Choice(BaseModel):
    """One answer, and the reason why it ended."""

    message: Message
    finish_reason: str | None = None


class Chat(BaseModel):
    """Response of the protocol's chat completions: the fields that are read."""

    choices: list[Choice] = Field(min_length=1)


class Vector(BaseModel):
    """The vector of the text at a position of the request."""

    index: int
    embedding: list[float] = Field(min_length=1)


class Vectors(BaseModel):
    """Response of the protocol's embeddings: the fields that are read."""

    data: list[Vector] = Field(min_length=1)


@dataclass
class Pace:
    """Rate limit on requests per minute, evenly spaced, over all threads."""

    per_minute: int | None
    next_start: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        if self.per_minute is None:
            return
        with self.lock:
            start = max(time.monotonic(), self.next_start)
            self.next_start = start + 60 / self.per_minute
        time.sleep(max(0.0, start - time.monotonic()))


@dataclass
class Endpoint:
    """An endpoint for requests from several threads.

    Attributes:
        section: section of the config, for messages.
        key_variable: environment variable that holds the key; None if no key is required.
        retries: of one request after 408, 409, 429, 5xx, a time-out or a broken connection, with exponential backoff or
            the delay requested by the server.
        closed: if True, nothing is sent and no key is read: the address comes from a run folder, possibly another
            person's.
    """

    section: str
    base_url: str
    key_variable: str | None
    timeout: float
    retries: int
    pace: Pace
    closed: bool = False

    def chat(self, model: str, prompt: str) -> Choice:
        """Return the first answer to a prompt."""
        self._require_open()
        messages = [{"role": "user", "content": prompt}]
        create = self._client.chat.completions.with_raw_response.create
        return self._ask(create, Chat, model=model, messages=messages).choices[0]

    def embed(self, texts: list[str], **request: Any) -> list[list[float]]:
        """Return a vector per text."""
        self._require_open()
        create = self._client.embeddings.with_raw_response.create
        vectors = self._ask(create, Vectors, input=texts, encoding_format="float", **request).data
        if sorted(vector.index for vector in vectors) != list(range(len(texts))):
            raise EndpointError(
                f"{self.base_url} gave {len(vectors)} vectors for {len(texts)} texts; expected one each"
            )
        return [vector.embedding for vector in sorted(vectors, key=lambda vector: vector.index)]

    def _require_open(self) -> None:
        if self.closed:
            raise EndpointError(
                f"{self.section}.base_url {self.base_url} comes from a run folder, so it is not called and no key is sent; "
                f"kept answers alone are used, and some are missing: give your own config with --config"
            )

    def _ask(self, create: Callable[..., Any], shape: type[Shape], **request: Any) -> Shape:
        import openai

        self.pace.wait()
        try:
            content = create(**request).content
        except openai.APITimeoutError:
            raise EndpointError(
                f"{self.base_url} did not answer within {self.timeout:g} s, tried {self.retries + 1} times; "
                f"try later, or raise {self.section}.timeout"
            ) from None
        except openai.APIConnectionError as error:
            raise EndpointError(f"cannot reach {self.base_url} ({error.__cause__ or error}); is it running?") from None
        except openai.APIStatusError as error:
            said, advice = self._without_key(error.message), self._advice(error.status_code)
            raise EndpointError(f"{self.base_url} answers {error.status_code} ({said}); {advice}") from None
        try:
            return shape.model_validate_json(content)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False)[0]
            raise EndpointError(
                f"{self.base_url} does not speak the OpenAI protocol: {'.'.join(map(str, wrong['loc'])) or 'its answer'}: "
                f"{wrong['msg']}; check {self.section}.base_url"
            ) from None

    @cached_property
    def _client(self) -> Any:
        try:
            import openai
        except ModuleNotFoundError:
            raise ConfigError(f"{self.section} calls an endpoint: run pip install 'recpair[llm]'") from None
        return openai.OpenAI(
            api_key=self._key or "none", base_url=self.base_url, timeout=self.timeout, max_retries=self.retries
        )

    @cached_property
    def _key(self) -> str | None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ConfigError(
                f"{self.section}.base_url must be of the form https://host/v1, without a name or password in it; "
                f"the key comes from the environment ({self.section}.key_variable)"
            )
        if self.key_variable is None:
            return None
        key = os.environ.get(self.key_variable)
        if not key:
            raise ConfigError(
                f"{self.section}.key_variable is {self.key_variable}, which is not set in the environment; set it, or "
                f"use {self.section}.key_variable=null if the endpoint needs no key"
            )
        return key

    def _without_key(self, text: str) -> str:
        text = " ".join(text.split())
        return (text.replace(self._key, "…") if self._key else text)[:200]

    def _advice(self, status: int) -> str:
        if status in (401, 403):
            return f"check the key in ${self.key_variable}"
        if status == 429:
            return f"lower {self.section}.requests_per_minute, or check the account's limit"
        if status >= 500:
            return f"tried {self.retries + 1} times; try later"
        return f"check {self.section}.model and {self.section}.base_url"
