"""Which address does what: the endpoints that we use, and which parameters they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from types import UnionType
from typing import Any, Final, NamedTuple

from deploy.demo.provider.account import balance, customers, disputes, intents, refunds
from deploy.demo.provider.account.store import ProviderAccount
from deploy.demo.provider.refusals import (
    NOT_FOUND,
    UNAUTHORIZED,
    Json,
    ProviderRefusalError,
    invalid,
)

ANY: Final = "*"
_TYPES_MAX: Final = 20
_EVENTS_KEPT: Final = timedelta(days=30)
_PAGED: Final = frozenset({"limit", "starting_after", "ending_before", "created"})
_CONFIRMED: Final = frozenset(
    {"payment_method", "mandate_data", "mandate", "return_url", "use_stripe_sdk", "client_secret"}
    | {"payment_method_options", "payment_method_types", "confirmation_token"}
)
_NOTED: Final = frozenset({"metadata", "description"})
_CUSTOMER: Final = _NOTED | {"email", "name", "phone", "payment_method", "preferred_locales"}
_SETUP: Final = _NOTED | _CONFIRMED | {"customer", "confirm", "usage", "automatic_payment_methods"}
_INTENT: Final = (
    _NOTED
    | _CONFIRMED
    | {"amount", "currency", "customer", "confirm", "off_session", "capture_method"}
    | {"confirmation_method", "setup_future_usage", "statement_descriptor_suffix"}
    | {"statement_descriptor", "automatic_payment_methods", "error_on_requires_action"}
)
_CAPTURE: Final = frozenset(
    {"amount_to_capture", "final_capture", "metadata", "statement_descriptor_suffix"}
)
_REFUND: Final = frozenset({"payment_intent", "charge", "amount", "reason", "metadata"})


class ProviderRoute(NamedTuple):
    """What an address does, with the form and the id in the address, and what the form may hold."""

    act: Callable[[ProviderAccount, Json, str], Json]
    takes: frozenset[str]


def _of(kind: str, act: Callable[..., Json], takes: frozenset[str] = frozenset()) -> ProviderRoute:
    """Return a route that does *act* with the object that the address names."""
    return ProviderRoute(
        lambda account, form, name: act(account, account.get(kind, name), form), takes
    )


def _get(kind: str) -> ProviderRoute:
    return ProviderRoute(
        lambda account, _, name: account.get(kind, name), frozenset({"client_secret"})
    )


def _list(kind: str, *filters: str) -> ProviderRoute:
    def listed(account: ProviderAccount, form: Json, _: str) -> Json:
        return account.listed(kind, form, {name: form[name] for name in filters if name in form})

    return ProviderRoute(listed, _PAGED | set(filters))


def _events(account: ProviderAccount, form: Json, _: str) -> Json:
    wanted = form.get("types", [])
    if "type" in form:
        wanted = [form["type"]]
    if len(wanted) > _TYPES_MAX:
        raise invalid(f"At most {_TYPES_MAX} types can be asked for.", param="types")
    filters = {"type": frozenset(wanted)} if wanted else {}
    oldest = account.second() - int(_EVENTS_KEPT.total_seconds())
    return account.listed("event", form, filters, oldest=oldest)


def _lines(account: ProviderAccount, form: Json, _: str) -> Json:
    balance.settle(account)
    filters: dict[str, Any] = {
        name: form[name] for name in ("type", "source", "currency") if name in form
    }
    if "payout" in form:
        account.get("payout", form["payout"], "payout")
        filters["id"] = frozenset(account.payout_lines[form["payout"]])
    return account.listed("balance_transaction", form, filters)


def _methods(account: ProviderAccount, form: Json, customer: str) -> Json:
    asked = form | ({"customer": customer} if customer else {})
    return account.listed("payment_method", form, customers.of_customer(account, asked))


def _no_form(
    act: Callable[[ProviderAccount, Json], Json],
) -> Callable[[ProviderAccount, Json, Json], Json]:
    return lambda account, found, _: act(account, found)


ROUTES: Final = {
    "POST customers": ProviderRoute(
        lambda a, form, _: customers.create_customer(a, form), _CUSTOMER
    ),
    "GET customers": _list("customer", "email"),
    "GET customers/*": _get("customer"),
    "POST customers/*": _of("customer", customers.update, _CUSTOMER),
    "GET customers/*/payment_methods": ProviderRoute(_methods, _PAGED | {"type"}),
    "GET payment_methods": ProviderRoute(_methods, _PAGED | {"type", "customer"}),
    "GET payment_methods/*": _get("payment_method"),
    "POST payment_methods/*/attach": ProviderRoute(
        lambda a, form, name: customers.attach(a, name, form.get("customer", "")),
        frozenset({"customer"}),
    ),
    "POST payment_methods/*/detach": _of("payment_method", _no_form(customers.detach)),
    "POST setup_intents": ProviderRoute(lambda a, form, _: customers.create_setup(a, form), _SETUP),
    "GET setup_intents": _list("setup_intent", "customer", "payment_method"),
    "GET setup_intents/*": _get("setup_intent"),
    "POST setup_intents/*": _of("setup_intent", customers.update, _NOTED),
    "POST setup_intents/*/confirm": _of("setup_intent", customers.confirm_setup, _CONFIRMED),
    "POST setup_intents/*/cancel": _of(
        "setup_intent", customers.cancel_setup, frozenset({"cancellation_reason"})
    ),
    "GET mandates/*": _get("mandate"),
    "POST payment_intents": ProviderRoute(
        lambda a, form, _: intents.create_intent(a, form), _INTENT
    ),
    "GET payment_intents": _list("payment_intent", "customer"),
    "GET payment_intents/*": _get("payment_intent"),
    "POST payment_intents/*": _of("payment_intent", customers.update, _NOTED),
    "POST payment_intents/*/confirm": _of(
        "payment_intent", intents.confirm_intent, _CONFIRMED | {"off_session"}
    ),
    "POST payment_intents/*/capture": _of("payment_intent", intents.capture_intent, _CAPTURE),
    "POST payment_intents/*/cancel": _of(
        "payment_intent", intents.cancel_intent, frozenset({"cancellation_reason"})
    ),
    "POST payment_intents/*/increment_authorization": _of(
        "payment_intent", intents.raise_intent, _NOTED | {"amount", "statement_descriptor"}
    ),
    "GET charges": _list("charge", "customer", "payment_intent"),
    "GET charges/*": _get("charge"),
    "POST refunds": ProviderRoute(lambda a, form, _: refunds.create_refund(a, form), _REFUND),
    "GET refunds": _list("refund", "charge", "payment_intent"),
    "GET refunds/*": _get("refund"),
    "GET disputes": _list("dispute", "charge", "payment_intent"),
    "GET disputes/*": _get("dispute"),
    "POST disputes/*": _of(
        "dispute", disputes.answer_dispute, frozenset({"evidence", "metadata", "submit"})
    ),
    "POST disputes/*/close": _of(
        "dispute", lambda a, found, _: disputes.settle_dispute(a, found, is_won=False)
    ),
    "GET balance": ProviderRoute(lambda a, _form, _name: balance.balance(a), frozenset()),
    "GET balance_transactions": ProviderRoute(
        _lines, _PAGED | {"payout", "type", "source", "currency"}
    ),
    "GET balance_transactions/*": _get("balance_transaction"),
    "GET payouts": _list("payout", "status"),
    "GET payouts/*": _get("payout"),
    "GET events": ProviderRoute(_events, _PAGED | {"type", "types"}),
    "GET events/*": _get("event"),
}
_OF_TEXTS: Final = {"metadata", "evidence", "created"}
_SHAPES: Final[Mapping[str, type | UnionType]] = {
    **dict.fromkeys(("metadata", "mandate_data", "payment_method_options", "evidence"), dict),
    **dict.fromkeys(("payment_method_types", "types", "expand"), list),
    "automatic_payment_methods": dict,
    "created": str | dict,
}
"""Of parameters that are no texts."""
_OF_DEVICES: Final = {
    "GET setup_intents/*",
    "GET payment_intents/*",
    "POST setup_intents/*/confirm",
    "POST payment_intents/*/confirm",
}


def answer(
    account: ProviderAccount, method: str, path: str, form: Json, *, is_device: bool
) -> Json:
    """Do what is asked for at /v1/..., and return what is shown of it.

    Raises:
        ProviderRefusalError: If it is refused.
    """
    _, _, *steps = path.split("/")
    name = steps[1] if len(steps) > 1 else ""
    address = "/".join([steps[0], *([ANY] if name else []), *steps[2:]]) if steps else ""
    route = ROUTES.get(f"{method} {address}")
    if route is None:
        message = f"Unrecognized request URL ({method}: {path})."
        raise ProviderRefusalError(NOT_FOUND, {"type": "invalid_request_error", "message": message})
    fields = {each: value for each, value in form.items() if each != "expand"}
    if unknown := sorted(fields.keys() - route.takes - {"key"}):
        raise invalid(
            f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0]
        )
    _check_shapes(form)
    act = route.act
    if is_device:
        act = _for_device(f"{method} {address}", act)
    shown = account.expanded(act(account, fields, name), form.get("expand"))
    return shown | {"url": path} if shown["object"] == "list" else shown


def _check_shapes(form: Json) -> None:
    """Refuse a text where a list is wanted, and the like.

    Raises:
        ProviderRefusalError: If one of *form* is.
    """
    for name, value in form.items():
        shape = _SHAPES.get(name, str)
        inner = list(value.values()) if name in _OF_TEXTS and isinstance(value, dict) else []
        if not isinstance(value, shape) or not all(isinstance(each, str) for each in inner):
            raise invalid(f"Invalid {name}", code="parameter_invalid", param=name)
    if not all(isinstance(each, dict) for each in form.get("payment_method_options", {}).values()):
        raise invalid("Invalid payment_method_options", param="payment_method_options")


def _for_device(
    address: str, act: Callable[[ProviderAccount, Json, str], Json]
) -> Callable[[ProviderAccount, Json, str], Json]:
    """Return what a payer's device may do: what its secret opens, and agree for the payer."""
    if address not in _OF_DEVICES:
        raise _not_allowed()

    def guarded(account: ProviderAccount, form: Json, name: str) -> Json:
        found = account.objects.get(name, {})
        if not form.get("client_secret") or form["client_secret"] != found.get("client_secret"):
            raise _not_allowed()
        if address.startswith("GET"):
            return act(account, form, name)
        confirm = (
            intents.confirm_intent
            if found["object"] == "payment_intent"
            else customers.confirm_setup
        )
        return partial(confirm, is_device=True)(account, found, form)

    return guarded


def _not_allowed() -> ProviderRefusalError:
    message = "This API call cannot be made with a publishable API key without its client secret."
    return ProviderRefusalError(
        UNAUTHORIZED,
        {"type": "invalid_request_error", "code": "secret_key_required", "message": message},
    )
