"""Requests to a language model about a data set: its items, its training histories, or both."""

from pathlib import Path

import polars as pl

from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits
from recpair.semantics.answers import Answers
from recpair.semantics.describe import Describer, Estimate, Job
from recpair.semantics.text import history_texts, item_texts

Jobs = list[Job | None]


def answers_in(folder: Path | None) -> Answers:
    """Return the answers stored in a folder of the semantic stage."""
    return Answers(None if folder is None else folder / "answers.jsonl")


def item_jobs(describer: Describer, train: Interactions, texts: list[str]) -> Jobs:
    """Return a request for each item that has a text."""
    names = [f"item_id {id_!r}" for id_ in train.vocabulary.items.values.to_list()]
    return describer.jobs(describer.item_prompt, texts, names)


def history_jobs(describer: Describer, train: Interactions, items: pl.DataFrame | None) -> Jobs:
    """Return a request for each training row with a history before it; equal histories share one."""
    titles = item_texts(items, train.vocabulary.items, describer.history_template, quiet=True)
    users = train.vocabulary.users.of(train.user).to_list()
    place = train.indptr[train.user]
    names = [
        f"the first {row - start} of user_id {user!r}"
        for row, (user, start) in enumerate(zip(users, place, strict=True))
    ]
    return describer.jobs(describer.history_prompt, history_texts(train, titles, describer.history_length), names)


def estimates(splits: Splits, describer: Describer, template: str, folder: Path | None) -> dict[str, Estimate]:
    """Estimate the requests about items and histories that the describer would send; nothing is sent."""
    train, answers, found = splits.train, answers_in(folder), {}
    texts = item_texts(splits.items, train.vocabulary.items, template)
    if describer.items:
        found["descriptions of items"] = describer.estimate(item_jobs(describer, train, texts), answers)
    if describer.histories:
        found["summaries of histories"] = describer.estimate(history_jobs(describer, train, splits.items), answers)
    return found
