"""Descriptions of items and summaries of histories by a language model behind an OpenAI-compatible endpoint."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from recpair.errors import ConfigError, EndpointError
from recpair.semantics.answers import Answers
from recpair.semantics.endpoint import Endpoint, Pace
from recpair.semantics.progress import Report
from recpair.semantics.store import fingerprint

logger = logging.getLogger("recpair")

PROMPTS = Path(__file__).parent / "prompts"
CHARACTERS_PER_TOKEN = 4  # of English text, by the usual rule of thumb
ANSWER_TOKENS = 130  # about a hundred words
UNFINISHED = {"length": "cut off before its end", "content_filter": "stopped by a filter"}


@dataclass(frozen=True)
class Job:
    """A request to the language model.

    Attributes:
        key: the fingerprint of the prompt, the model and the text.
        name: subject of the request, for messages.
    """

    key: str
    prompt: str
    name: str


@dataclass(frozen=True)
class Estimate:
    """Number of outstanding requests and their approximate cost; ``cost`` is None if no prices are given."""

    requests: int
    kept: int
    tokens_in: int
    tokens_out: int
    cost: float | None

    def __str__(self) -> str:
        cost = "" if self.cost is None else f", about {self.cost:,.2f} by the prices in describe"
        return (
            f"{self.requests:,} requests ({self.kept:,} answers are there already), about {self.tokens_in:,} tokens in and "
            f"{self.tokens_out:,} out{cost}"
        )


class Describer:
    """Requests ``base_url``/chat/completions for each item, each history, or both.

    Args:
        model: name of the model on the server.
        items, histories: the subjects of the requests.
        base_url: URL up to and including the version, https://host/v1.
        key_variable: environment variable with the key, which is read when needed and never stored.
        item_prompt, history_prompt: custom prompt files with ``{text}`` in them, instead of the package's.
        history_template: format of an item in a history, from columns of the side table.
        history_length: number of latest items of a history in the prompt.
        concurrency: number of concurrent requests.
        requests_per_minute: rate limit of first tries; retries have their own delay.
        timeout: seconds per request.
        retries: after 429, 5xx, a time-out or a broken connection.
        price_in, price_out: price of a million tokens, in any currency, for the estimate.
    """

    def __init__(
        self,
        *,
        model: str,
        items: bool = True,
        histories: bool = False,
        base_url: str = "https://api.openai.com/v1",
        key_variable: str | None = "OPENAI_API_KEY",
        item_prompt: str | None = None,
        history_prompt: str | None = None,
        history_template: str = "{title}",
        history_length: PositiveInt = 20,
        concurrency: PositiveInt = 8,
        requests_per_minute: PositiveInt | None = None,
        timeout: PositiveFloat = 60.0,
        retries: NonNegativeInt = 5,
        price_in: NonNegativeFloat | None = None,
        price_out: NonNegativeFloat | None = None,
    ) -> None:
        self.model, self.items, self.histories = model, items, histories
        self.history_template, self.history_length = history_template, history_length
        self.concurrency, self.price_in, self.price_out = concurrency, price_in, price_out
        self.item_prompt = _prompt(item_prompt, "item")
        self.history_prompt = _prompt(history_prompt, "history")
        self.endpoint = Endpoint("describe", base_url, key_variable, timeout, retries, Pace(requests_per_minute))

    def jobs(self, prompt: str, texts: Sequence[str], names: Sequence[str]) -> list[Job | None]:
        """Return a request for each text, None for an empty one; equal texts have equal keys."""
        return [
            Job(fingerprint(prompt, self.model, text), prompt.replace("{text}", text), name) if text else None
            for text, name in zip(texts, names, strict=True)
        ]

    def estimate(self, jobs: Sequence[Job | None], answers: Answers) -> Estimate:
        """Estimate the cost of the jobs that have no answer yet."""
        known = {job.key: job for job in jobs if job is not None}
        open_jobs = [job for job in known.values() if job.key not in answers]
        tokens_in = sum(len(job.prompt) for job in open_jobs) // CHARACTERS_PER_TOKEN
        tokens_out = ANSWER_TOKENS * len(open_jobs)
        cost = None
        if self.price_in is not None and self.price_out is not None:
            cost = (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6
        return Estimate(len(open_jobs), len(known) - len(open_jobs), tokens_in, tokens_out, cost)

    def ask(self, jobs: Sequence[Job | None], answers: Answers, what: str, report: Report) -> list[str]:
        """Return an answer for each job, "" where there is none; each is stored as soon as it arrives.

        Raises:
            EndpointError: the server is unreachable or rejects a request, or, after all others were sent, an answer is
                unusable.
        """
        logger.info("%s: %s", what, self.estimate(jobs, answers))
        distinct = {job.key: job for job in jobs if job is not None and job.key not in answers}
        bad: list[str] = []
        pool = ThreadPoolExecutor(self.concurrency)
        try:
            running = [pool.submit(self._answer, job, answers) for job in distinct.values()]
            for done, future in enumerate(as_completed(running), start=1):
                if wrong := future.result():
                    bad.append(wrong)
                report(what, done, len(running))
        finally:
            pool.shutdown(cancel_futures=True)
        if bad:
            raise EndpointError(
                f"{len(bad):,} of {len(distinct):,} answers of {self.model} cannot be used ({'; '.join(sorted(bad)[:3])}); "
                f"the others are kept: run it again, or change the prompt or the model"
            )
        return ["" if job is None else answers[job.key] for job in jobs]

    def _answer(self, job: Job, answers: Answers) -> str | None:
        """Request an answer and store it at once; return the reason if it is unusable, else None."""
        choice = self.endpoint.chat(self.model, job.prompt)
        text = (choice.message.content or "").strip()
        if choice.message.refusal:
            return f"{job.name}: refused"
        if choice.finish_reason in UNFINISHED:
            return f"{job.name}: {UNFINISHED[choice.finish_reason]}"
        if not text:
            return f"{job.name}: empty"
        answers.add(job.key, self.model, text)
        return None


def _prompt(path: str | None, kind: str) -> str:
    """Return the text of a prompt, the user's own or the package's."""
    file = PROMPTS / f"{kind}.txt" if path is None else Path(path)
    try:
        prompt = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"describe.{kind}_prompt {file} cannot be read ({error}); give a text file") from None
    if "{text}" not in prompt:
        raise ConfigError(f"describe.{kind}_prompt {file} does not say {{text}} where the {kind} is to stand")
    return prompt
