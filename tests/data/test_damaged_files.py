"""Files with random damage are read, or refused in one line; never a traceback, never an id that is lost."""

import gzip
import random

import polars as pl
import pytest

from recpair.data.dataset import Dataset
from recpair.data.describe import describe
from recpair.data.events import read_data
from recpair.errors import RecpairError

EVENTS = pl.DataFrame(
    {
        "user_id": ["u1", "u1", "u2", "u3"],
        "item_id": ["a", "b", "a", "c, d"],
        "rating": [1.0, 2.0, 3.5, 4],
        "timestamp": ["2024-01-05 10:00:00", "2024-01-06 10:00:00.5", "2024-02-06 10:00:00", "2024-01-07 00:00:00"],
    }
)
WHOLE = {
    "csv": EVENTS.write_csv().encode(),
    "tsv": EVENTS.write_csv(separator="\t").encode(),
    "jsonl": EVENTS.write_ndjson().encode(),
    "inter": b"user_id:token\titem_id:token\ttimestamp:float\n1\t2\t3\n2\t3\t4.5\n",
    "dat": b"1::2::3::4\n2::3::4::5\n",
    "csv.gz": gzip.compress(EVENTS.write_csv().encode()),
    "txt": b"user_id;item_id;timestamp\n1;2;01/02/2024\n2;3;13/02/2024\n",
}
PIECES = [b'"', b'""', b",", b"\t", b";", b"::", b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b" ", b"-", b"user_id"]
PIECES += [b"1e400", b"NaN", b"9" * 30, b"{", b"}", b"null", b"99/99/9999", b"0000-00-00", b"25:61:61", b"+99:99"]


def damaged(content, generator):
    content = bytearray(content)
    for _ in range(generator.randint(1, 3)):
        place = generator.randrange(len(content) + 1)
        if generator.random() < 0.5:
            content[place:place] = generator.choice(PIECES)
        elif generator.random() < 0.5:
            del content[place : place + generator.randint(1, 12)]
        else:
            content[place:place] = content[place // 2 : place]
    return bytes(content)


def outcome(path, options):
    """Events, or what was said instead."""
    try:
        return read_data(path=str(path), **options), ""
    except RecpairError as error:
        return None, str(error)


@pytest.mark.parametrize("ending", WHOLE)
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, ending):
    generator = random.Random(ending)
    path = tmp_path / f"events.{ending}"
    options = [{}, {"on_missing": "drop"}, {"header": False}, {"columns": {"user": 0, "item": 1}}, {"time_unit": "s"}]
    for _ in range(60):
        path.write_bytes(damaged(WHOLE[ending], generator))
        events, message = outcome(path, generator.choice(options))
        assert "\n" not in message
        assert len(message) <= 400 + len(str(tmp_path))
        if events is not None:
            describe(events)
            assert Dataset.from_events(events).interactions.to_polars().null_count().sum_horizontal().item() == 0
