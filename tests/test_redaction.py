"""Passwords in addresses are neither printed nor stored."""

from hypothesis import given
from hypothesis import strategies as st

from recpair.errors import ConfigError
from recpair.experiment.loading import load_config
from recpair.redaction import redacted, redacted_values

CASES = {
    "http://user:S3cr3t@127.0.0.1:9": "http://user:***@127.0.0.1:9",
    "https://TOKEN@host/x?token=abc&x=1": "https://***@host/x?token=***&x=1",
    "postgresql+psycopg2://u:p@ss/w#d@h:5432/db?sslmode=on&password=abc": (
        "postgresql+psycopg2://u:***@h:5432/db?sslmode=on&password=***"
    ),
    "mysql://:pw@host/db": "mysql://:***@host/db",
    "cannot open 'http://a:b@c' or http://d:e@f/g": "cannot open 'http://a:***@c' or http://d:***@f/g",
    "see http://h:80/x?api_key=33": "see http://h:80/x?api_key=***",
}
KEPT = [
    *("http://host:5000/a@b", "http://host:5000", "sqlite:////home/a@b/mlflow.db", "file:///a:b@c", "databricks://me"),
    *("postgresql://user@host/db", "loss=bpr: a@b", "tracking.uri=null"),
]


def test_what_is_masked_and_what_is_not():
    assert {text: redacted(text) for text in CASES} == CASES
    assert [redacted(text) for text in KEPT] == KEPT
    assert [redacted(text) for text in CASES.values()] == list(CASES.values())


@given(st.text(st.characters(codec="ascii", categories=["L", "P", "S"], exclude_characters="'\""), min_size=8))
def test_any_password_disappears(password):
    assert password not in redacted(f"postgresql://someone:{password}@example.org/store")


def test_a_config_is_stored_and_refused_without_the_password():
    addresses = {"tracking": {"uri": "http://u:S3cr3t@h"}, "data": {"path": "https://u:S3cr3t@h/e.csv"}}
    config = load_config(addresses)
    assert config["tracking"]["uri"] == "http://u:S3cr3t@h"
    assert "S3cr3t" not in config.to_yaml()
    assert config.flat()["tracking.uri"] == "http://u:***@h"
    assert redacted_values([("http://u:S3cr3t@h", 1)]) == [["http://u:***@h", 1]]
    for wrong in ("http://u:S3cr3t@h", {"url": "http://u:S3cr3t@h"}, {"experiment": ["http://u:S3cr3t@h"]}):
        try:
            load_config({"tracking": wrong})
        except ConfigError as error:
            message = str(error)
        assert "S3cr3t" not in message
