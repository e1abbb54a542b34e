"""recpair init: the config that it writes for messy files of events trains as it is."""

import numpy as np
import polars as pl
import pytest
import yaml

import recpair
from recpair.cli import main
from recpair.data.columns import look_at
from recpair.data.guessing import Columns, guess_columns
from recpair.errors import ConfigError, DataError
from recpair.experiment.init import init
from recpair.experiment.loading import load_config

N = 600


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("recpair.run.report.RunReport._draw", lambda *args, **kwargs: None)
    return tmp_path


@pytest.fixture
def events():
    generator = np.random.default_rng(0)
    user, item, stars = (generator.integers(low, high, size=N) for low, high in ((0, 40), (0, 30), (1, 6)))
    seconds = 1_400_000_000 + 3600 * 24 * np.arange(N)
    days = pl.Series(seconds.astype("datetime64[s]").astype("datetime64[D]"))
    return pl.DataFrame({"u": user, "i": item, "stars": stars, "seconds": seconds, "day": days})


def found(frame: pl.DataFrame, **given: int) -> dict[str, int]:
    guesses = guess_columns(Columns(frame.columns, frame.get_columns(), "events"), given)
    return {role: frame.columns[guess.place] for role, guess in guesses.items()}


@pytest.mark.parametrize(
    ("names", "user", "item"),
    [
        (("user_id", "item_id"), "user_id", "item_id"),
        (("movieId", "userId"), "userId", "movieId"),
        (("reviewerID", "asin"), "reviewerID", "asin"),
        (("user_location", "customer_no", "product_name", "product_id"), "customer_no", "product_id"),
        (("session_id", "user", "title", "track_id"), "user", "track_id"),
        (("Kunde", "Artikel"), "Kunde", "Artikel"),
    ],
)
def test_columns_are_guessed_from_names_then_from_values(events, names, user, item):
    ids = [events["u"].alias(name) if place % 2 == 0 else events["i"].alias(name) for place, name in enumerate(names)]
    assert found(pl.DataFrame(ids)) == {"user": user, "item": item}


def test_row_numbers_and_constants_are_not_ids(events):
    frame = events.select(
        pl.int_range(N).alias(""), pl.lit("web").alias("channel"), a=pl.col("u"), b=pl.col("i"), c=pl.col("stars")
    )
    assert found(frame) == {"user": "a", "item": "b"}


def test_times_must_be_readable_and_differ(events):
    texts = events.select(user="u", item="i", time=pl.lit("soon"), date=pl.lit(7), logged="day")
    assert found(texts) == {"user": "user", "item": "item", "time": "logged"}
    order = events.select(user="u", item="i", updated_at="seconds", created_at="seconds")
    assert found(order)["time"] == "created_at"


def test_a_rating_is_a_column_of_numbers(events):
    frame = events.select(user="u", item="i", rating=pl.lit("good"), score="stars")
    assert found(frame) == {"user": "user", "item": "item", "rating": "score"}
    assert found(frame, item=3)["item"] == "score"


def test_columns_that_cannot_be_told_apart_are_refused(events):
    frame = events.select(a="u", b="i", c=pl.col("i") * 2)
    with pytest.raises(DataError, match=r"which column is the user \(found: a, b, c\).*data.columns.user=COLUMN"):
        found(frame)
    assert found(frame, user=0, item=2) == {"user": "a", "item": "c"}


def test_a_first_line_whose_value_recurs_is_an_event(tmp_path):
    words, named = tmp_path / "words.csv", tmp_path / "named.csv"
    words.write_text("ann,tea\nbob,tea\nann,rice\n")
    named.write_text("who,what\nbob,tea\nann,rice\n")
    assert look_at(words).header is False
    assert look_at(named).header is True
    assert look_at(named, columns={"user": 0}).header is False


def standard(events, path):
    pl.DataFrame({"item_id": range(30), "title": [f"Film {i % 7} x{i % 5}" for i in range(30)]}).write_csv("items.csv")
    events.select(user_id="u", item_id="i", rating="stars", timestamp="seconds").write_csv(path)


def without_header(events, path):
    events.select("i", "u", "stars", "day").write_csv(path, include_header=False, separator="\t")


def german(events, path):
    days = pl.col("day").dt.strftime("%d.%m.%Y")
    events.select("u", "i", Datum=days).rename({"u": "Kunde", "i": "Artikel"}).write_csv(path, separator=";")


def exported_by_pandas(events, path):
    gaps = pl.when(pl.int_range(N) % 50 > 0).then(pl.col("u").cast(pl.Float64))
    events.select(pl.int_range(N).alias(""), uid=gaps, sku="i", at=pl.col("seconds") * 1000).write_csv(path)


def words(events, path):
    events.select(pl.format("user{}", "u"), pl.format("item{}", "i")).write_csv(path, include_header=False)


def with_a_split(events, path):
    part = pl.when(pl.int_range(N) % 8 == 0).then(pl.lit("Test")).otherwise(pl.lit("Train"))
    events.select(user="u", item="i", fold=part).write_parquet(path)


def one_event_each(events, path):
    frame = events.filter(pl.int_range(N) < 30).with_columns(u=pl.int_range(30) // 2)
    frame.select(user="u", item=pl.col("i") // 10).write_csv(path)


EXPECTED = [
    (standard, "csv", ("temporal", "ease"), {"user": "user_id", "item": "item_id", "time": "timestamp"}),
    (without_header, "tsv", ("temporal", "ease"), {"user": 0, "item": 1, "time": 3}),
    (german, "csv", ("temporal", "ease"), {"user": "Kunde", "item": "Artikel", "time": "Datum"}),
    (exported_by_pandas, "csv", ("temporal", "ease"), {"user": "uid", "item": "sku", "time": "at"}),
    (words, "csv", ("ratio", "ease"), {"user": 0, "item": 1}),
    (with_a_split, "parquet", ("predefined", "ease"), {"user": "user", "item": "item", "split": "fold"}),
    (one_event_each, "csv", ("ratio", "ease"), {"user": "user", "item": "item"}),
]


@pytest.mark.parametrize(
    ("write", "kind", "chosen", "columns"), EXPECTED, ids=lambda value: getattr(value, "__name__", "")
)
def test_the_config_of_a_messy_file_trains(here, events, write, kind, chosen, columns):
    write(events, f"events.{kind}")
    items = "items.csv" if write is standard else None
    written = init(f"events.{kind}", items, overrides=["tracking=null"])
    config = yaml.safe_load(written.path.read_text())
    assert (config["split"]["name"], config["model"]["name"]) == chosen
    assert config["data"]["columns"] == columns
    assert ("on_missing" in config["data"]) == (write is exported_by_pandas)
    assert ("# semantics: {name: tfidf, template: '{title}'}" in written.path.read_text()) == (write is standard)
    run = recpair.fit(written.path)
    assert set(run.metrics["test"]) >= {config["evaluate"]["monitor"]}
    assert run.folder.as_posix() == "runs/events"


def test_a_model_that_reads_texts_gets_them(here, events):
    standard(events, "events.csv")
    written = init("events.csv", "items.csv", overrides=["split=leave_last", "tracking=null"])
    config = load_config(written.path)
    assert config["model"]["name"] == "transitions"
    assert (config["semantics"]["name"], config["semantics"]["template"]) == ("tfidf", "{title}")
    assert recpair.fit(config).metrics["test"]


def test_a_folder_of_recbole_is_read_with_its_items(here, events):
    folder = here / "films"
    folder.mkdir()
    named = {"user_id:token": "u", "item_id:token": "i", "timestamp:float": "seconds"}
    events.select(**named).write_csv(folder / "films.inter", separator="\t")
    table = {"item_id:token": range(30), "movie_title:token_seq": [f"Film {i % 7}" for i in range(30)]}
    pl.DataFrame(table).write_csv(folder / "films.item", separator="\t")
    config = load_config(init("films", overrides=["split=leave_last"]).path)
    assert config["data"]["columns"] == {"user": "user_id", "item": "item_id", "time": "timestamp"}
    assert config["semantics"]["template"] == "{movie_title}"


def test_a_single_user_is_named(here):
    (here / "tiny.csv").write_text("user,item\n1,2\n1,3\n")
    with pytest.raises(DataError, match="one user only"):
        init("tiny.csv")


def test_overrides_replace_guesses(here, events):
    events.select(a="u", b="i", c=pl.col("i") * 2, d="seconds").write_csv("events.csv")
    given = ["data.columns.user=a", "data.columns.item=c", "split.name=leave_last", "split.n=2", "train.seed=3"]
    written = init("events.csv", out="mine.yaml", overrides=given)
    config = load_config(written.path)
    assert config["data"]["columns"] == {"user": "a", "item": "c", "time": "d"}
    assert (config["split"]["name"], config["split"]["n"], config["train"]["seed"]) == ("leave_last", 2, 3)
    assert "user: a" in written.path.read_text()


def test_every_guess_is_said(here, events, capsys):
    standard(events, "events.csv")
    assert main(["init", "--data", "events.csv"]) == 0
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    text = (here / "recpair.yaml").read_text()
    for words in ("guessed by its name", "seconds since 1970", "events repeat a user and an item"):
        assert words in text
        assert words in printed
    assert "min_rating: 4 " in text.replace("  ", " ")


def test_a_file_is_not_replaced(here, events):
    standard(events, "events.csv")
    kept = here / "recpair.yaml"
    kept.write_text("data: {}\n")
    with pytest.raises(ConfigError, match=r"recpair.yaml exists.*--force"):
        init("events.csv")
    assert kept.read_text() == "data: {}\n"
    init("events.csv", force=True)
    assert "user_id" in kept.read_text()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.columns.user=nme"], "no column 'nme'"),
        (["data.columns.user=stars", "data.columns.item=stars"], "same column"),
        (["data.colums.user=a"], "colums"),
        (["data.path=other.csv"], "--data"),
        (["model=nothing"], "nothing"),
    ],
)
def test_wrong_overrides_are_errors_and_write_nothing(here, events, overrides, message):
    events.write_csv("events.csv")
    with pytest.raises((ConfigError, DataError), match=message):
        init("events.csv", overrides=overrides)
    assert not (here / "recpair.yaml").exists()


def test_events_that_mostly_lack_a_value_are_refused(here, events):
    gaps = pl.when(pl.int_range(N) % 3 == 0).then(pl.col("u"))
    events.select(user=gaps, item="i").write_csv("events.csv")
    with pytest.raises(DataError, match=r"400 of 600 events lack a value \(user 400\)"):
        init("events.csv")


def test_dates_of_unknown_order_are_refused(here, events):
    events.select(user="u", item="i").with_columns(date=pl.format("0{}/04/2020", pl.int_range(N) % 9 + 1)).write_csv(
        "events.csv"
    )
    with pytest.raises(DataError, match=r"data\.time_format"):
        init("events.csv")
    assert init("events.csv", overrides=["data.time_format='%d/%m/%Y'"]).path.exists()
