"""What is sealed opens with its key alone, and shows when it was changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.persons.holders import NAME_MAX, customer_holder, token_holder
from ledger.persons.sealing import (
    BrokenSealError,
    Subject,
    blob_reference,
    new_subject,
    opened,
    seal,
    seal_bytes,
    unseal,
    unseal_bytes,
)
from tests.at_the_edge import named_key, original, sealed
from tests.ingest.persons.frames import AUTHORIZE

ANNA, BEN = new_subject(), new_subject()


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_what_is_sealed_comes_back(text: str) -> None:
    assert unseal(ANNA, seal(ANNA, text)) == text


@given(st.binary(min_size=1))
def test_bytes_that_are_sealed_come_back_and_show_every_change(content: bytes) -> None:
    shut = seal_bytes(ANNA, content)

    assert unseal_bytes(ANNA, shut) == content
    assert len(shut) == len(content) + 16
    for changed in (shut[:-1], shut + b"\0", bytes([shut[0] ^ 1]) + shut[1:], b""):
        with pytest.raises(BrokenSealError):
            unseal_bytes(ANNA, changed)


@pytest.mark.parametrize("other", [BEN, Subject(ANNA.id, BEN.key), Subject(BEN.id, ANNA.key)])
def test_bytes_open_for_nobody_else(other: Subject) -> None:
    with pytest.raises(BrokenSealError):
        unseal_bytes(other, seal_bytes(ANNA, b"%PDF-1.7"))


@pytest.mark.parametrize(
    "other", [BEN, Subject(ANNA.id, BEN.key), Subject(BEN.id, ANNA.key)], ids=["all", "key", "id"]
)
def test_it_opens_for_nobody_else(other: Subject) -> None:
    with pytest.raises(BrokenSealError):
        unseal(other, seal(ANNA, '"04A1B2C3"'))


def test_the_same_text_is_the_same_bytes_so_no_nonce_can_be_used_twice() -> None:
    assert seal(ANNA, '"04A1"') == seal(ANNA, '"04A1"') != seal(BEN, '"04A1"')
    assert '"04A1"' not in seal(ANNA, '"04A1"')


def test_a_frame_that_was_changed_does_not_open() -> None:
    line = sealed(AUTHORIZE)

    assert original(line) == AUTHORIZE
    with pytest.raises(BrokenSealError):
        original(replace(line, frame=line.frame.replace("Authorize", "Autorize_")))
    with pytest.raises(BrokenSealError):
        original(replace(line, frame=" " + line.frame))


def test_without_its_key_a_frame_stays_as_it_is_kept() -> None:
    line = sealed(AUTHORIZE)

    assert opened(line, {}) == line


def test_what_one_key_opens_stays_shut_for_the_others() -> None:
    frame = replace(AUTHORIZE, frame=AUTHORIZE.frame.replace("}]", ',"parentIdTag":"04BB","x":1}]'))
    line = sealed(frame)
    first = line.sealed[0].subject
    halfway = opened(line, {first: named_key(first)})

    assert '"04A1B2C3"' in halfway.frame
    assert [part.subject for part in halfway.sealed] == ["04bb"]
    assert original(halfway) == original(line) == frame


def test_the_hash_of_a_frame_is_no_oracle_for_who_guesses_tokens() -> None:
    first, second = (replace(AUTHORIZE, frame=AUTHORIZE.frame) for _ in range(2))

    assert sealed(first).hmac == sealed(second).hmac
    assert len(sealed(first).hmac or "") == 64


def test_a_blob_is_named_by_its_content_for_who_has_the_key() -> None:
    assert blob_reference(ANNA, b"x") == blob_reference(ANNA, b"x")
    assert (
        len({blob_reference(ANNA, b"x"), blob_reference(ANNA, b"y"), blob_reference(BEN, b"x")})
        == 3
    )


@pytest.mark.parametrize(("length", "is_whole"), [(NAME_MAX, True), (NAME_MAX + 1, False)])
def test_a_name_of_any_length_can_be_indexed(
    length: int,
    is_whole: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    one, other = token_holder("a" * length), token_holder("a" * (length - 1) + "b")

    assert one is not None
    assert other is not None
    assert (one.name == "a" * length) == is_whole
    assert len(one.name) <= NAME_MAX
    assert one.name != other.name


@pytest.mark.parametrize("raw", [None, "", "  ", "NULL", "\0", "Undefined"])
def test_what_stations_send_for_no_token_holds_nothing(raw: str | None) -> None:
    assert token_holder(raw) is None


def test_a_customer_and_a_token_of_one_name_are_two_holders() -> None:
    token = token_holder("anna")

    assert token is not None
    assert token != customer_holder("anna")
