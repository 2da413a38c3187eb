"""How the interface says no: one format (RFC 9457), whoever says it.

{"type": "about:blank", "title": "Bad Request", "status": 400, "code": "refused_payload",
 "detail": "Reset of ocpp1.6 at type: 'Warm' is not one of ['Hard', 'Soft']", "spot": "type"}
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
import psycopg
from litestar import Request, Response
from litestar.exceptions import HTTPException, NotFoundException

from ingest.commands.asking import UnknownStationError
from ingest.commands.command import NotConnectedError
from ingest.commands.passwords import UnfitPasswordError
from ingest.commands.profiles import TooManyProfilesError
from ingest.commands.schemas import BadPayloadError, RefusedPayloadError, UnknownCommandError
from ledger.books.prepayments import BalanceTooSmallError
from ledger.declared.store import InvalidDeclarationError
from ledger.desk.apply import ProblemsError
from ledger.desk.choices import (
    AtPartnerError,
    NotAttestedError,
    NotHeldError,
    NotPricedError,
    NotTakenBackError,
    UnknownSessionError,
)
from ledger.desk.closing.legal_entity import UndeclaredEntityError
from ledger.desk.crediting.agreeing import SameCrediterError
from ledger.desk.crediting.billed_parts import NothingStandsError, ReplacedLineError
from ledger.desk.customers.prepaying import UnfitPrepaymentError, UnknownCustomerError
from ledger.desk.paying.agreed import ReadOtherwiseError
from ledger.desk.paying.explaining import SameExplainerError, UnexplainableError
from ledger.desk.paying.match_plans import (
    UnfitDocumentError,
    UnfitMatchError,
    UnknownBankLineError,
)
from ledger.desk.paying.matching import SecondMatcherError
from ledger.desk.recording import ReasonlessChoiceError
from ledger.desk.second_person import SameDeciderError
from ledger.desk.tokens import NamelessTokenError, PartnerGroupError, PartnerTokenError
from ledger.desk.withdrawing.withdrawn import NotProposedError
from ledger.log.event_log import LogError
from ledger.users.pairs import AgreerGoneError, LetInError, ProposerGoneError
from projections.console.navigation import HOME
from projections.console.routes import answer_person
from projections.console.side import ActsBusyError
from projections.crediting.chosen import (
    CreditNoteGivenError,
    LineOfNoSessionError,
    NotOnInvoiceError,
    OtherTotalError,
)
from projections.deciding.attesting import (
    NothingAttestedError,
    WordDoubtedError,
    WordRefutedError,
)
from projections.deciding.choosing import MovesOtherwiseError
from projections.documents.keeping.kept import ErasedDocumentError, NotRenderedError
from projections.errors import UnknownInvoiceError, UnknownLineError
from projections.finding.quotes import UnpricedQuoteError
from projections.journal.days import UnknownLegalEntityError
from projections.webhooks.deliveries import UnknownEventError
from projections.webhooks.subscriptions import NoWebhookError, UnfitWebhookError
from tariffs.errors import TariffError

MEDIA_TYPE: Final = "application/problem+json"
_LOGGER = logging.getLogger(__name__)


class HttpProblem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was not done; `code` is for machines, `spot` where in what was sent it lies."""

    title: str
    status: int
    code: str
    detail: str
    type: str = "about:blank"
    spot: str | None = None


class LongQuestionError(HTTPException):
    """The database gave up what was asked for: it took too long."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__(
            detail="this takes too long: ask for less, by a filter or a shorter time",
            extra={"code": "takes_too_long"},
        )


_CODES: Final[Mapping[type[Exception], tuple[HTTPStatus, str]]] = {
    NotConnectedError: (HTTPStatus.CONFLICT, "not_connected"),
    UnknownStationError: (HTTPStatus.NOT_FOUND, "unknown_station"),
    UnknownCommandError: (HTTPStatus.BAD_REQUEST, "unknown_command"),
    RefusedPayloadError: (HTTPStatus.BAD_REQUEST, "refused_payload"),
    UnfitPasswordError: (HTTPStatus.BAD_REQUEST, "unfit_password"),
    BadPayloadError: (HTTPStatus.BAD_REQUEST, "bad_payload"),
    TooManyProfilesError: (HTTPStatus.CONFLICT, "too_many_profiles"),
    NamelessTokenError: (HTTPStatus.BAD_REQUEST, "nameless_token"),
    PartnerTokenError: (HTTPStatus.CONFLICT, "partner_token"),
    PartnerGroupError: (HTTPStatus.CONFLICT, "partner_group"),
    InvalidDeclarationError: (HTTPStatus.CONFLICT, "invalid_declaration"),
    UnknownInvoiceError: (HTTPStatus.NOT_FOUND, "unknown_invoice"),
    ErasedDocumentError: (HTTPStatus.NOT_FOUND, "erased"),
    NotRenderedError: (HTTPStatus.CONFLICT, "not_rendered"),
    UnknownLineError: (HTTPStatus.NOT_FOUND, "unknown_line"),
    LineOfNoSessionError: (HTTPStatus.CONFLICT, "rounding_line"),
    CreditNoteGivenError: (HTTPStatus.CONFLICT, "is_credit_note"),
    NotOnInvoiceError: (HTTPStatus.CONFLICT, "not_on_invoice"),
    SameCrediterError: (HTTPStatus.CONFLICT, "second_person"),
    UnknownBankLineError: (HTTPStatus.NOT_FOUND, "not_found"),
    UnfitDocumentError: (HTTPStatus.CONFLICT, "not_for_that"),
    UnfitMatchError: (HTTPStatus.CONFLICT, "not_for_that"),
    UnexplainableError: (HTTPStatus.CONFLICT, "not_for_that"),
    UnfitPrepaymentError: (HTTPStatus.CONFLICT, "not_for_that"),
    UnknownCustomerError: (HTTPStatus.CONFLICT, "not_for_that"),
    BalanceTooSmallError: (HTTPStatus.CONFLICT, "not_for_that"),
    ReadOtherwiseError: (HTTPStatus.CONFLICT, "changed_meanwhile"),
    NotProposedError: (HTTPStatus.CONFLICT, "changed_meanwhile"),
    LetInError: (HTTPStatus.CONFLICT, "second_person"),
    ProposerGoneError: (HTTPStatus.CONFLICT, "second_person"),
    AgreerGoneError: (HTTPStatus.CONFLICT, "second_person"),
    SecondMatcherError: (HTTPStatus.CONFLICT, "second_person"),
    SameExplainerError: (HTTPStatus.CONFLICT, "second_person"),
    NothingStandsError: (HTTPStatus.CONFLICT, "owed_no_more"),
    ReplacedLineError: (HTTPStatus.CONFLICT, "line_replaced"),
    AtPartnerError: (HTTPStatus.CONFLICT, "at_partner"),
    UnknownSessionError: (HTTPStatus.NOT_FOUND, "unknown_session"),
    NotHeldError: (HTTPStatus.CONFLICT, "not_held"),
    NotPricedError: (HTTPStatus.CONFLICT, "not_rated"),
    NotAttestedError: (HTTPStatus.CONFLICT, "not_attested"),
    NotTakenBackError: (HTTPStatus.CONFLICT, "not_taken_back"),
    SameDeciderError: (HTTPStatus.CONFLICT, "second_person"),
    NothingAttestedError: (HTTPStatus.BAD_REQUEST, "nothing_attested"),
    ReasonlessChoiceError: (HTTPStatus.BAD_REQUEST, "no_reason"),
    WordRefutedError: (HTTPStatus.CONFLICT, "refuted"),
    WordDoubtedError: (HTTPStatus.CONFLICT, "doubtful"),
    MovesOtherwiseError: (HTTPStatus.CONFLICT, "moves_otherwise"),
    OtherTotalError: (HTTPStatus.CONFLICT, "other_total"),
    UnpricedQuoteError: (HTTPStatus.NOT_FOUND, "no_tariff"),
    UndeclaredEntityError: (HTTPStatus.NOT_FOUND, "unknown_legal_entity"),
    UnknownLegalEntityError: (HTTPStatus.NOT_FOUND, "unknown_legal_entity"),
    ProblemsError: (HTTPStatus.BAD_REQUEST, "not_declared"),
    ActsBusyError: (HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests"),
    NoWebhookError: (HTTPStatus.NOT_FOUND, "unknown_webhook"),
    UnknownEventError: (HTTPStatus.NOT_FOUND, "unknown_event"),
    UnfitWebhookError: (HTTPStatus.BAD_REQUEST, "unfit_webhook"),
    TariffError: (HTTPStatus.BAD_REQUEST, "not_priced"),
    # A body that is nested deeper than anybody's.
    RecursionError: (HTTPStatus.BAD_REQUEST, "bad_request"),
    # The day before the first one, or after the last.
    OverflowError: (HTTPStatus.BAD_REQUEST, "beyond_the_calendar"),
    LogError: (HTTPStatus.SERVICE_UNAVAILABLE, "log_away"),
    psycopg.OperationalError: (HTTPStatus.SERVICE_UNAVAILABLE, "database_away"),
}


_IN_OTHER_WORDS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.NOT_FOUND: "there is nothing at this address: /schema/openapi.json has them all",
    HTTPStatus.METHOD_NOT_ALLOWED: "this address takes no such request, but what Allow has",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "a request has at most 1 MiB",
}
"""What is said where the library says no more than what its status is called."""
_NO_SUCH_TEXT: Final = "nothing here is called so: no text has U+0000"


def answer_anybody(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer a request for which no route has words of its own: a person by a page."""
    is_page = f"{request.scope['path']}/".startswith(f"{HOME}/")
    is_console = is_page and "console" in request.app.state
    return (answer_person if is_console else answer_problem)(request, error)


def answer_problem(_request: Request[Any, Any, Any], error: Exception) -> Response[HttpProblem]:
    """Answer a request that was not done because of *error*."""
    headers: dict[str, str] = {}
    if isinstance(error, psycopg.errors.QueryCanceled):
        error = LongQuestionError()
    if isinstance(error, psycopg.DataError):
        # It may quote the question.
        error = NotFoundException(_NO_SUCH_TEXT)
    if isinstance(error, HTTPException):
        status, code = HTTPStatus(error.status_code), _code_of(error)
        detail = _detail(error)
        headers = dict(error.headers or {})
    else:
        status, code = next(
            (said for kind, said in _CODES.items() if isinstance(error, kind)),
            (HTTPStatus.INTERNAL_SERVER_ERROR, "internal"),
        )
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            _LOGGER.error("no answer to a request", exc_info=error)
        # What a fault of ours says may quote anything.
        is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, LogError)
        detail = status.description if is_ours else str(error)
    problem = HttpProblem(
        title=status.phrase,
        status=status,
        code=code,
        detail=detail,
        spot=getattr(error, "spot", None) or None,
    )
    return Response(problem, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _code_of(error: HTTPException) -> str:
    extra = error.extra
    if isinstance(extra, dict) and isinstance(extra.get("code"), str):
        return str(extra["code"])
    return HTTPStatus(error.status_code).name.lower()


def _detail(error: HTTPException) -> str:
    """Return what is wrong; Litestar has the reasons beside its sentence."""
    if isinstance(error.extra, list):
        reasons = [
            ": ".join(filter(None, (_said(each.get("key")), str(each.get("message") or ""))))
            for each in error.extra
            if isinstance(each, dict)
        ]
        return "; ".join(filter(None, reasons)) or error.detail
    status = HTTPStatus(error.status_code)
    return (
        _IN_OTHER_WORDS.get(status, error.detail) if error.detail == status.phrase else error.detail
    )


def _said(key: object) -> str:
    """Return a parameter as it is called in a request: our flags begin with `is_`, those do not."""
    return str(key or "").removeprefix("is_")
