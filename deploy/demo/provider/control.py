"""The same by HTTP, under /control, for processes that are elsewhere.

`POST /control/NAME` with a form calls what `FakeStripe` has of that name; the answer is JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.forms import integer, is_true, needed, needed_integer, read_form
from deploy.demo.provider.refusals import BAD_REQUEST, NOT_FOUND, Json, ProviderRefusalError
from deploy.demo.provider.wire import HttpRequest, ProviderReply

if TYPE_CHECKING:
    from deploy.demo.provider.server import FakeStripe

_OK: Final = 200


def answer_control(fake: FakeStripe, request: HttpRequest) -> ProviderReply:
    """Do what is asked of the fake itself."""
    act = _ACTS.get(request.path.removeprefix("/control/"))
    if act is None or request.method != "POST":
        known = ", ".join(sorted(_ACTS))
        return _reply(NOT_FOUND, {"error": f"POST /control/NAME, and NAME is one of {known}"})
    try:
        return _reply(_OK, act(fake, read_form(request.body.decode("utf-8", "replace"))))
    except ProviderRefusalError as refused:
        return _reply(BAD_REQUEST, {"error": refused.error})
    except (ArithmeticError, KeyError, ValueError) as error:
        return _reply(BAD_REQUEST, {"error": f"{type(error).__name__}: {error}"})


def _reply(status: int, shown: object) -> ProviderReply:
    return ProviderReply(status, msgspec.json.encode(shown))


def _confirm(fake: FakeStripe, form: Json) -> Json:
    agrees = form.get("agrees", "true") == "true"
    return fake.confirm(needed(form, "id"), form.get("method"), agrees=agrees)


def _open_dispute(fake: FakeStripe, form: Json) -> Json:
    return fake.open_dispute(
        needed(form, "id"),
        amount=integer(form, "amount"),
        reason=form.get("reason", "fraudulent"),
        is_inquiry=is_true(form, "is_inquiry"),
    )


def _settle_dispute(fake: FakeStripe, form: Json) -> Json:
    return fake.settle_dispute(needed(form, "id"), won=is_true(form, "won"))


def _pass_time(fake: FakeStripe, form: Json) -> Json:
    fake.pass_time(timedelta(seconds=needed_integer(form, "seconds")))
    return {"now": fake.account.now().isoformat()}


def _plan(fake: FakeStripe, form: Json) -> Json:
    fault = ProviderFault(needed(form, "fault"))
    times = integer(form, "times")
    with fake.lock:
        fake.faults.plan(
            fault,
            times=1 if times is None else times,
            path=form.get("path", ""),
            spared=integer(form, "spared") or 0,
        )
    return {}


def _chances(fake: FakeStripe, form: Json) -> Json:
    with fake.lock:
        fake.faults.chances = {ProviderFault(name): float(chance) for name, chance in form.items()}
    return {}


def _clear(fake: FakeStripe, _: Json) -> Json:
    with fake.lock:
        fake.faults.clear()
    return {}


def _send_to(fake: FakeStripe, form: Json) -> Json:
    fake.send_to(form.get("url", ""))
    return {}


def _waiting(fake: FakeStripe, _: Json) -> Json:
    return {"waiting": fake.webhooks.waiting()}


def _state(fake: FakeStripe, _: Json) -> Json:
    with fake.lock:
        return {
            "answered": fake.desk.answered,
            "struck": dict(fake.faults.struck),
            "card_numbers": fake.desk.card_numbers,
            "total_minor": {name: fake.total_minor(name) for name in ("eur", "usd", "gbp")},
        }


def _by_id(act: Callable[[FakeStripe, str], Any]) -> Callable[[FakeStripe, Json], Any]:
    return lambda fake, form: act(fake, needed(form, "id"))


_ACTS: Final[dict[str, Callable[[FakeStripe, Json], Any]]] = {
    "confirm": _confirm,
    "open_dispute": _open_dispute,
    "settle_dispute": _settle_dispute,
    "escalate": _by_id(lambda fake, name: fake.escalate(name)),
    "expire_hold": _by_id(lambda fake, name: fake.expire_hold(name)),
    "fail_refund": _by_id(lambda fake, name: fake.fail_refund(name)),
    "fail_payout": _by_id(lambda fake, name: fake.fail_payout(name)),
    "arrive": _by_id(lambda fake, name: fake.arrive(name)),
    "pay_out": lambda fake, _: fake.pay_out(),
    "charge_fee": lambda fake, form: fake.charge_fee(needed_integer(form, "amount")),
    "pass_time": _pass_time,
    "plan": _plan,
    "chances": _chances,
    "clear": _clear,
    "send_to": _send_to,
    "deliver": lambda fake, _: {"delivered": fake.deliver()},
    "waiting": _waiting,
    "of": lambda fake, form: fake.of(needed(form, "kind")),
    "state": _state,
}
