"""One model in three wire forms: what a version can say comes back, what it cannot is told."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from roaming_ocpi.wire.forms import ObjectKind, UnsayableError, from_wire, to_wire
from roaming_ocpi.wire.tables import STEPS
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.wire.ocpi_objects import EVSE, LOCATION, PLUG, PRICE, SESSION, TOKEN
from tests.tree import VECTORS

OLDEST, MIDDLE, NEWEST = OcpiVersion
KINDS = {
    "cdr": ObjectKind.CDR,
    "location": ObjectKind.CONNECTOR,
    "session": ObjectKind.SESSION,
    "tariff": ObjectKind.TARIFF,
}
EXAMPLES = sorted((VECTORS / "ocpi-spec").glob("*/*.json"))
WHOLE = [path for path in EXAMPLES if not path.stem.startswith("tariffrestriction")]


def without_owner(value: dict[str, Any]) -> dict[str, Any]:
    return {key: value[key] for key in value if key not in {"country_code", "party_id"}}


def object_from(path: Path) -> tuple[ObjectKind, dict[str, Any], OcpiVersion]:
    # The specification's own slips: a comma too many in some of its examples is no JSON.
    value = decode_json(path.read_bytes())
    assert isinstance(value, dict)
    version = NEWEST if "2.3.0" in path.parent.name else MIDDLE
    return KINDS[path.stem.split("_")[0]], value, version


@pytest.mark.skipif(not EXAMPLES, reason="the specification's examples of ../shared are not here")
@pytest.mark.parametrize("path", WHOLE, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_specification_s_examples_come_back_as_they_were(path: Path) -> None:
    kind, value, version = object_from(path)
    is_patch = "patch" in path.stem

    model, _ = from_wire(kind, value, version, partial=is_patch)
    back, _ = to_wire(kind, model, version, partial=is_patch)

    assert normal(back) == normal(value)


def normal(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Numbers by their value; what a tariff may leave out because it is the default, left out."""
    match value:
        case dict():
            empty = value.get("restrictions") == {}
            return {k: normal(v) for k, v in value.items() if not (empty and k == "restrictions")}
        case list():
            return [normal(each) for each in value]
        case bool() | None:
            return value
        case int() | Decimal():
            return Decimal(value)
        case _:
            return value


@pytest.mark.parametrize("version", OcpiVersion)
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ObjectKind.LOCATION, LOCATION),
        (ObjectKind.EVSE, EVSE),
        (ObjectKind.CONNECTOR, PLUG),
        (ObjectKind.TOKEN, TOKEN),
    ],
)
def test_what_every_version_can_say_comes_back_without_a_note(
    kind: ObjectKind, value: dict[str, Any], version: OcpiVersion
) -> None:
    written, notes = to_wire(kind, value, version)
    back, read_notes = from_wire(kind, written, version)

    assert (notes, read_notes) == ((), ())
    assert without_owner(back) == without_owner(value)


def test_a_session_of_2_1_1_contains_its_location_and_comes_back() -> None:
    written, notes = to_wire(ObjectKind.SESSION, SESSION, OLDEST)

    assert notes == ()
    assert written["auth_id"] == "NL-TNM-C1"
    assert written["total_cost"] == Decimal("2.50")
    assert written["location"]["evses"][0]["connectors"][0]["tariff_id"] == "T1"
    assert not {"location_id", "cdr_token", "country_code", "start_date_time"} & written.keys()
    back, _ = from_wire(ObjectKind.SESSION, written, OLDEST)
    assert normal(without_owner(back)) | {"location": 0} == normal(without_owner(SESSION)) | {
        "location": 0
    }


@pytest.mark.parametrize("version", [MIDDLE, NEWEST])
def test_newer_sessions_name_their_location_by_its_id(version: OcpiVersion) -> None:
    written, notes = to_wire(ObjectKind.SESSION, SESSION, version)

    assert notes == ()
    assert written["location_id"] == "LOC1"
    assert "location" not in written


def test_the_forms_of_a_location_in_2_1_1() -> None:
    written, _ = to_wire(ObjectKind.LOCATION, LOCATION, OLDEST)

    assert written["type"] == "PARKING_LOT"
    assert not {"country_code", "party_id", "publish", "parking_type"} & written.keys()
    assert "twentyfourseven" not in written["opening_times"]
    assert written["energy_mix"]["environ_impact"][0]["source"] == "CARBON_DIOXIDE"
    plug = written["evses"][0]["connectors"][0]
    assert (plug["voltage"], plug["amperage"], plug["tariff_id"]) == (230, 32, "T1")


UNSAYABLE: list[tuple[ObjectKind, dict[str, Any], OcpiVersion, str, str | None]] = [
    (ObjectKind.LOCATION, {"help_phone": "+49"}, MIDDLE, "not_said", "help_phone"),
    (ObjectKind.LOCATION, {"parking_places": [{"id": "P1"}]}, MIDDLE, "not_said", "parking_places"),
    (ObjectKind.EVSE, {"parking": [{"parking_id": "P1"}]}, MIDDLE, "not_said", "parking"),
    (ObjectKind.EVSE, {"accepted_service_providers": ["TNM"]}, MIDDLE, "not_said", None),
    (ObjectKind.EVSE, {"parking_restrictions": ["TAXIS"]}, MIDDLE, "not_said", None),
    (
        ObjectKind.CONNECTOR,
        {"capabilities": ["ISO_15118_2_PLUG_AND_CHARGE"]},
        MIDDLE,
        "not_said",
        None,
    ),
    (ObjectKind.TOKEN, {"type": "EMAID"}, MIDDLE, "said_otherwise", "type"),
    (ObjectKind.CREDENTIALS, {"hub_party_id": "NLHUB"}, MIDDLE, "not_said", "hub_party_id"),
    (ObjectKind.SESSION, {"booking_id": "B1"}, MIDDLE, "not_said", "booking_id"),
    (
        ObjectKind.SESSION,
        {"total_cost": PRICE | {"taxes": [PRICE["taxes"][0], PRICE["taxes"][0]]}},
        MIDDLE,
        "not_said",
        "total_cost.taxes",
    ),
    (ObjectKind.LOCATION, {"state": "HH"}, OLDEST, "not_said", "state"),
    (
        ObjectKind.LOCATION,
        {"parking_type": "ON_DRIVEWAY"},
        OLDEST,
        "said_otherwise",
        "parking_type",
    ),
    (ObjectKind.LOCATION, {"address": "x" * 46}, OLDEST, "text_cut", "address"),
    (ObjectKind.LOCATION, {"postal_code": None}, OLDEST, "required", "postal_code"),
    (ObjectKind.LOCATION, {"facilities": ["TRAM_STOP"]}, OLDEST, "not_said", "facilities"),
    (
        ObjectKind.EVSE,
        {"capabilities": ["TOKEN_GROUP_CAPABLE"]},
        OLDEST,
        "not_said",
        "capabilities",
    ),
    (ObjectKind.CONNECTOR, {"power_type": "AC_2_PHASE"}, OLDEST, "said_otherwise", "power_type"),
    (ObjectKind.CONNECTOR, {"max_electric_power": 22000}, OLDEST, "not_said", None),
    (ObjectKind.CONNECTOR, {"tariff_ids": ["T1", "T2"]}, OLDEST, "not_said", "tariff_ids"),
    (ObjectKind.TOKEN, {"type": "APP_USER"}, OLDEST, "said_otherwise", "type"),
    (ObjectKind.TOKEN, {"group_id": "G"}, OLDEST, "not_said", "group_id"),
    (ObjectKind.TOKEN, {"default_profile_type": "GREEN"}, OLDEST, "not_said", None),
    (ObjectKind.TOKEN, {"energy_contract": {"supplier_name": "X"}}, OLDEST, "not_said", None),
    (ObjectKind.SESSION, {"auth_method": "COMMAND"}, OLDEST, "said_otherwise", "auth_method"),
    (ObjectKind.SESSION, {"status": "RESERVATION"}, OLDEST, "said_otherwise", "status"),
    (ObjectKind.SESSION, {"authorization_reference": "R"}, OLDEST, "not_said", None),
    (ObjectKind.SESSION, {"total_cost": PRICE}, OLDEST, "not_said", "total_cost.incl_vat"),
    (
        ObjectKind.SESSION,
        {"cdr_token": {"uid": "04", "contract_id": "C"}},
        OLDEST,
        "not_said",
        "cdr_token.uid",
    ),
    (ObjectKind.SESSION, {"location": None}, OLDEST, "required", "location"),
    (
        ObjectKind.SESSION,
        {"charging_periods": [{"tariff_id": "T1", "dimensions": []}]},
        OLDEST,
        "not_said",
        "charging_periods[0].tariff_id",
    ),
    (
        ObjectKind.SESSION,
        {"charging_periods": [{"dimensions": [{"type": "POWER", "volume": 1}]}]},
        OLDEST,
        "element_left_out",
        "charging_periods[0].dimensions",
    ),
    (ObjectKind.CDR, {"signed_data": {"url": "x"}}, OLDEST, "not_said", "signed_data"),
    (ObjectKind.CDR, {"total_energy_cost": PRICE}, OLDEST, "not_said", "total_energy_cost"),
    (ObjectKind.CDR, {"credit_reference_id": "C0"}, OLDEST, "not_said", "credit_reference_id"),
    (
        ObjectKind.CREDENTIALS,
        {"roles": [{"country_code": "DE", "party_id": "AAA"}, {"country_code": "NL"}]},
        OLDEST,
        "not_said",
        "roles",
    ),
    (ObjectKind.COMMAND_RESULT, {"result": "EVSE_OCCUPIED"}, OLDEST, "said_otherwise", "result"),
    (ObjectKind.COMMAND_RESPONSE, {"message": [{"text": "x"}]}, OLDEST, "not_said", "message"),
    (ObjectKind.START_SESSION, {"connector_id": "1"}, OLDEST, "not_said", "connector_id"),
    (ObjectKind.AUTHORIZATION, {"authorization_reference": "R"}, OLDEST, "not_said", None),
]
BASES: dict[ObjectKind, dict[str, Any]] = {
    ObjectKind.LOCATION: LOCATION,
    ObjectKind.EVSE: EVSE,
    ObjectKind.CONNECTOR: PLUG,
    ObjectKind.TOKEN: TOKEN,
    ObjectKind.SESSION: SESSION,
    ObjectKind.CDR: {"location": LOCATION},
}


@pytest.mark.parametrize(
    ("kind", "said", "version", "code", "spot"),
    UNSAYABLE,
    ids=[
        f"{row[0]} of {row[2]} has no {' '.join(row[1])} ({n})" for n, row in enumerate(UNSAYABLE)
    ],
)
def test_what_a_version_cannot_say_is_noted(
    kind: ObjectKind, said: dict[str, Any], version: OcpiVersion, code: str, spot: str | None
) -> None:
    value = BASES.get(kind, {}) | said

    _, notes = to_wire(kind, value, version)
    _, newest = to_wire(kind, value, NEWEST)

    assert [(note.code, note.spot) for note in notes] == [(code, spot or next(iter(said)))]
    assert newest == ()


@pytest.mark.parametrize(
    ("kind", "value", "version"),
    [
        (ObjectKind.CONNECTOR, PLUG | {"standard": "MCS"}, MIDDLE),
        (ObjectKind.CONNECTOR, PLUG | {"standard": "GBT_DC"}, OLDEST),
        (ObjectKind.EVSE, EVSE | {"connectors": [PLUG | {"standard": "MCS"}]}, MIDDLE),
        (ObjectKind.LOCATION, LOCATION | {"publish": False}, OLDEST),
        (ObjectKind.CDR, {"credit": True}, OLDEST),
        (ObjectKind.CANCEL_RESERVATION, {"reservation_id": "1"}, OLDEST),
        (ObjectKind.CLIENT_INFO, {"status": "CONNECTED"}, OLDEST),
        (ObjectKind.RESERVE_NOW, {"reservation_id": "not a number"}, OLDEST),
    ],
)
def test_what_would_mislead_is_not_said_at_all(
    kind: ObjectKind, value: dict[str, Any], version: OcpiVersion
) -> None:
    with pytest.raises(UnsayableError, match=r"has no|can say none|whole numbers"):
        to_wire(kind, value, version)


def test_an_evse_of_which_nothing_can_be_said_is_left_out_of_its_location() -> None:
    strange = EVSE | {"uid": "E2", "connectors": [PLUG | {"standard": "MCS"}]}

    written, notes = to_wire(ObjectKind.LOCATION, LOCATION | {"evses": [strange, EVSE]}, MIDDLE)

    assert [evse["uid"] for evse in written["evses"]] == ["E1"]
    assert [note.code for note in notes] == ["element_left_out", "element_left_out"]


def test_taxes_are_exact_in_both_directions() -> None:
    written, notes = to_wire(ObjectKind.SESSION, {"total_cost": PRICE}, MIDDLE)
    back, _ = from_wire(ObjectKind.SESSION, written, MIDDLE)

    assert written["total_cost"] == {"excl_vat": Decimal("2.50"), "incl_vat": Decimal("2.975")}
    assert notes == ()
    assert normal(back["total_cost"]) == normal(PRICE)


def test_a_patch_says_nothing_that_was_not_in_it() -> None:
    patch = {"name": "Quay", "last_updated": "2026-03-01T00:00:00Z"}

    for version in OcpiVersion:
        written, notes = to_wire(ObjectKind.LOCATION, patch, version, partial=True)
        back, _ = from_wire(ObjectKind.LOCATION, patch, version, partial=True)
        assert (written, notes, back) == (patch, (), patch)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("evses", "connectors", "standard", "tariff_ids", "tariff_id", "total_cost"),
                    *("before_taxes", "taxes", "amount", "excl_vat", "incl_vat", "location"),
                    *("cdr_token", "auth_id", "roles", "tariffs", "elements", "opening_times"),
                    *("dimensions", "charging_periods", "type", "energy_mix", "other"),
                    *("reservation_id", "publish", "address", "cdr_location", "currency", "id"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@example(
    kind=ObjectKind.SESSION,
    value={"total_cost": {"before_taxes": 1, "taxes": True}},
    version=OcpiVersion.V2_2_1,
    partial=False,
)
@example(
    kind=ObjectKind.CDR,
    value={"charging_periods": [{"dimensions": [{"type": {}}, {"type": []}]}]},
    version=OcpiVersion.V2_1_1,
    partial=False,
)
@given(
    kind=st.sampled_from(ObjectKind),
    value=JSON,
    version=st.sampled_from(OcpiVersion),
    partial=st.booleans(),
)
def test_whatever_a_partner_says_is_taken_in(
    kind: ObjectKind, value: object, version: OcpiVersion, *, partial: bool
) -> None:
    given_value = value if isinstance(value, dict) else {"other": value}
    before = json.dumps(given_value, default=str)

    model, _ = from_wire(kind, given_value, version, partial=partial)
    with contextlib.suppress(UnsayableError):
        to_wire(kind, model, version, partial=partial)

    assert json.dumps(given_value, default=str) == before
    assert str(model.get("other")) == str(given_value.get("other"))


def test_each_step_names_what_it_differs_in() -> None:
    assert [version for version, _ in STEPS] == [MIDDLE, OLDEST]
