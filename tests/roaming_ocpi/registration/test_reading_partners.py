"""What partners say of themselves is read as each version has it, and never taken for more."""

from __future__ import annotations

import base64
from decimal import Decimal

import pytest

from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole
from roaming_ocpi.registration.credentials import (
    BadCredentialsError,
    our_credentials,
    their_credentials,
)
from roaming_ocpi.registration.links import spellings_of
from roaming_ocpi.registration.spelling import decoded_token, spelt_token
from roaming_ocpi.registration.store import digest_of
from roaming_ocpi.registration.terms import PartnerTerms
from roaming_ocpi.registration.versions import (
    NoEndpointsError,
    NoMutualVersionError,
    best_version,
    read_endpoints,
    read_versions,
)
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion

V2_1_1, V2_2_1, V2_3_0 = OcpiVersion
URL = "https://tnm.example/ocpi/versions"
SENDER, RECEIVER = InterfaceRole.SENDER, InterfaceRole.RECEIVER
FLAT = {"token": "tok", "url": URL, "party_id": "tnm", "country_code": "nl"}
TNM = {"role": "EMSP", "party_id": "TNM", "country_code": "NL", "business_details": {"name": "T"}}
ABC = {**TNM, "role": "an unknown one", "party_id": "ABC"}


def terms(*roles: PartnerRole, versions: tuple[str, ...] = ()) -> PartnerTerms:
    partner = Partner(name="TNM", legal_entity="us", roles=roles, versions=versions)
    us = LegalEntity(name="Harbour", country="DE", time_zone="UTC", invoice_prefix="H")
    return PartnerTerms("NL-TNM", partner, "DE-HBC", us)


def test_our_credentials_are_flat_in_the_old_version_and_roles_since() -> None:
    us = {"party_id": "HBC", "country_code": "DE", "business_details": {"name": "Harbour"}}
    hub = terms(PartnerRole.HUB)

    assert our_credentials(hub, V2_1_1, "t", URL) == {"token": "t", "url": URL, **us}
    for version in (V2_2_1, V2_3_0):
        assert our_credentials(hub, version, "t", URL) == {
            "token": "t",
            "url": URL,
            "roles": [{"role": "CPO", **us}, {"role": "EMSP", **us}],
        }
    both = our_credentials(terms(PartnerRole.CPO), V2_2_1, "t", URL)["roles"]
    assert [each["role"] for each in both] == ["EMSP"]


@pytest.mark.parametrize(
    ("body", "version", "parties"),
    [
        (FLAT, V2_1_1, ("NL-TNM",)),
        ({**FLAT, "roles": [ABC, TNM, TNM]}, V2_2_1, ("NL-ABC", "NL-TNM")),
        ({**FLAT, "roles": [TNM], "hub_party_id": "DEHUB"}, V2_3_0, ("NL-TNM", "DE-HUB")),
        ({**FLAT, "roles": [ABC], "hub_party_id": "nltnm"}, V2_3_0, ("NL-ABC", "NL-TNM")),
        ({**FLAT, "roles": TNM, "hub_party_id": None}, V2_3_0, ("NL-TNM",)),
    ],
)
def test_a_partner_names_one_party_or_many(
    body: object, version: OcpiVersion, parties: tuple[str, ...]
) -> None:
    found = their_credentials(body, version, "NL-TNM")

    assert (found.parties, found.token, found.url) == (parties, "tok", URL)
    assert "tok" not in repr(found)


@pytest.mark.parametrize(
    ("changed", "version", "why"),
    [
        ({"roles": [ABC]}, V2_2_1, "are of NL-ABC; expected those of NL-TNM"),
        ({"party_id": "ABC"}, V2_1_1, "are of NL-ABC; expected those of NL-TNM"),
        ({}, V2_2_1, "roles: is missing"),
        ({"roles": []}, V2_2_1, "are of nobody"),
        ({"roles": [1]}, V2_2_1, "must be an object"),
        ({"roles": [TNM] * 1_001}, V2_2_1, "more than 1000 roles"),
        ({"roles": [{**TNM, "party_id": "TOOLONG"}]}, V2_2_1, "name no party"),
        ({"roles": [{**TNM, "country_code": "\u0131s"}]}, V2_2_1, "name no party"),
        ({"roles": [{**TNM, "party_id": 5}]}, V2_2_1, "is not a text"),
        ({"token": None}, V2_1_1, "a token has 1 to 64"),
        ({"token": ""}, V2_1_1, "a token has 1 to 64"),
        ({"token": "secret word"}, V2_1_1, "a token has 1 to 64"),
        ({"token": "s" * 65}, V2_1_1, "a token has 1 to 64"),
        ({"token": "secr\u00e9t"}, V2_1_1, "a token has 1 to 64"),
        ({"token": Decimal(5)}, V2_1_1, "a token has 1 to 64"),
        ({"url": "file:///etc/passwd"}, V2_1_1, "address"),
        ({"url": "https://user:secret@tnm.example/"}, V2_1_1, "address"),
        ({"url": None}, V2_1_1, "url: is missing"),
        ({"url": ["x"]}, V2_1_1, "is not a text"),
    ],
)
def test_credentials_that_cannot_be_used_say_why_and_no_token(
    changed: dict[str, object], version: OcpiVersion, why: str
) -> None:
    with pytest.raises(BadCredentialsError, match=why) as caught:
        their_credentials({**FLAT, **changed}, version, "NL-TNM")

    assert "secr" not in str(caught.value)


@pytest.mark.parametrize("body", [None, [], "text", 5, [[[]]]])
def test_credentials_that_are_no_object_are_none(body: object) -> None:
    with pytest.raises(BadCredentialsError, match="must be an object"):
        their_credentials(body, V2_2_1, "NL-TNM")


def test_versions_are_read_and_the_best_of_both_is_chosen() -> None:
    offered = read_versions(
        [
            {"version": "2.1.1", "url": "/a"},
            {"version": " 2.2.1 ", "url": "http://tnm.example/b"},
            {"version": "9.9", "url": "http://other.example/c"},
            {"version": 2.3, "url": "/d"},
            {"version": "2.3.0"},
            {"version": "2.3.0", "url": "ftp://tnm.example/b"},
            "2.3.0",
            None,
        ],
        URL,
    )

    # On the same host, what is told as http behind something that ends TLS is https.
    assert offered == {
        "2.1.1": "https://tnm.example/a",
        "2.2.1": "https://tnm.example/b",
        "9.9": "http://other.example/c",
    }
    assert best_version(terms(PartnerRole.CPO), offered) is V2_2_1
    assert best_version(terms(PartnerRole.CPO, versions=("2.1.1",)), offered) is V2_1_1
    with pytest.raises(NoMutualVersionError, match=r"offers 2\.1\.1, 2\.2\.1, 9\.9"):
        best_version(terms(PartnerRole.CPO, versions=("2.3.0",)), offered)
    assert read_versions({"version": "2.1.1", "url": "/a"}, URL) == {}


def endpoint(identifier: object, url: object = "https://t.example/x", **more: object) -> object:
    return {"identifier": identifier, "url": url, **more}


def test_endpoints_that_we_know_are_kept_and_others_left_out() -> None:
    listed = [
        endpoint("credentials", "https://t.example/c", role="RECEIVER"),
        endpoint("cdrs", "https://t.example/cdrs", role="RECEIVER"),
        endpoint("cdrs", "https://t.example/second", role="RECEIVER"),
        endpoint("nltnm-custom", role="SENDER"),
        endpoint("tokens", role="both"),
        endpoint("tariffs", "ftp://t.example", role="SENDER"),
        endpoint(["sessions"], role="SENDER"),
        endpoint("sessions", 5, role="SENDER"),
        None,
    ]
    found = read_endpoints({"version": "2.2.1", "endpoints": listed}, V2_2_1, terms(), URL)

    assert found == {
        (ModuleId.CREDENTIALS, SENDER): "https://t.example/c",
        (ModuleId.CREDENTIALS, RECEIVER): "https://t.example/c",
        (ModuleId.CDRS, RECEIVER): "https://t.example/cdrs",
    }


@pytest.mark.parametrize("data", [None, [], {}, {"endpoints": None}, {"endpoints": {"a": 1}}])
def test_who_offers_nothing_that_we_know_is_no_partner_yet(data: object) -> None:
    with pytest.raises(NoEndpointsError):
        read_endpoints(data, V2_2_1, terms(), URL)


@pytest.mark.parametrize(
    ("roles", "urls", "cdrs"),
    [
        ((PartnerRole.CPO,), ["https://t.example/cdrs"], {SENDER: 0}),
        ((PartnerRole.EMSP,), ["https://t.example/cdrs"], {RECEIVER: 0}),
        (
            (PartnerRole.CPO, PartnerRole.EMSP),
            ["https://t.example/emsp/2.1.1/cdrs", "https://t.example/cpo/2.1.1/cdrs"],
            {RECEIVER: 0, SENDER: 1},
        ),
        ((PartnerRole.HUB,), ["https://t.example/cdrs"], {SENDER: 0, RECEIVER: 0}),
    ],
)
def test_in_the_old_version_what_a_partner_is_says_what_its_endpoints_are(
    roles: tuple[PartnerRole, ...], urls: list[str], cdrs: dict[InterfaceRole, int]
) -> None:
    details = {"endpoints": [endpoint("cdrs", url) for url in urls]}
    found = read_endpoints(details, V2_1_1, terms(*roles), URL)

    assert found == {(ModuleId.CDRS, role): urls[at] for role, at in cdrs.items()}


def test_tokens_and_commands_go_the_other_way_than_what_a_cpo_has() -> None:
    details = {"endpoints": [endpoint("tokens"), endpoint("commands")]}

    for role, interface in ((PartnerRole.CPO, RECEIVER), (PartnerRole.EMSP, SENDER)):
        found = read_endpoints(details, V2_1_1, terms(role), URL)
        assert {side for _, side in found} == {interface}


def test_a_token_is_known_in_base64_and_as_it_is() -> None:
    token = "example-token"
    encoded = spelt_token(token, is_plain=False)

    assert spelt_token(token, is_plain=True) == token
    assert spellings_of(token)[digest_of(token)] is True
    assert spellings_of(encoded)[digest_of(token)] is False
    # The specification's own example has a line feed inside.
    assert decoded_token("ZXhhbXBsZS10b2tlbgo=") == token


@pytest.mark.parametrize(
    "odd",
    ["", "=", "a" * 201, "\ud800", "%%%", base64.b64encode(b"\xff\xfe").decode(), "ZXg\n=", "é"],
)
def test_whatever_a_header_says_is_looked_up_without_a_fault(odd: str) -> None:
    assert all(len(each) == 32 for each in spellings_of(odd))
