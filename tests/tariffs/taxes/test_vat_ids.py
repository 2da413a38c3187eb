"""VAT ids: their forms, and check digits against numbers that python-stdnum 2.2 takes for right."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tariffs.taxes.vat_ids import VatIdCheck, check_vat_id, country_of_vat_id

# Made up: right in form and digits, nobody's as far as we know.
RIGHT: Mapping[str, tuple[str, ...]] = {
    "AT": ("ATU63608377", "ATU84011070", "ATU24824475"),
    "BE": ("BE0552142905", "BE233241052", "BE230450917"),
    "BG": ("BG5126049303", "BG0166934597", "BG9425251658"),
    "CH": ("CHE107787577IVA", "CHE116281710MWST", "CHE100155212TVA"),
    "CY": ("CY67273031X", "CY91028006Z", "CY11599971T"),
    "CZ": ("CZ49319400", "CZ632073614", "CZ31574131"),
    "DE": ("DE437526569", "DE283234555", "DE944248472"),
    "DK": ("DK84389463", "DK54509766", "DK56075631"),
    "EE": ("EE002975049", "EE118335887", "EE302774681"),
    "EL": ("EL17519951", "EL220242232", "EL704775237"),
    "ES": ("ESG6115776D", "ESA16176075", "ES79810153S"),
    "FI": ("FI38820602", "FI22567497", "FI51648552"),
    "FR": ("FRV9003823929", "FRL8296127475", "FRKJ860137306"),
    "GB": ("GB980780684", "GB123456782", "GB999999973"),
    "HR": ("HR32611666186", "HR35840859130", "HR72898030985"),
    "HU": ("HU13142108", "HU04813206", "HU63531015"),
    "IE": ("IE9Z67906D", "IE7+64352FH", "IE2165476HD"),
    "IT": ("IT90136690303", "IT10024740911", "IT78413970423"),
    "LT": ("LT308646843317", "LT456991229913", "LT298080893918"),
    "LU": ("LU94281538", "LU45623723", "LU75947841"),
    "LV": ("LV05027101868", "LV87330784712", "LV79183081719"),
    "MT": ("MT50072068", "MT78859452", "MT57936767"),
    "NL": ("NL762984594B57", "NL278086998B22", "NL616196209B90"),
    "NO": ("NO995525828MVA", "NO974760673MVA", "NO923609016MVA"),
    "PL": ("PL8334291705", "PL4589257333", "PL5670981296"),
    "PT": ("PT668326034", "PT125787014", "PT578539870"),
    "RO": ("RO321918980", "RO679256538", "RO388060517"),
    "SE": ("SE716256975501", "SE692952992001", "SE253983816501"),
    "SI": ("SI15483541", "SI53124987", "SI89225201"),
    "SK": ("SK2488508330", "SK3198875504", "SK1230637771"),
    "XI": ("XIHA872", "XIGD111", "XIGD450"),
}
FORM_ALONE = {"BG", "CY", "CZ", "ES", "IE", "LT", "LV", "RO", "SK", "XI"}
COMPUTED = sorted(RIGHT.keys() - FORM_ALONE)


def test_every_country_of_the_union_is_known() -> None:
    neighbours = {"CH", "GB", "NO", "XI"}

    assert len(RIGHT.keys() - neighbours) == 27


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("DE136695976", "DE"),
        ("EL094259216", "GR"),
        ("xi 980 780 684", "GB"),
        ("CHE-107.787.577 MWST", "CH"),
        ("US980780684", "US"),
        ("136695976", None),
        ("", None),
    ],
)
def test_whose_an_id_is_says_its_prefix(text: str, country: str | None) -> None:
    assert country_of_vat_id(text) == country


@pytest.mark.parametrize("country", RIGHT)
def test_a_right_number_is_right_however_it_is_spaced_and_written(country: str) -> None:
    wanted = VatIdCheck.FORM_RIGHT if country in FORM_ALONE else VatIdCheck.RIGHT
    for number in RIGHT[country]:
        spaced = f" {number[:2].lower()} {number[2:5]}.{number[5:]}"
        assert {check_vat_id(number), check_vat_id(spaced)} == {wanted}
        assert check_vat_id(number).is_right


@pytest.mark.parametrize("country", COMPUTED)
def test_one_wrong_digit_is_noticed(country: str) -> None:
    for number in RIGHT[country]:
        at = 9 if country == "SE" else max(i for i in range(2, 11) if number[i : i + 1].isdigit())
        wrong = number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :]
        assert check_vat_id(wrong) in (VatIdCheck.WRONG_DIGITS, VatIdCheck.WRONG_FORM), wrong


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DE136695976", VatIdCheck.RIGHT),
        ("DE136695978", VatIdCheck.WRONG_DIGITS),
        ("DE13669597", VatIdCheck.WRONG_FORM),
        ("DE036695976", VatIdCheck.WRONG_FORM),
        ("GB980780685", VatIdCheck.WRONG_DIGITS),
        ("GB980780629", VatIdCheck.RIGHT),
        ("GB099999990", VatIdCheck.WRONG_DIGITS),
        ("US980780684", VatIdCheck.UNKNOWN_COUNTRY),
        ("136695976", VatIdCheck.WRONG_FORM),
        ("", VatIdCheck.WRONG_FORM),
        ("DE\u0661\u0663\u0666\u0666\u0669\u0665\u0669\u0667\u0666", VatIdCheck.WRONG_FORM),
        ("DE136695976" + " " * 29, VatIdCheck.RIGHT),
        ("DE136695976" + " " * 30, VatIdCheck.WRONG_FORM),
        ("D" * 1_000_000, VatIdCheck.WRONG_FORM),
    ],
)
def test_what_is_wrong_is_named(text: str, found: VatIdCheck) -> None:
    assert check_vat_id(text) is found


@given(st.sampled_from(sorted(RIGHT)), st.text(max_size=20))
def test_no_text_makes_it_raise(country: str, text: str) -> None:
    assert check_vat_id(country + text) in VatIdCheck
