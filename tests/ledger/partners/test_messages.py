"""What partners say comes back exactly, names nobody in the log, and changes no session."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.database import connect
from ledger.log.envelope import PartnerMessage, Tick, decode_lines, encode_line
from ledger.log.event_log import NewRecord, Record, partition_of
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.partners.messages import (
    HOLDERS_MAX,
    TEXT_MAX,
    UnfitMessageError,
    cut_message,
    cuts_of,
)
from ledger.partners.party import BadPartyError
from ledger.persons.holders import Holder, HolderKind, partner_holder
from ledger.persons.sealing import BrokenSealError, Subject, opened_message
from ledger.persons.store import erase, find_or_make
from projections.log_reading import as_they_came, describe, read_position
from tests.at_the_edge import named_key, named_subject
from tests.charging_day import (
    MORNING,
    PARTITIONS,
    charging_day,
    choose,
    declare_fleet,
    tick,
    write_log,
)
from tests.fakes import NOON
from tests.ledger.worker.test_worker import consequences, new_schema, work

PARTY = "NL-TNM"
NAMES = ["uid", "token_uid", "contract_id", "auth_id", "visual_number", "group_id", "remark"]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from(["04AA", "04bb"])
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from([*NAMES, "id", "cdr_token", "uid2", "a b", 'x":{', "\\", ""]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Return JSON as different writers write it, and what is none."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
    escaped, spaced = draw(st.booleans()), draw(st.sampled_from([None, 1]))
    document = draw(DOCUMENTS)
    text = json.dumps(document, ensure_ascii=escaped, indent=spaced)
    return text if _is_encodable(text) else json.dumps(document)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def said(body: str, reply: str | None = None, *, what: str = "cdrs") -> PartnerMessage:
    return PartnerMessage(received_at=NOON, party=PARTY, what=what, body=body, reply=reply)


def subject_of(holder: Holder) -> Subject:
    if holder.kind is HolderKind.PARTNER:
        return Subject("of-the-party", named_key("of-the-party"))
    return named_subject(Holder(holder.kind, f"of-{holder.name}", holder.spelt))


def logged(message: PartnerMessage) -> PartnerMessage:
    """Return *message* as the log gives it back."""
    cut = cut_message(message)
    subjects = {holder: subject_of(holder) for holder in cut.holders}
    (line,) = decode_lines(encode_line(cut.sealed(subjects)))
    assert isinstance(line, PartnerMessage)
    return line


def keys_of(line: PartnerMessage) -> dict[str, bytes]:
    return {part.subject: named_key(part.subject) for part in (*line.sealed, *line.reply_sealed)}


def owners(body: str) -> list[str]:
    """Return for whom each value in *body* is sealed, in order."""
    return [part.subject.removeprefix("of-") for part in logged(said(body)).sealed]


@settings(max_examples=300, deadline=None)
@given(texts(), st.none() | texts())
def test_a_message_comes_back_exactly(body: str, reply: str | None) -> None:
    message = said(body, reply)
    line = logged(message)

    assert opened_message(line, keys_of(line)) == message


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS)
def test_what_is_kept_is_json_in_which_nobody_stands(document: object) -> None:
    line = logged(said(json.dumps(document)))

    assert list(_personal(json.loads(line.body))) == []


def _personal(document: object, name: str = "") -> Iterator[object]:
    """Yield what stands under a personal name and is neither a subject id nor nothing."""
    if name in NAMES:
        whole = isinstance(document, str) and document.startswith("of-")
        if document is not None and not whole:
            yield document
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from _personal(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from _personal(value)


def test_what_is_changed_does_not_open() -> None:
    line = logged(said('{"uid": "04AA", "id": 7}'))

    with pytest.raises(BrokenSealError):
        opened_message(
            msgspec.structs.replace(line, body=line.body.replace("7", "8")), keys_of(line)
        )


def test_one_who_is_erased_stays_shut_and_the_others_open() -> None:
    line = logged(said('[{"uid": "04AA", "contract_id": "C1"}, {"uid": "04BB"}]'))
    keys = keys_of(line)
    del keys["of-04aa"]

    left = opened_message(line, keys)

    assert json.loads(left.body) == [{"uid": "of-04aa", "contract_id": "of-04aa"}, {"uid": "04BB"}]
    assert [part.subject for part in left.sealed] == ["of-04aa", "of-04aa"]
    assert left.hmac is None


@pytest.mark.parametrize(
    ("body", "whose"),
    [
        ('{"uid": "A1", "contract_id": "C", "visual_number": "V"}', ["a1", "a1", "a1"]),
        ('{"contract_id": "C", "uid": "A1"}', ["a1", "a1"]),
        ('{"cdr_token": {"uid": "A1"}, "remark": "by phone"}', ["a1", "a1"]),
        ('[{"remark": 1, "x": {"uid": "A1"}}, {"x": {"uid": "B1"}, "remark": 2}]',
         ["a1", "a1", "b1", "b1"]),
        ('{"uid": "A1", "energy_contract": {"contract_id": "C"}}', ["a1", "a1"]),
        ('{"uid": "A1", "uid": "B1"}', ["a1", "b1"]),
        ('{"uid": "A1", "uid": "B1", "contract_id": "C"}', ["a1", "b1", "a1"]),
        ('{"token_uid": "A1", "uid": "B1", "contract_id": "C"}', ["a1", "b1", "b1"]),
        ('{"auth_id": "E1", "location": {"evses": [{"uid": "V1"}]}}', ["e1", "v1"]),
        ('{"auth_id": "E1"}', ["e1"]),
        ('{"contract_id": "C", "auth_id": "E1"}', ["e1", "e1"]),
        ('{"uid": 4711, "contract_id": "C"}', ["4711", "4711"]),
        ('{"uid": null, "contract_id": "C"}', ["c"]),
        ('{"uid": {"a": ["04", {"uid": "A1"}]}, "id": 1}', ["the-party"]),
        ('{"uid": ["A1", "B1"]}', ["the-party"]),
        ('[{"uid": 1, "x": "uid"}, {"remark": true}, ["remark", {"auth_id": -2.5e3}]]',
         ["1", "the-party", "-2.5e3"]),
        ('{"x": "a{b", "uid" :"A1", "y": "}", "remark"\n:\t"r", "z": {"remark": "{"}}',
         ["a1", "a1", "a1"]),
        ('{"x": [{}, {"y": {}}], "uid": "A1", "z": [{"remark": "r"}], "auth_id": null}',
         ["a1", "a1"]),
        ('{"remark": "Ada"}', ["the-party"]),
        ('{"remark": ""}', ["the-party"]),
        ('{"\\u0075id": "A1"}', ["a1"]),
        ('{"id": "uid", "x": ["uid", "04AA"]}', []),
        ("uid=04AA", ["the-party"]),
        ('{"uid": "A1"', ["the-party"]),
        ("[" * 100_000, ["the-party"]),
        ("9" * 10_000, ["the-party"]),
        ("", []),
        ('"04AA"', []),
    ],
)  # fmt: skip
def test_whose_a_value_is(body: str, whose: list[str]) -> None:
    assert owners(body) == whose


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS, st.sampled_from([{"indent": 1}, {"separators": (",", ":")}, {}]))
def test_an_escape_elsewhere_changes_nothing(document: object, spelt: dict[str, Any]) -> None:
    text = json.dumps(document, ensure_ascii=False, **spelt)

    plain, escaped = cuts_of(f'[{text},"a"]', PARTY), cuts_of(f'[{text},"\\u0061"]', PARTY)

    assert [list(each) for each in escaped] == [list(each) for each in plain]


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS, st.sampled_from([{"ensure_ascii": False}, {"indent": 1}, {}]))
def test_what_a_tree_has_under_the_names_of_persons_is_cut_and_nothing_else(
    document: object, spelt: dict[str, Any]
) -> None:
    text = json.dumps(document, **spelt)

    found = cuts_of(text, PARTY)

    assert [json.loads(text[start:end]) for start, end in found.spans] == list(personal(document))


def personal(document: object) -> Iterator[object]:
    """Yield every value that stands under a name of a person's, the outermost alone."""
    members = enumerate(document) if isinstance(document, list) else ()
    for name, value in document.items() if isinstance(document, dict) else members:
        if name not in NAMES:
            yield from personal(value)
        elif value is not None:
            yield value


def test_a_message_makes_no_more_subjects_than_a_page_of_cdrs_needs() -> None:
    body = json.dumps([{"uid": f"A{number}"} for number in range(HOLDERS_MAX + 2)])

    found = cut_message(said(body)).holders

    assert len(found) == HOLDERS_MAX + 1
    assert found[-1] == partner_holder(PARTY)
    assert owners(body)[HOLDERS_MAX - 1 :] == [f"a{HOLDERS_MAX - 1}", "the-party", "the-party"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"a":' * 900 + '{"remark":1,"uid":"A"}' + "}" * 900, id="deep"),
        pytest.param(json.dumps([{"remark": "x"}] * 60_000), id="wide"),
        pytest.param('{"uid":"' + "\\\\" * 500_000 + '"}', id="a long text"),
        pytest.param('{"uid":"' + "x" * 1_000_000, id="a text without an end"),
    ],
)
def test_a_hostile_text_of_a_megabyte_costs_no_more_than_a_second_or_two(body: str) -> None:
    assert len(body) <= TEXT_MAX
    assert cut_message(said(body)).holders


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (said("x" * (TEXT_MAX + 1)), "body has 1048577 characters"),
        (said("{}", "x" * (TEXT_MAX + 1)), "reply has 1048577 characters"),
        (said("{}", what=""), "does not say"),
        (said("{}", what="tokens/NL/TNM/04AA"), "does not say"),
        (said("{}", what="a b c"), "does not say"),
        (said("{}", what="x" * 41), "does not say"),
        (said('{"uid": "\ud800"}'), "half a character at 9"),
    ],
)
def test_what_can_be_no_line_is_refused(message: PartnerMessage, problem: str) -> None:
    with pytest.raises(UnfitMessageError, match=problem):
        cut_message(message)


def test_a_message_of_no_party_is_refused() -> None:
    with pytest.raises(BadPartyError):
        cut_message(msgspec.structs.replace(said("{}"), party="nobody"))


@pytest.mark.parametrize("what", ["cdrs", "commands START_SESSION", "x" * 40])
def test_a_message_at_the_limits_is_a_line(what: str) -> None:
    assert cut_message(said("9" * TEXT_MAX, what=what)).holders == [partner_holder(PARTY)]


def test_a_message_is_shown_as_it_was_said() -> None:
    message = said('{"id": "CDR1"}', '{"status_code": 1000}')
    ours = msgspec.structs.replace(message, direction="out", reply=None)

    assert describe(message) == 'NL-TNM > cdrs {"id": "CDR1"}  answered {"status_code": 1000}'
    assert describe(ours) == 'NL-TNM < cdrs {"id": "CDR1"}'


def test_the_log_shows_what_a_partner_said_until_who_stands_in_it_is_erased(database: str) -> None:
    message = said('{"uid": "04AA", "id": "CDR1"}', '{"uid": "04AA"}')
    partition = partition_of(PARTY, partitions=PARTITIONS)
    with connect(database) as connection:
        cut = cut_message(message)
        holders = cut.holders
        made = find_or_make(connection, holders)
        subjects = {holder: made[str(holder.kind), holder.name] for holder in holders}
        line = cut.sealed(subjects)
        with connect(database) as another:
            make_log(another, PARTITIONS)
        tick_before = encode_line(Tick(received_at=NOON))
        with PostgresEventLog(database) as log:
            log.append([NewRecord(partition, [tick_before, encode_line(line)])])
            lines = read_position(log, partition, 0, 1)

        (shown,) = as_they_came(connection, lines)
        erase(connection, [subject.id for subject in subjects.values()])
        (shut,) = as_they_came(connection, lines)

    assert (shown.line, shown.text) == (message, encode_line(message).decode())
    assert shut.line == line
    assert "04AA" not in shut.text


class WithPartners:
    """A log in which partners speak by chance behind a record's lines, and alone at the end."""

    def __init__(self, log: PostgresEventLog, seed: int) -> None:
        self._log, self._seed = log, seed

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> Sequence[Record]:
        found = self._log.read(partition, start, records=records, lines=lines)
        if not found and start == self._log.ends()[partition]:
            return [Record(partition, start, encode_line(logged(said("[]"))))]
        return [self._spoken_in(record) for record in found]

    def wait(self, seconds: float) -> None:
        self._log.wait(seconds)

    def _spoken_in(self, record: Record) -> Record:
        chance = random.Random(f"{self._seed}/{record.partition}/{record.position}")
        texts = [record.payload]
        while chance.random() < 0.4:
            told = logged(said('{"uid": "FLEET1", "remark": "stop it"}', "{}"))
            moment = MORNING + timedelta(hours=chance.randrange(-90, 90))
            texts.append(encode_line(msgspec.structs.replace(told, received_at=moment)))
        return record._replace(payload=b"\n".join(texts))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_worker_decides_the_same_with_what_partners_say_between_the_frames(
    database: str, seed: int
) -> None:
    day = charging_day(declare_fleet(database))
    held = "CS-OLD-2/22/20260302T082000Z"
    write_log(database, [*day, *tick(2_000), choose(held, "release", 2_001)])
    work(database)
    expected = consequences(database)

    with PostgresEventLog(database) as log:
        work(database, schema=new_schema(database, "other"), log=WithPartners(log, seed))

    found = consequences(database, "other")
    # A record in which partners alone spoke is one more to be passed, and no more.
    passed = [(number, position - 1, *rest) for number, position, *rest in found["position"]]
    assert found | {"position": passed} == expected
    assert all(reason != "line_unreadable" for *_, reason, _ in found["set aside"])
