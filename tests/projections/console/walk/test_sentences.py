"""What is said by codes is said in each language of the console, with the same parameters."""

from __future__ import annotations

from datetime import date

import pytest

from ledger.master_data.customers import Delivery
from projections.console.console_words import SPOKEN, words_of
from projections.console.sentences import UNTOLD, code_words, phrase_words, sentences
from projections.documents.delivery.outbox import DeliveryState
from tariffs.diff.diff import diff_tariffs
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.compiled import CompiledTariff
from tariffs.phrases.wording import Wording
from tests.projections.documents.languages.test_catalogues import styles

OTHERS = [each for each in SPOKEN if each != "en"]
SAME = {
    # Written in files by these words.
    *("min_price", "max_price", "per kWh", "per h", "per session"),
    "{dimension} step_size {step:number}",
    # Names of taxes, and words that are the same.
    *("GST", "GST/HST", "Sales tax", "Name", "Type", "Partner"),
}
BEFORE = """
tariff: day
currency: EUR
vat: 19 %
elements:
  - name: peak
    energy: 0.40 per kWh
    restrictions: {start_time: "07:00", end_time: "20:00", day_of_week: [MONDAY-FRIDAY]}
  - energy: 0.30 per kWh
"""


@pytest.mark.parametrize("tag", OTHERS)
def test_each_sentence_of_a_code_is_translated(tag: str) -> None:
    words = words_of(tag)
    left = {text for text in sentences() if words.text(text) == text}

    assert len(sentences()) > 300
    assert left <= SAME


@pytest.mark.parametrize("tag", OTHERS)
def test_a_translation_has_exactly_the_parameters_of_its_sentence(tag: str) -> None:
    words = words_of(tag)
    for code, text in UNTOLD.items():
        said = words.text(text)
        ours, theirs = (Wording({"x": each}, {}).parameters_of("x") for each in (text, said))
        assert ours == theirs, code
        assert styles(said) <= styles(text) | {"costs", "word dimension"}, code


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        (
            "de",
            [
                (
                    "Energie Mo-Fr 07:00-20:00 steigt von 0,40 €/kWh auf 1.200,405 €/kWh"
                    " (+300.001,3 %)"
                ),
                (
                    "Element 1 (peak) ändert sich von: Energie 0,40 €/kWh + 19 % USt."
                    " (Mo-Fr, 07:00-20:00), zu: Energie 1.200,405 €/kWh + 19 % USt."
                    " (Mo-Fr, 07:00-20:00)"
                ),
            ],
        ),
        (
            "fr",
            [
                (
                    "Énergie lun-ven 07:00-20:00 monte de 0,40 €/kWh à 1\u202f200,405 €/kWh"
                    " (+300\u202f001,3 %)"
                ),
                (
                    "L'élément 1 (peak) change de : Énergie 0,40 €/kWh + 19 % TVA"
                    " (lun-ven, 07:00-20:00), à : Énergie 1\u202f200,405 €/kWh + 19 % TVA"
                    " (lun-ven, 07:00-20:00)"
                ),
            ],
        ),
    ],
)
def test_what_differs_between_two_tariffs_is_said_in_a_language(tag: str, said: list[str]) -> None:
    compiled = []
    for text in (BEFORE, BEFORE.replace("0.40", "1200.405")):
        tariff, problems = read_tariff_file(text, "day.yaml")
        assert tariff is not None, problems
        compiled.append(CompiledTariff(tariff))
    found = diff_tariffs(*compiled, time_zone="Europe/Berlin", first_day=date(2026, 3, 2))

    words = [phrase_words(words_of(tag), each.said) for each in found.changes]

    assert [each.replace("\xa0", " ") for each in words] == said


def test_a_bare_code_is_said_with_dots_for_what_it_does_not_carry() -> None:
    assert code_words(words_of("de"), "token_unknown") == (
        "Das Token … war bei Beginn nicht erklärt."
    )
    assert code_words(words_of("fr"), "of_no_table") == "of no table"


@pytest.mark.parametrize("tag", SPOKEN)
def test_nothing_said_is_nothing_in_each_language(tag: str) -> None:
    assert words_of(tag).text("") == words_of(tag).told("") == ""


@pytest.mark.parametrize("tag", OTHERS)
def test_how_far_a_delivery_is_is_said_in_each_language(tag: str) -> None:
    words = words_of(tag)
    states = {each.value.replace("_", " ") for each in DeliveryState} | {"delivered", "erased"}
    ways = {each.value for each in Delivery if each is not Delivery.NONE}

    assert {each for each in states if words.text(each) == each} == set()
    assert {each for each in ways if not words.has(each)} == set()
