"""Which events are taken for Stripe's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledger.payments.hearing.events import RefusedEventError
from ledger.payments.provider import EventNotice, PaymentObjectKind
from ledger.payments.stripe.webhooks import AGE_SECONDS_MAX, BODY_BYTES_MAX, StripeWebhooks
from tests.ledger.payments.stripe.signed_event import SECRET, body_of, event, sign

_NOW = datetime(2026, 3, 31, 10, tzinfo=UTC)
_OTHER = "whsec_other"
_BODY = body_of(event())
_HOOKS = StripeWebhooks("sk_test_x", [SECRET])


def _refusal(body: bytes, signature: str, hooks: StripeWebhooks = _HOOKS) -> str:
    with pytest.raises(RefusedEventError) as refused:
        hooks.read(body, signature, _NOW)
    return refused.value.reason


def test_what_stripe_signed_is_read_to_what_it_tells() -> None:
    found = _HOOKS.read(_BODY, sign(_BODY, _NOW), _NOW)
    assert found == EventNotice("evt_1", PaymentObjectKind.INTENT, "pi_1", _NOW)


@pytest.mark.parametrize("seconds", [-AGE_SECONDS_MAX, 0, AGE_SECONDS_MAX])
def test_an_event_may_be_five_minutes_apart(seconds: int) -> None:
    assert _HOOKS.read(_BODY, sign(_BODY, _NOW + timedelta(seconds=seconds)), _NOW)


@pytest.mark.parametrize("seconds", [-AGE_SECONDS_MAX - 1, AGE_SECONDS_MAX + 1, -(10**9)])
def test_an_event_of_another_time_is_refused(seconds: int) -> None:
    signature = sign(_BODY, _NOW + timedelta(seconds=seconds))
    assert _refusal(_BODY, signature) == "too_old_or_too_new"


def test_while_a_secret_is_changed_both_hold() -> None:
    both = StripeWebhooks("sk_test_x", [_OTHER, SECRET])
    for secrets in ((SECRET,), (_OTHER,), (SECRET, _OTHER)):
        assert both.read(_BODY, sign(_BODY, _NOW, *secrets), _NOW).event_id == "evt_1"
    assert _HOOKS.read(_BODY, sign(_BODY, _NOW, _OTHER, SECRET), _NOW)
    assert _refusal(_BODY, sign(_BODY, _NOW, _OTHER)) == "not_signed"
    assert _refusal(_BODY, sign(_BODY, _NOW), StripeWebhooks("sk_test_x", [])) == "not_signed"


_GOOD = sign(_BODY, _NOW)
_STAMP = int(_NOW.timestamp())


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "t=",
        "v1=0",
        f"t={_STAMP}",
        f"t={_STAMP},v0={'0' * 64}",
        _GOOD.replace("v1=", "v2="),
        _GOOD.upper(),
        _GOOD + "é",
        f"t=0,{_GOOD}",
        f"t=+{_STAMP}," + _GOOD.partition(",")[2],
        f"t={_STAMP}.0," + _GOOD.partition(",")[2],
        f"t={'9' * 5000}," + _GOOD.partition(",")[2],
        f"t={'9' * 12}," + _GOOD.partition(",")[2],
        "t=\u0661\u0662," + _GOOD.partition(",")[2],
        f"t={_STAMP},v1",
        ",".join([f"t={_STAMP}"] + ["v1=0"] * 3000),
    ],
)
def test_what_is_no_signature_of_ours_is_refused(signature: str) -> None:
    assert _refusal(_BODY, signature) in {"no_signature", "not_signed", "too_old_or_too_new"}


def test_a_byte_that_was_changed_breaks_the_signature() -> None:
    for body in (_BODY + b" ", _BODY.replace(b"pi_1", b"pi_2"), b"", b"\xff" + _BODY):
        assert _refusal(body, _GOOD) == "not_signed"


_DEEP = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
_NONE: list[bytes] = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"id": NaN}',
    b'{"id": ' + b"9" * 6000 + b"}",
    _DEEP[: BODY_BYTES_MAX - 10],
    body_of(event(id=5)),
    body_of(event(id="evt_1\u0000")),
    body_of(event(id="e" * 101)),
    body_of(event(id="../x")),
    body_of(event(id="evt_1\n")),
    body_of(event(object="v2.core.event")),
    body_of(event(created="yesterday")),
    body_of(event(created=-1)),
    body_of(event(created=10**40)),
    body_of(event(created=1774951200.5)),
    body_of(event(livemode="false")),
    body_of(event(data={"object": ["pi_1"]})),
    body_of(event(data={"object": {"id": "pi_1"}})),
    body_of(event(data=None)),
]


@pytest.mark.parametrize("number", range(len(_NONE)))
def test_what_is_signed_and_no_event_is_refused(number: int) -> None:
    body = _NONE[number]
    assert _refusal(body, sign(body, _NOW)) == "no_event"


def test_deep_within_what_we_do_not_read_nothing_breaks() -> None:
    body = body_of(event()).replace(
        b'"created"', b'"more": ' + b"[" * 900 + b"]" * 900 + b', "created"'
    )
    assert _HOOKS.read(body, sign(body, _NOW), _NOW).object_id == "pi_1"


def test_an_event_of_others_is_refused() -> None:
    live = body_of(event(livemode=True))
    assert _refusal(live, sign(live, _NOW)) == "other_mode"
    assert _refusal(_BODY, _GOOD, StripeWebhooks("rk_live_x", [SECRET])) == "other_mode"
    connected = body_of(event(account="acct_1"))
    assert _refusal(connected, sign(connected, _NOW)) == "other_account"
    large = body_of(event(more="x" * BODY_BYTES_MAX))
    assert _refusal(large, sign(large, _NOW)) == "too_large"


_KINDS: list[tuple[dict[str, object], PaymentObjectKind | None, str]] = [
    ({"object": "setup_intent", "id": "seti_1"}, PaymentObjectKind.SETUP, "seti_1"),
    ({"object": "refund", "id": "re_1"}, PaymentObjectKind.REFUND, "re_1"),
    ({"object": "dispute", "id": "du_1"}, PaymentObjectKind.DISPUTE, "du_1"),
    ({"object": "payout", "id": "po_1"}, PaymentObjectKind.PAYOUT, "po_1"),
    ({"object": "charge", "id": "ch_1"}, None, "ch_1"),
    ({"object": "balance"}, None, ""),
    ({"object": "payout", "id": "../x"}, None, ""),
    ({"object": "payout", "id": "po_1\n"}, None, ""),
    ({"object": "payout", "id": "4242 4242 4242 4242"}, None, ""),
]


def test_each_object_is_of_its_kind_and_others_of_none() -> None:
    for about, kind, object_id in _KINDS:
        body = body_of(event(type="something.new", data={"object": about}))
        found = _HOOKS.read(body, sign(body, _NOW), _NOW)
        assert (found.kind, found.object_id) == (kind, object_id)
