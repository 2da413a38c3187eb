"""Who stands in a frame is cut out of it, to the character, and nothing else is."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from ingest.facts.translate import translate
from ingest.persons.cuts import PART_MIN, TOKENS_MAX
from ingest.persons.sealer import cut_out, frame_cuts
from ledger.facts.flags import Flag
from ledger.facts.token_uid import TokenHabits
from ledger.log.envelope import Frame, decode_lines, encode_line
from ledger.persons.holders import Holder, HolderKind
from ledger.persons.sealing import Subject, new_subject, opened
from tests.hostile.growth import RATIO_MAX, growth

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OCMF = 'OCMF|{"FV":"1.0","IS":true,"IT":"ISO14443","ID":"04A1B2C3D4"}|{"SA":"x"}'


def frame_of(text: str, reply: str | None = None, *, protocol: str = "ocpp1.6") -> Frame:
    return Frame(
        received_at=NOON, station="CS-1", protocol=protocol, epoch=1, frame=text, reply=reply
    )


def logged(frame: Frame) -> tuple[Frame, dict[Holder, Subject]]:
    """Return *frame* as the edge logs it, with subjects drawn by chance."""
    cuts = frame_cuts(frame, is_unread=True)
    if cuts is None:
        return frame, {}
    subjects = {holder: new_subject() for holder in cuts.holders()}
    return cut_out(frame, cuts, subjects), subjects


def keys_of(subjects: dict[Holder, Subject]) -> dict[str, bytes]:
    return {subject.id: subject.key for subject in subjects.values()}


def start(id_tag: str, more: str = "") -> str:
    """Return a StartTransaction in whose `idTag` stands the JSON text *id_tag*."""
    return (
        f'[2, "1", "StartTransaction", {{"connectorId":1,"idTag": {id_tag} ,'
        f'"meterStart":17,"timestamp":"2026-03-02T11:59:00Z"{more}}}]'
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param(start('"04A1B2C3"'), ["04a1b2c3"], id="a token"),
        pytest.param(start(r'"04\u00411B2C3"'), ["04a1b2c3"], id="with escapes in it"),
        pytest.param(
            start('"04A1B2C3"').replace("idTag", r"\u0069dTag"), ["04a1b2c3"], id="and in its name"
        ),
        pytest.param(start("12345678"), ["12345678"], id="as a number"),
        pytest.param(start('"A001"', ',"idTag":"B002"'), ["a001", "b002"], id="a member twice"),
        pytest.param(start('" 04A1B2C3\\t"'), ["04a1b2c3"], id="with blanks"),
        pytest.param(
            '[3,"1",{"idTagInfo":{"parentIdTag":"04FAMILY"}}]', ["04family"], id="a parent"
        ),
        pytest.param(
            '[2,"1","Authorize",{"idToken":{"idToken":"DE-ABC-C1","type":"eMAID","additionalInfo":'
            '[{"additionalIdToken":"04A1","type":"x"}]},"certificate":"MII==",'
            '"iso15118CertificateHashData":[{"serialNumber":"77AA"}]}]',
            ["de-abc-c1", "04a1", "de-abc-c1", "de-abc-c1"],
            id="what 2.0.1 has of a driver",
        ),
        pytest.param(
            f'[2,"1","MeterValues",{{"value":{json.dumps(OCMF)}}}]',
            ["04a1b2c3d4"],
            id="signed data",
        ),
        pytest.param(
            '[2,"1","MeterValues",{"signedMeterValue":{"signedMeterData":'
            f'"{base64.b64encode(OCMF.encode()).decode()}"}}}}]',
            ["04a1b2c3d4"],
            id="signed data in base64",
        ),
        pytest.param(
            f'[2,"1","MeterValues",{{"value":{json.dumps(json.dumps({"ocmf": OCMF}))}}}]',
            ["04a1b2c3d4"],
            id="signed data in JSON in a text",
        ),
        pytest.param(
            f'[2,"1","MeterValues",{{"value":"{base64.b64encode(OCMF.encode()).decode()}",'
            '"format":"SignedData"}]',
            ["04a1b2c3d4"],
            id="signed data of 1.6 in base64",
        ),
        pytest.param(
            '[2,"1","DataTransfer",{"vendorId":"V","data":{"uid":"04A1B2","x":[{}]},"n":1}]',
            ["04a1b2"],
            id="what a vendor says of a token",
        ),
        pytest.param(
            '[2,"1","DataTransfer",{"vendorId":"V","data":"card of Anna"}]', ["CS-1"], id="of none"
        ),
        pytest.param('[2,"1","Authorize",{"idTag":"04A1', ["CS-1"], id="a frame that is cut off"),
        pytest.param("\0\0 04A1B2C3", ["CS-1"], id="no message at all"),
        pytest.param(
            '[2,"04A1B2C3-9","Authorize",{"idTag":"04A1B2C3"}]',
            ["04a1b2c3", "04a1b2c3"],
            id="a message id that names it",
        ),
        pytest.param('[2,"1","Authorize",{"idTag":"04A1"}]\0', ["04a1"], id="a NUL at its end"),
        pytest.param(start('"04A1"', ',"x":NaN'), ["04a1"], id="and a bare NaN"),
    ],
)
def test_who_stands_in_a_frame_is_found(text: str, names: list[str]) -> None:
    cuts = frame_cuts(frame_of(text), is_unread=True)

    assert cuts is not None
    assert [cuts.holder_of(cut).name for cut in cuts.frame] == names


@pytest.mark.parametrize(
    "name",
    ["idTag", "parentIdTag", "idToken", "groupIdToken", "additionalIdToken", "data", "techInfo",
     "certificate", "exiRequest"],
)  # fmt: skip
def test_each_name_alone_is_reason_to_look(name: str) -> None:
    assert frame_cuts(frame_of(f'[2,"1","X",{{"{name}" : "04A1"}}]')) is not None


@pytest.mark.parametrize(
    "text",
    [
        start('"UNDEFINED"'),
        start('""'),
        start("null"),
        '[2,"1","BootNotification",{"chargePointSerialNumber":"77","serialNumber":"77AA"}]',
        r'[2,"1","StatusNotification",{"info":"a \"quoted\" word","vendorId":"V"}]',
        '[2,"1","MeterValues",{"meterValue":[{"sampledValue":[{"value":"1234.5"}]}]}]',
        '[2,"1","X",{"note":"\\"idTag\\""}]',
    ],
)
def test_a_frame_with_nobody_in_it_is_kept_as_it_is(text: str) -> None:
    assert frame_cuts(frame_of(text)) is None


def test_whom_a_payment_terminal_asked_for_an_address_stands_nowhere() -> None:
    company = '{"name":"Ada Ltd","address1":"1 Byron St","city":"London","country":"UK"}'
    text = (
        '[2,"1","NotifySettlement",{"pspRef":"psp-77","status":"Settled","settlementAmount":12.5,'
        f'"settlementTime":"2026-03-02T12:00:00Z","vatNumber":"GB123","vatCompany":{company}}}]'
    )
    frame = frame_of(text, protocol="ocpp2.1")
    kept, subjects = logged(frame)

    assert "psp-77" in kept.frame
    assert not any(each in kept.frame for each in ("Ada", "Byron", "GB123"))
    assert opened(kept, keys_of(subjects)).frame == text


def test_no_token_is_looked_for_in_what_billing_reads() -> None:
    text = start('"2026"', ',"reason":"2026"').replace("17", "2026")
    line, _ = logged(frame_of(text))

    assert '"meterStart":2026,"timestamp":"2026-03-02T11:59:00Z","reason":"2026"' in line.frame


def test_the_separators_of_a_model_make_no_other_token() -> None:
    cuts = [
        frame_cuts(frame_of(start(f'"{token}"')), TokenHabits(":- "))
        for token in ("20:69:c0:21", "2069C021", " 20-69 C0-21")
    ]

    assert {each.holders()[0].name for each in cuts if each} == {"2069c021"}


def test_the_fact_has_the_subject_and_only_what_was_cut_out_there() -> None:
    line, subjects = logged(frame_of(start('" 04A1B2C3"'), '[3,"1",{"transactionId":5}]'))
    (subject,) = subjects.values()
    (fact,) = translate(line, position=0, line=0)
    (other,) = translate(frame_of(start(f'"{subject.id}"')), position=0, line=0)

    assert (fact.token_uid, fact.oddities) == (subject.id, (Flag.TOKEN_ODD,))  # type: ignore[union-attr] # a start
    assert other.token_uid is None  # type: ignore[union-attr] # a start


@pytest.mark.parametrize(("length", "is_odd"), [(20, False), (21, True)])
def test_a_token_is_odd_from_one_character_more_than_its_standard_allows(
    length: int,
    is_odd: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    line, _ = logged(frame_of(start(f'"{"A" * length}"')))

    assert [part.is_odd for part in line.sealed] == [is_odd]


@pytest.mark.parametrize(("token", "cuts"), [("04A", 1), ("04A1", 2)])
def test_a_token_is_looked_for_within_an_id_from_four_characters_on(token: str, cuts: int) -> None:
    text = f'[2,"of {token}","Authorize",{{"idTag":"{token}"}}]'
    found = frame_cuts(frame_of(text))

    assert found is not None
    assert len(found.frame) == cuts


def test_a_frame_of_a_million_tokens_makes_a_few_subjects() -> None:
    tags = ",".join(f'"idTag":"T{number}"' for number in range(5000))
    line, subjects = logged(frame_of(f'[2,"1","Authorize",{{{tags}}}]'))

    assert len(subjects) == TOKENS_MAX + 1
    assert {holder.kind for holder in subjects} == {HolderKind.TOKEN, HolderKind.STATION}
    assert '"T4999"' not in line.frame


def test_nor_does_one_of_a_million_texts_with_tokens() -> None:
    texts = ",".join(json.dumps(json.dumps({"ID": f"T{number}"})) for number in range(5000))
    _, subjects = logged(frame_of(f'[2,"1","MeterValues",{{"value":[{texts}]}}]'))

    assert len(subjects) == TOKENS_MAX + 1


TOKENS = st.text(st.characters(codec="utf-8"), min_size=4, max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def frames_with(token: str, payload: dict[str, Any], *, is_ascii: bool) -> str:
    tags = {"idTag": token, "idToken": {"idToken": token, "type": "x"}, "data": f"of {token}."}
    return json.dumps([2, f"id {token}", "Authorize", payload | tags], ensure_ascii=is_ascii)


@example("000 ", {}, False)
@given(TOKENS, st.dictionaries(st.text(), JSON, max_size=3), st.booleans())
def test_a_frame_comes_back_to_the_byte_and_without_its_key_says_nothing_of_a_token(
    token: str,
    payload: dict[str, Any],
    is_ascii: bool,  # noqa: FBT001 - drawn
) -> None:
    reply = json.dumps([3, f"id {token}", {}], ensure_ascii=is_ascii)
    frame = frame_of(frames_with(token, payload, is_ascii=is_ascii), reply)
    line, subjects = logged(frame)
    (stored,) = decode_lines(encode_line(line))

    assert isinstance(stored, Frame)
    assert opened(stored, keys_of(subjects)) == frame
    # Blanks around a token are none of it, and what is left may be too short to be looked for.
    names = [holder.spelt for holder in subjects if holder.kind is HolderKind.TOKEN]
    if any(len(name) >= PART_MIN for name in names):
        without = frames_with("", payload, is_ascii=is_ascii)
        kept = stored.frame + (stored.reply or "")
        for subject in subjects.values():
            kept = kept.replace(subject.id, "")
        parts = {token[at : at + 4] for at in range(len(token) - 3)}
        assert [part for part in parts if part in kept and part not in without] == []
        assert msgspec.json.decode(stored.frame)


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")) | st.none())
def test_any_text_comes_back(text: str, reply: str | None) -> None:
    frame = frame_of(text, reply)
    line, subjects = logged(frame)

    assert opened(line, keys_of(subjects)) == frame


PIECES = st.lists(
    st.sampled_from(
        ['"idTag"', '"\\u0069dTag"', ":", ",", "{", "}", "[", "]", '"', "\\", '"04A1B2"', "77", " ",
         '"data"', '"idToken"', "2", '"Authorize"', "NaN", "\0", "é"]
    ),
    max_size=30,
)  # fmt: skip


@given(PIECES)
def test_any_pieces_of_a_frame_come_back(pieces: list[str]) -> None:
    frame = frame_of("".join(pieces), "".join(reversed(pieces)))
    line, subjects = logged(frame)

    assert opened(line, keys_of(subjects)) == frame
    assert line.frame == frame.frame or line.sealed


SECRET = "a-_9" * 10 + "xyz"
KEY = '{"key":"AuthorizationKey"'
VARIABLE = '"variable":{"name":"basicauthpassword"},"component":{"name":"SecurityCtrlr"}'


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (KEY + ',"value":"s3cret"}', KEY + ',"value":X}'),
        ('{"value":"s3cret","key":"AUTHORIZATIONKEY"}', '{"value":X,"key":"AUTHORIZATIONKEY"}'),
        (KEY + ',"readonly":false},{"value":"1"}', None),
        (KEY + ',"more":{"value":"1"}}', None),
        ('{"value":"1","of":' + KEY + "}}", None),
        ('{"value":"AuthorizationKey"}', None),
        ('{"attributeValue":"s3cret",' + VARIABLE + "}", '{"attributeValue":X,' + VARIABLE + "}"),
        ('[{"attributeValue":"1"},{' + VARIABLE + '},{"attributeValue":"2"}]', None),
        ('{"name":"BasicAuthPassword","attributeValue":"1"}', None),
        (f'{{"location":"https://f.example/{SECRET}/v2.bin"}}', '{"location":X}'),
        (f'{{"log":{{"remoteLocation":"http://f/x/{SECRET}"}}}}', '{"log":{"remoteLocation":X}}'),
        (f'{{"location":"https://f.example/{SECRET}A/v2.bin"}}', None),
        (f'{{"location":"https://f.example/{SECRET[1:]}/v2.bin"}}', None),
        (f'{{"place":"https://f.example/{SECRET}/v2.bin"}}', None),
    ],
)
def test_of_our_calls_a_password_or_one_time_address_is_cut_and_nothing_else(
    text: str, kept: str | None
) -> None:
    call = f'[2,"1","SetVariables",[{text}]]'
    frame = replace(frame_of(call, '[3,"1",{}]'), direction="out")
    line, subjects = logged(frame)

    [subject] = [each.id for each in subjects.values()] or ["none"]
    expected = text if kept is None else kept.replace("X", f'"{subject}"')
    assert line.frame == f'[2,"1","SetVariables",[{expected}]]'
    assert [each.kind for each in subjects] == [HolderKind.SECRET] * (kept is not None)
    assert logged(replace(frame, direction="in"))[0].frame == call, "readings are no secrets"
    assert opened(line, keys_of(subjects)).frame == call


def test_an_answer_of_nothing_but_secrets_costs_what_its_length_does() -> None:
    def cut(count: int) -> None:
        text = ",".join([KEY + ',"value":"s3cret"}'] * count)
        frame = replace(frame_of('[2,"1","X",{}]', f'[3,"1",[{text}]]'), direction="out")
        cuts = frame_cuts(frame)
        assert cuts is not None
        assert len(cuts.reply) == count

    assert growth(lambda: cut(4_000), lambda: cut(16_000)) <= RATIO_MAX
