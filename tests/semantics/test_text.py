"""Item texts: templates, what is missing, tables that don't match."""

import logging

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recpair.data.vocabulary import Ids
from recpair.errors import ConfigError, DataError
from recpair.semantics.text import item_texts, parse_template, render

IDS = Ids("item", pl.Series("item_id", ["a", "b", "c"]))
FULL = {
    "title": "Lip Balm",
    "categories": ["Beauty", None, "Lips"],
    "brand": "Acme",
    "year": 1999,
    "maker": "Tom &amp;\n Tim",
}


@pytest.mark.parametrize(
    ("template", "missing", "expected"),
    [
        ("{title}. {categories}. {brand}", [], "Lip Balm. Beauty, Lips. Acme"),
        ("{title}. {categories}. {brand}", ["categories"], "Lip Balm. Acme"),
        ("{title}. {categories}. {brand}", ["title"], "Beauty, Lips. Acme"),
        ("{title}. {categories}. {brand}", ["brand"], "Lip Balm. Beauty, Lips"),
        ("{title}. {categories}. {brand}", ["title", "categories"], "Acme"),
        ("{title}. {categories}. {brand}", ["title", "categories", "brand"], ""),
        ("{title} ({year}), by {brand}.", [], "Lip Balm (1999), by Acme."),
        ("{title} ({year}), by {brand}.", ["year"], "Lip Balm, by Acme."),
        ("{title} ({year}), by {brand}.", ["title"], "(1999), by Acme."),
        ("{title} ({year}), by {brand}.", ["title", "year", "brand"], ""),
        ("Name: {title}; brand: {brand}", ["title"], "brand: Acme"),
        ("Name: {title}; brand: {brand}", ["brand"], "Name: Lip Balm"),
        ('"{title}" – {brand}', [], '"Lip Balm" – Acme'),
        ("{title}{brand}", [], "Lip BalmAcme"),
        ("{{{title}}}", [], "{Lip Balm}"),
        ("{maker}", [], "Tom & Tim"),
    ],
)
def test_a_missing_field_takes_its_punctuation_along(template, missing, expected):
    row = FULL | dict.fromkeys(missing)
    assert render(parse_template(template), row) == expected


@pytest.mark.parametrize("nothing", [None, "", "  ", float("nan"), [], [None, " "]])
def test_what_counts_as_missing(nothing):
    assert render(parse_template("{title}. {brand}"), {"title": nothing, "brand": "Acme"}) == "Acme"


@given(st.lists(st.sampled_from(["one", "two words", "", None]), min_size=3, max_size=3))
def test_separators_stand_between_what_is_there(values):
    """With one separator all along, a template is a join of the fields that are there."""
    text = render(parse_template("{a} | {b} | {c}"), dict(zip("abc", values, strict=True)))
    assert text == " | ".join(filter(None, values))


@pytest.mark.parametrize("template", ["{title", "{}", "{0!r}", "{title:>10}", "no column", "", "{title!r}"])
def test_impossible_templates_are_refused(template):
    with pytest.raises(ConfigError, match=r"semantics\.template is"):
        parse_template(template)


def test_an_unknown_column_is_refused_with_those_that_exist():
    items = pl.DataFrame({"item_id": ["a"], "title": ["x"], "brand": ["y"]})
    with pytest.raises(ConfigError, match=r"names 'titel', .*did you mean title\? \(columns: title, brand\)"):
        item_texts(items, IDS, "{titel}")


def test_texts_are_in_the_order_of_the_items_and_gaps_are_told(caplog):
    caplog.set_level(logging.INFO, "recpair")
    items = pl.DataFrame({"item_id": ["z", "c", "a"], "title": ["zed", " ", "one\n two"]})
    assert item_texts(items, IDS, "{title}") == ["one two", "", ""]
    assert "2 of 3 items (66.7%) are in the table" in caplog.text
    assert "2 of 3 items have no text" in caplog.text


def test_a_table_of_other_items_is_refused():
    items = pl.DataFrame({"item_id": [1, 2], "title": ["x", "y"]})
    with pytest.raises(DataError, match=r"0 of 3 items \(0\.0%\) .* ids such as 1, the events such as 'a'"):
        item_texts(items, IDS, "{title}")
    with pytest.raises(DataError, match=r"give it with data\.items"):
        item_texts(None, IDS, "{title}")
