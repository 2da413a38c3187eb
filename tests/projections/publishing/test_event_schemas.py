"""The schemas in docs/events are those of the types, and a newer one breaks no reader."""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from ledger.rating.decisions import encode_decision, hash_decision
from projections.publishing.event_kinds import EVENT_TYPES
from projections.publishing.event_types import (
    EventPrice,
    RatedBody,
    SessionHeldEvent,
    SessionRatedEvent,
)
from projections.publishing.evolution import incompatibilities
from projections.publishing.making import Numbered
from projections.publishing.schemas import event_schema, schema_text
from projections.publishing.session_events import session_event
from tests.depot import rated, session
from tests.projections.audit.charged_elsewhere import elsewhere_session
from tests.projections.publishing.events_read import as_json
from tests.tree import ROOT

EVENTS = ROOT / "docs" / "events"
KINDS = sorted(EVENT_TYPES)


def published() -> dict[str, dict[int, str]]:
    """Return the schemas in docs/events by kind and version."""
    found: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for path in EVENTS.glob("*.json"):
        named = re.fullmatch(r"(.+)\.v([1-9][0-9]*)\.json", path.name)
        assert named, f"{path.name} is no KIND.vNUMBER.json"
        found[named[1]][int(named[2])] = path.read_text("utf-8")
    return dict(found)


def test_each_kind_has_its_schemas_and_nothing_else_has_one() -> None:
    assert sorted(published()) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_the_newest_schema_is_that_of_the_type(kind: str) -> None:
    event_type, schemas = EVENT_TYPES[kind], published()[kind]
    file = f"docs/events/{kind}.v{event_type.version}.json"

    assert sorted(schemas) == list(range(1, event_type.version + 1))
    assert schemas[event_type.version] == schema_text(event_type), (
        f"raise the version of {event_type.__name__}, then: wattledger events schema {kind} > "
        f"{file.replace(f'v{event_type.version}', f'v{event_type.version + 1}')}"
        " (before a version was released, write it anew)"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_schema_breaks_no_reader_of_an_earlier_one(kind: str) -> None:
    schemas = [msgspec.json.decode(text) for _, text in sorted(published()[kind].items())]
    now = event_schema(EVENT_TYPES[kind])

    for schema in schemas:
        Draft202012Validator.check_schema(schema)
        assert incompatibilities(schema, now) == []


def test_a_session_at_a_partners_station_names_its_cdr_and_nobodys_price_but_ours() -> None:
    decision = elsewhere_session()
    sha256 = hash_decision(encode_decision(decision))

    event = as_json(session_event(decision, numbered=Numbered("feed/0", 7), sha256=sha256))

    Draft202012Validator(event_schema(SessionRatedEvent)).validate(event)
    body = event["body"]
    assert body["elsewhere"] == {"party": "NL-TNM", "cdr_id": "C1"}
    assert (body["station_id"], body["site_id"]) == ("partner/NL-TNM", "")
    assert body["price"]["net"] == "12.80"
    assert "8.00" not in str(event)
    ours = as_json(session_event(rated(session()), numbered=Numbered("feed/0", 8), sha256=sha256))
    assert ours["body"]["elsewhere"] is None


# What follows is about the rule itself, on the largest of the schemas.

OLDER = event_schema(SessionRatedEvent)


def changed(change: Callable[[dict[str, Any]], object]) -> list[str]:
    newer = copy.deepcopy(OLDER)
    change(newer)
    return incompatibilities(OLDER, newer)


def body(schema: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    return schema["$defs"]["RatedBody"]


def fields(schema: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    return body(schema)["properties"]


def require(schema: dict[str, Any], name: str) -> None:
    fields(schema)[name] = {"type": "string"}
    body(schema)["required"].append(name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            lambda s: (fields(s).pop("country"), body(s)["required"].remove("country")),
            ["/body/country: the field is gone"],
            id="a field is taken away",
        ),
        pytest.param(
            lambda s: body(s)["required"].remove("country"),
            ["/body/country: it was required, is optional"],
            id="a field is no longer sure to be there",
        ),
        pytest.param(
            lambda s: require(s, "colour"),
            ["/body/colour: a new field must be optional: older events lack it"],
            id="a new field is required",
        ),
        pytest.param(
            lambda s: fields(s)["lines"].update(type="string"),
            ["/body/lines: type was 'integer', is 'string'"],
            id="another type",
        ),
        pytest.param(
            lambda s: fields(s)["lines"].update(type="number"),
            ["/body/lines: type was 'integer', is 'number'"],
            id="a wider type",
        ),
        pytest.param(
            lambda s: fields(s).update(country={"anyOf": [{"type": "string"}, {"type": "null"}]}),
            [
                "/body/country: type was 'string', is None",
                "/body/country: anyOf had 0 choices, has 2",
            ],
            id="a field may be null",
        ),
        pytest.param(
            lambda s: fields(s).update(token={"type": "string"}),
            [
                "/body/token: type was None, is 'string'",
                "/body/token: anyOf had 2 choices, has 0",
            ],
            id="a field may be null no longer: older events say it is",
        ),
        pytest.param(
            lambda s: fields(s)["token"]["anyOf"][0].update(type="integer"),
            ["/body/token/anyOf/0: type was 'string', is 'integer'"],
            id="another type where it may be null",
        ),
        pytest.param(
            lambda s: fields(s)["flags"]["items"].update(type="integer"),
            ["/body/flags/items: type was 'string', is 'integer'"],
            id="another type within a list",
        ),
        pytest.param(
            lambda s: fields(s)["flags"].pop("items"),
            ["/body/flags: items are told in one of them only"],
            id="a list of anything",
        ),
        pytest.param(
            lambda s: s["$defs"]["EventPrice"]["properties"]["net"].update(pattern="^[0-9]+$"),
            [r"/body/price/net: pattern was '^-?[0-9]+(\\.[0-9]+)?$', is '^[0-9]+$'"],
            id="a narrower text, deep within",
        ),
        pytest.param(
            lambda s: fields(s)["started_at"].pop("format"),
            ["/body/started_at: format was 'date-time', is None"],
            id="a time that is any text",
        ),
        pytest.param(
            lambda s: fields(s)["country"].update(enum=["DE"]),
            ["/body/country: enum was None, is ['DE']"],
            id="a text becomes one of some",
        ),
        pytest.param(
            lambda s: s["$defs"]["SessionRatedEvent"]["properties"]["kind"].update(enum=["rated"]),
            ["/kind: enum was ['session.rated'], is ['rated']"],
            id="another kind",
        ),
        pytest.param(
            lambda s: body(s).update(additionalProperties=False),
            ["/body: additionalProperties was None, is False"],
            id="no field may ever be added again",
        ),
    ],
)
def test_what_breaks_a_reader_is_told(
    change: Callable[[dict[str, Any]], object], said: list[str]
) -> None:
    assert changed(change) == said


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: fields(s).update(colour={"type": "string"}), id="an optional field"),
        pytest.param(lambda s: fields(s)["country"].update(description="x"), id="a description"),
        pytest.param(lambda s: s.update(title="version 2"), id="a title"),
        pytest.param(lambda s: body(s)["required"].reverse(), id="the order"),
        pytest.param(
            lambda s: s.update({"$ref": "#/$defs/Named"}) or s["$defs"].update(
                Named=s["$defs"].pop("SessionRatedEvent")
            ),
            id="what a type is called",
        ),
    ],
)  # fmt: skip
def test_what_breaks_nobody_is_allowed(change: Callable[[dict[str, Any]], object]) -> None:
    assert changed(change) == []


class WiderBody(RatedBody, frozen=True, kw_only=True):
    colour: str | None = None


class WiderEvent(SessionRatedEvent, frozen=True, kw_only=True, tag="session.rated"):
    body: WiderBody


def rated_body(body_type: type[RatedBody], **more: object) -> RatedBody:
    """Return any body of that type."""
    now = datetime(2026, 3, 2, tzinfo=UTC)
    price = EventPrice(currency="EUR", net="1.00", tax="0.19", gross="1.19")
    texts = dict.fromkeys(
        ("session_id", "station_id", "site_id", "legal_entity", "country", "time_zone",
         "billing_month", "tariff_id", "tariff_sha256"), "x",
    )  # fmt: skip
    energies = dict.fromkeys(("energy_wh", "billed_wh", "free_wh"), "1")
    payer = {"kind": "bearer", "party": "p-1", "customer": None}
    return msgspec.convert(
        {
            **texts, **energies, **more, "revision": 1, "evse_id": 1, "connector_id": None,
            "token": None, "payer": payer, "started_at": now, "ended_at": now, "price": price,
            "lines": 1, "reverse_charge": False, "flags": (),
        },
        body_type,
        from_attributes=True,
    )  # fmt: skip


def test_old_and_new_readers_read_each_other_s_events() -> None:
    envelope = {
        "id": "feed/0/1", "schema": 2, "source": "feed/0", "number": 1, "key": "x",
        "decided_at": datetime(2026, 3, 2, tzinfo=UTC), "sha256": "0" * 64,
    }  # fmt: skip
    new: Any = WiderEvent(**envelope, body=rated_body(WiderBody, colour="red"))  # type: ignore[arg-type]
    old: Any = SessionRatedEvent(**envelope, body=rated_body(RatedBody))  # type: ignore[arg-type]
    as_new, as_old = msgspec.json.encode(new), msgspec.json.encode(old)

    assert incompatibilities(event_schema(SessionRatedEvent), event_schema(WiderEvent)) == []
    assert msgspec.json.decode(as_new, type=SessionRatedEvent) == old
    assert msgspec.json.decode(as_old, type=WiderEvent).body.colour is None
    for reader in (SessionRatedEvent, WiderEvent):
        for event in (as_new, as_old):
            Draft202012Validator(event_schema(reader)).validate(msgspec.json.decode(event))


def test_events_of_different_kinds_are_told_apart() -> None:
    assert incompatibilities(OLDER, event_schema(SessionHeldEvent)) != []
