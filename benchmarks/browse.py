"""Time of the answers of recpair browse.

python benchmarks/browse.py runs/slim runs/ials runs/mf --name Gowalla
"""

import argparse
import http.client
import statistics
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from table import page, peak_memory

import recpair
from recpair.browse.opened import Shelf
from recpair.browse.server import listening, server

REQUESTS = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--name", required=True)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    started = time.perf_counter()
    shelf = Shelf([recpair.load(run) for run in arguments.runs])
    ready = time.perf_counter() - started
    shelf.warm_up()
    warm = time.perf_counter() - started
    with listening(0) as sock:
        answering = server(shelf)
        thread = threading.Thread(target=answering.run, kwargs={"sockets": [sock]})
        thread.start()
        rows = measured(shelf, sock.getsockname()[1])
        answering.should_exit = True
        thread.join()
    table = ["| answer | median | 95 % | largest |", "|---|---:|---:|---:|", *rows]
    train = shelf.runs[0].run.recommender.train
    size = f"{train.n_users:,} users, {train.n_items:,} items, {len(train):,} training events"
    after = f"{ready:.1f} s after the start, it answers; after {warm:.1f} s, it is warm; {peak_memory()} of memory."
    command = "python benchmarks/browse.py runs/… --name NAME"
    page(
        arguments.out or Path(__file__).parent / "results" / f"browse-{arguments.name.lower()}.md",
        f"Browse: {arguments.name}",
        command,
        [*table, "", f"{size}. {REQUESTS} different requests each, one at a time, warm. {after}"],
    )


def measured(shelf: Shelf, port: int) -> list[str]:
    """Rows of the table."""
    rng, lines = np.random.default_rng(0), []
    users, items = (
        rng.choice(table.ids, REQUESTS, replace=False) for table in (shelf.search.users, shelf.search.items)
    )
    connection = http.client.HTTPConnection("127.0.0.1", port)
    titles = [item[-2:] for item in shelf.search.items.ids[:REQUESTS]]

    def row(name: str, path: str, queries: list[dict[str, object]]) -> None:
        times = []
        for query in queries:
            started = time.perf_counter()
            connection.request("GET", f"/api/{path}?{urlencode(query)}")
            answer = connection.getresponse()
            answer.read()
            times.append((time.perf_counter() - started) * 1e3)
            assert answer.status == 200, (name, query)
        middle, high = statistics.median(times), float(np.quantile(times, 0.95))
        lines.append(f"| {name} | {middle:.1f} ms | {high:.1f} ms | {max(times):.1f} ms |")

    row("search", "search", [{"q": text} for text in titles])
    row("history of a user", "user", [{"id": user} for user in users])
    for place, opened in enumerate(shelf.runs):
        kind = opened.run.config["model"]["name"]
        asked = [{"run": place, "user": user} for user in users]
        row(f"recommendations, `{kind}`", "recommendations", asked)
        row(f"with explanations, `{kind}`", "recommendations", [each | {"explain": 1} for each in asked])
    row("item, similar items of all runs", "item", [{"id": item} for item in items])
    row("items with similar texts", "alike", [{"id": item} for item in items])
    for place, opened in enumerate(shelf.runs):
        if opened.run.files.lists("audit.parquet"):
            row("page of the audit", "audit", [{"run": place, "page": number} for number in range(REQUESTS)])
            row("audit of a user", "audit/user", [{"run": place, "user": user} for user in users])
    row("learning curves", "curves", [{}] * REQUESTS)
    row("groups of users", "groups", [{"by": "popularity"}] * REQUESTS)
    return lines


if __name__ == "__main__":
    main()
