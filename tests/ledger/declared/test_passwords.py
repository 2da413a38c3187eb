"""What master data keeps of passwords, and which of them need an expensive hash."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any

import pytest

from ledger.declared.passwords import (
    BadHashError,
    check_hash,
    hash_password,
    is_quick,
    is_random_key,
    password_matches,
)

HEX = "00112233445566778899aabbccddeeff00112233"
RANDOM = "9f86d081884c7d659a2feaa0c55ad015"


def test_a_password_matches_its_own_hash_only() -> None:
    hashed = hash_password("right")

    assert password_matches("right", hashed)
    assert not password_matches("wrong", hashed)
    assert hashed != hash_password("right")
    assert "right" not in hashed


@pytest.mark.parametrize(
    ("password", "kept"),
    [
        (
            "right",
            "scrypt$4096$8$1$WJTUxourgrco4b5glPJG2Q==$Ga9ibPwhD6pZNb+cN8rnXg2X25qdsZmh74hVEHN7sxA=",
        ),
        (
            RANDOM,
            "hmac-sha256$AdGndl/V5nazPhlQeSVMJA==$qzkpl9HDk54QNYQAyPxd3/a7p0Sjlt8m0+x5WIDqg34=",
        ),
    ],
)
def test_what_was_declared_long_ago_still_matches(password: str, kept: str) -> None:
    assert password_matches(password, kept)
    assert not password_matches(f"{password}!", kept)


@pytest.mark.parametrize("sent", [HEX, HEX.upper(), bytes.fromhex(HEX), HEX.encode()])
def test_a_key_matches_as_hex_text_in_any_case_and_as_bytes(sent: str | bytes) -> None:
    assert password_matches(sent, hash_password(HEX))
    assert password_matches(sent, hash_password(bytes.fromhex(HEX)))


@pytest.mark.parametrize(
    "broken",
    [
        "", "plain", "md5$1$2$3$4$5", "scrypt$x$8$1$AA==$AA==", "scrypt$AA==$AA==",
        "hmac-sha256$AA==", "hmac-sha256$%$AA==", "hmac-sha256$AA==$\u00e4",
    ],
)  # fmt: skip
def test_a_hash_that_is_not_ours_is_refused(broken: str) -> None:
    with pytest.raises(BadHashError, match="`wattledger station password` makes one"):
        password_matches("x", broken)
    with pytest.raises(BadHashError):
        check_hash(broken)


@pytest.mark.parametrize("password", [RANDOM, "right"])
def test_a_hash_of_ours_may_be_declared_and_has_a_salt_of_16_bytes(password: str) -> None:
    hashed = hash_password(password)

    check_hash(hashed)
    assert len(base64.b64decode(hashed.split("$")[-2])) == 16


@pytest.mark.parametrize("sent", [RANDOM, RANDOM.upper(), bytes.fromhex(RANDOM)])
def test_a_random_key_is_kept_as_a_quick_hash_and_matches_as_text_and_as_bytes(
    sent: str | bytes,
) -> None:
    hashed = hash_password(RANDOM)

    assert is_quick(hashed)
    assert password_matches(sent, hashed)
    assert not password_matches("0" + RANDOM[1:], hashed)
    assert hashed != hash_password(RANDOM)


@pytest.mark.parametrize(
    "weak",
    [
        pytest.param("correct-horse-battery-staple-1234", id="long and no hex"),
        pytest.param(RANDOM[:30], id="fewer than 16 bytes"),
        pytest.param(RANDOM + RANDOM[:10], id="more than 20 bytes"),
        pytest.param(RANDOM + "9", id="half a byte more"),
        pytest.param("0" * 32, id="one digit"),
        pytest.param("0123456789abcdef" * 2, id="counting"),
        pytest.param("deadbeef" * 4, id="a word"),
        pytest.param(RANDOM[:16] * 2, id="twice the same"),
        pytest.param(RANDOM[:16] + RANDOM[:16].upper(), id="twice the same in another case"),
        pytest.param(HEX, id="pairs"),
        pytest.param("25575e7b174e1e12715eeb22bb4e7e52", id="seven digits"),
        # From f to 0 is a step like any other: not counted round, these would be eight.
        pytest.param("359bc6d1b15bdcb5bd7e26c3489f9df5", id="seven steps"),
    ],
)
def test_what_somebody_chose_is_kept_as_an_expensive_hash(weak: str) -> None:
    assert not is_random_key(weak)
    assert hash_password(weak).startswith("scrypt$4096$8$1$")


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("45cf0909215490f1cf192f5990509105", id="eight digits"),
        pytest.param("81ad4ce70914c43c4d0d6579e30f254b", id="eight steps"),
    ],
)
def test_eight_digits_and_eight_steps_are_random_enough(key: str) -> None:
    assert is_random_key(key)


def test_keys_that_are_drawn_are_random_keys() -> None:
    lengths = (16, 20)

    assert all(is_random_key(secrets.token_hex(n)) for n in lengths for _ in range(1_000))


def test_stations_whose_hashes_cost_the_same_are_hashed_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashes = [hash_password(f"password {number}") for number in range(5)]
    hashed, scrypt = list[object](), hashlib.scrypt

    def counted(*given: Any, **named: Any) -> bytes:  # noqa: ANN401 - as the library's
        hashed.append(named)
        return scrypt(*given, **named)

    monkeypatch.setattr(hashlib, "scrypt", counted)
    for each in hashes:
        check_hash(each)
    with pytest.raises(BadHashError):
        check_hash(hashes[0].replace("$4096$", "$4095$"))

    assert len(hashed) <= 2
