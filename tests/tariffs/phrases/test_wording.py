"""Phrases: how a template shows each parameter, and what a stranger's text may be."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tariffs.files.session_file import read_session_file
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.canonical import canonical_json
from tariffs.phrases.phrase import Given, Phrase, bounded, phrase
from tariffs.phrases.wording import Wording, duration_text
from tests.tree import CASES

WORDS = {
    "kwh": "{kwh} kWh",
    "day.MONDAY": "Monday",
    "dimension.ENERGY": "energy",
    "dimension.TIME": "time",
    "share.all": "free",
    "share.part": "* % off",
    "times.once": "once",
    "times.many": "* times",
    "costs.one": "* costs",
    "costs.several": "* together cost",
    "costs.and": " and ",
    "joint": "; ",
}
ROUND_TRIP = msgspec.json.Decoder(Phrase)


def shown(template: str, **parameters: Given) -> str:
    return Wording({**WORDS, "said": template}, {}).words(phrase("said", **parameters))


@pytest.mark.parametrize(
    ("template", "value", "words"),
    [
        pytest.param("{x}", Decimal("0.10"), "0.10", id="a decimal with the digits that it has"),
        pytest.param("{x}", Decimal("1E+3"), "1000", id="never as a power of ten"),
        pytest.param("{x:quoted}", "it's", '"it\'s"', id="quoted"),
        pytest.param("{x:ordinal}", 0, "1", id="counted from 1"),
        pytest.param("{x:duration}", 9000, "2 h 30 min", id="a duration"),
        pytest.param("{x:number}", Decimal("0.50"), "0.50", id="a number"),
        pytest.param("{x:day}", "2026-03-01", "2026-03-01", id="a day"),
        pytest.param(
            "{x:clock} {x:period} {x:month_day}", "05-01", "05-01 05-01 05-01", id="times"
        ),
        pytest.param("{x:word day}", "MONDAY", "Monday", id="a word of the model"),
        pytest.param("{x:word day}", "DOOMSDAY", "DOOMSDAY", id="an unknown word is itself"),
        pytest.param("{x:share}", Decimal("100.0"), "free", id="all of it, however written"),
        pytest.param("{x:share}", Decimal("99.9"), "99.9 % off", id="a part of it"),
        pytest.param("{x:times}", 1, "once", id="once"),
        pytest.param("{x:times}", 0, "0 times", id="not at all"),
        pytest.param("{x:times}", 2, "2 times", id="twice"),
        pytest.param("{x:costs}", ("TIME",), "time costs", id="one costs"),
        pytest.param("{x:costs}", ("TIME", "ENERGY"), "time and energy together cost", id="two"),
        pytest.param("{x:word dimension/ or }", ("TIME", "ENERGY"), "time or energy", id="joined"),
        pytest.param("{x:quoted?, for *}", "a*b", ", for 'a*b'", id="with what stands around it"),
        pytest.param("no{x:?: *}", None, "no", id="nothing where it is not there"),
        pytest.param("no{x:/ and ?, up to *}", (), "no", id="nothing where there are none"),
        pytest.param("{x}", phrase("kwh", kwh=7), "7 kWh", id="a phrase in its own words"),
        pytest.param(
            "{x:/ and }", (phrase("kwh", kwh=7), phrase("kwh", kwh=8)), "7 kWh and 8 kWh", id="two"
        ),
    ],
)
def test_a_template_shows_a_parameter(template: str, value: Given, words: str) -> None:
    assert shown(template, x=value) == words


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3661, "1 h 1 min 1 s")]
)
def test_a_duration_in_words(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text


def test_what_the_context_says_stands_in_but_never_over_what_is_given() -> None:
    wording = Wording({"said": "{a} {b}"}, {"said": "{b}"})
    said, context = phrase("said", a="own"), {"a": "context", "b": "context", "c": "context"}

    assert wording.words(said, context) == "own context"
    assert wording.label(said, context) == "context"
    assert wording.whole(said, context) == phrase("said", a="own", b="context")
    assert wording.label(phrase("other")) is None


def test_an_amount_is_shown_in_the_currency_that_is_given_before_that_of_the_context() -> None:
    wording = Wording({"said": "at most {x:money}"}, {})

    assert wording.words(phrase("said", x="0.50"), {"currency": "SEK"}) == "at most 0.50 SEK"
    own = phrase("said", x="0.50", currency="EUR")
    assert wording.words(own, {"currency": "SEK"}) == "at most 0.50 EUR"
    assert wording.parameters_of("said") == {"x", "currency"}


def test_another_language_replaces_how_numbers_and_amounts_are_shown_everywhere() -> None:
    templates = {**WORDS, "said": "{x:share}, {y:times}, {z:money}"}
    styles = {"number": lambda text: text.replace(".", ",")}
    wording = Wording(templates, {}, styles, "{1} {0}".format)

    for each in (wording, wording.extended({})):
        said = each.words(phrase("said", x="12.5", y=2, z="3"), {"currency": "EUR"})
        assert said == "12,5 % off, 2 times, EUR 3"


def test_a_whole_phrase_has_what_its_context_says_for_the_phrases_within_it() -> None:
    wording = Wording({"said": "{x:/ and }", "amount": "{amount:money}"}, {})
    said = phrase("said", x=(phrase("amount", amount="1.00"), "more"))

    whole = wording.whole(said, {"currency": "EUR"})

    assert whole == phrase("said", x=(phrase("amount", amount="1.00", currency="EUR"), "more"))
    assert wording.words(whole) == "1.00 EUR and more"


def test_a_code_that_no_table_has_any_more_is_its_own_word() -> None:
    assert Wording(WORDS, {}).joined([phrase("g{ne"), phrase("kwh", kwh=7)]) == "g{ne; 7 kWh"


def test_a_phrase_is_the_same_again_and_its_parameters_come_in_one_order() -> None:
    said = phrase("said", b=Decimal("0.50"), a=3, c=(phrase("kwh", kwh=7), "x"), d=None, e=())

    encoded = canonical_json(said)

    assert ROUND_TRIP.decode(encoded) == said
    assert encoded == canonical_json(phrase("said", c=(phrase("kwh", kwh=7), "x"), a=3, b="0.50"))
    assert json.loads(encoded)["parameters"]["b"] == "0.50"
    assert canonical_json(phrase("said")) == b'{"code":"said"}'


@given(st.text(st.characters(), max_size=1_000) | st.text("\0\ud800a", max_size=1_000))
def test_a_strangers_text_is_bounded_and_can_be_stored(text: str) -> None:
    kept = bounded(text)

    assert len(kept) <= 500
    assert "\0" not in kept
    assert kept.encode().decode() == kept
    assert ROUND_TRIP.decode(canonical_json(phrase("x", message=kept))).parameters == {
        "message": kept
    }


def test_a_strangers_text_of_500_characters_is_whole() -> None:
    assert bounded("a" * 500) == "a" * 500
    assert bounded("a" * 501) == "a" * 500
    assert bounded("zu \ud800\0spät") == "zu ?spät"


def texts_in(value: object) -> set[str]:
    """Return every text in plain data that has more than one word."""
    if isinstance(value, dict):
        return set().union(*map(texts_in, value.values())) if value else set()
    if isinstance(value, list | tuple):
        return set().union(*map(texts_in, value)) if value else set()
    return {value} if isinstance(value, str) and " " in value else set()


def test_no_reason_of_a_priced_line_and_no_note_has_words_that_are_not_the_tariffs_own() -> None:
    for case in sorted(path for path in CASES.iterdir() if path.is_dir()):
        file = case / "tariff.yaml"
        tariff, _ = read_tariff_file(file.read_text("utf-8"), str(file))
        usage, _ = read_session_file((case / "session.yaml").read_text("utf-8"), "session")
        assert tariff is not None
        assert usage is not None
        own = texts_in(msgspec.to_builtins(tariff)) | texts_in(msgspec.to_builtins(usage))

        priced = price_session(usage, compile_tariff(tariff))

        reasons = [line.reasons for line in priced.lines]
        assert texts_in(msgspec.to_builtins([reasons, priced.notes])) <= own, case.name
