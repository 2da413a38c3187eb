"""The screen "Credit": choose lines or sessions of an invoice, see what the note says, confirm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, timedelta
from itertools import chain
from typing import Any, Final, LiteralString, NamedTuple

from litestar import Controller, Request, Response, get, post
from litestar.exceptions import ValidationException
from litestar.params import FromPath
from psycopg import Connection

from ledger.desk.crediting.agreeing import (
    ProposedCredit,
    credit_or_propose,
    credit_takes_two,
    proposed_credit,
)
from ledger.desk.crediting.billed_parts import BilledPart, owed_no_more
from ledger.desk.recording import NotTakenYetError
from ledger.desk.withdrawing.withdrawn import REASON_MAX as WITHDRAWN_REASON_MAX
from ledger.desk.withdrawing.withdrawn import About, Withdrawal, withdraw
from ledger.errors import LedgerError
from ledger.invoices.shown import InvoiceLine, ShownInvoice
from ledger.persons.store import names_in
from ledger.users.roles import Permission
from projections.audit.shown_documents import show_invoice
from projections.console.addresses import AFTER
from projections.console.entry import needs
from projections.console.invoices.finding import amount_of
from projections.console.invoices.one_document import LINES
from projections.console.invoices.showing import (
    LINE_COLUMNS,
    SESSIONS_MAX,
    document_within,
    line_row,
    too_long,
)
from projections.console.links import invoice_link, number_in
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.typed_form import ThisForm, TypedForm
from projections.crediting.chosen import choices_of, credited_sessions, parts_of
from projections.errors import ProjectionError

CHOSEN_MAX: Final = 5_000
REASON_MAX: Final = 1_000
_DIGITS_MAX: Final = 6
_RANGES_MAX: Final = 200
_NOTE: LiteralString = """
SELECT note.number, rendered.number IS NOT NULL FROM issued_invoice AS note
LEFT JOIN rendered_document AS rendered ON rendered.number = note.number
WHERE note.credits = %s ORDER BY note.issued_at DESC, note.number DESC LIMIT 1
"""
_NOTES: LiteralString = "SELECT count(*) FROM issued_invoice WHERE credits = %s"
_AWAITED_SINCE: LiteralString = """
SELECT min(due.decided_at) FROM invoiced_session AS stands JOIN correction_to_document AS due
    ON due.session_id = stands.session_id AND due.corrects = stands.revision
WHERE stands.number = %s
"""


class UnfitCreditError(ProjectionError):
    """What was chosen, or why, cannot be taken so."""


class CreditChoice(NamedTuple):
    """What of an invoice is meant: all of it, or these lines and sessions."""

    is_whole: bool
    lines: Sequence[int]
    sessions: Sequence[str]

    @property
    def is_made(self) -> bool:
        """Whether anything is chosen."""
        return self.is_whole or bool(self.lines) or bool(self.sessions)


class CreditPage(Controller):
    """Giving something of an invoice back."""

    path = "/invoices/{number:str}/credit"

    @get("/", opt=needs(Permission.CREDIT), sync_to_thread=True)
    def choosing(
        self, page: ThisPage, number: FromPath[str], request: Request[Any, Any, Any]
    ) -> Response[str]:
        """Let lines and sessions be chosen; show what the note over them will say."""
        number = number_in(number)
        with page.console.reading() as connection:
            row = document_within(connection, page, number, Permission.CREDIT)
            shown = show_invoice(connection, number, sessions_max=SESSIONS_MAX)
            if not shown.sessions:
                raise ValidationException(too_long(page, number))
            proposal = proposed_credit(connection, number)
            try:
                if proposal is not None and page.address.of("proposal"):
                    choice = _proposed(shown, proposal)
                else:
                    choice = chosen_of(page, request.query_params.multi_items())
                preview = _preview(page, connection, shown, choice) if choice.is_made else None
                trouble = ""
            except (LedgerError, ProjectionError) as error:
                choice, preview, trouble = CreditChoice(False, (), ()), None, page.told(error)
            return page.show(
                "invoices/credit.html.j2",
                number=number,
                here=invoice_link(number),
                row=row,
                choice=choice,
                preview=preview,
                trouble=trouble,
                proposal=proposal,
                takes_two=credit_takes_two(connection, number, page.now),
                lines=_lines(page, connection, shown, choice),
                sessions=list(dict.fromkeys(s.session_id for s in shown.sessions))[:LINES],
            )

    @post("/", opt=needs(Permission.CREDIT), sync_to_thread=True)
    def confirmed(self, page: ThisPage, number: FromPath[str], form: ThisForm) -> Response[Any]:
        """Give back what was chosen, or propose it where that takes a second person."""
        number = number_in(number)
        choice, reason = chosen_of(page, _pairs(form)), form.of("reason")
        if not choice.is_made:
            raise UnfitCreditError(page.text("choose at least one line or session to credit"))
        if not 0 < len(reason) <= REASON_MAX:
            message = page.text("say why, in at most {count} letters", count=REASON_MAX)
            raise UnfitCreditError(message)
        with page.console.desk.opened() as (connection, log):
            document_within(connection, page, number, Permission.CREDIT)
            [(notes,)] = connection.execute(_NOTES, (number,)).fetchall()
            parts = parts_of(connection, number, choice.lines, choice.sessions)
            if form.of("due") != str(owed_no_more(connection, number, parts).due_minor):
                raise UnfitCreditError(
                    page.text("what it comes to has changed meanwhile: look at it again")
                )
            choices = choices_of(parts, "credit", page.user.name, reason, page.now)
            try:
                proposed = credit_or_propose(
                    connection,
                    number,
                    parts,
                    choices,
                    log=log,
                    work_off=page.console.desk.work_off,
                )
                is_missed = not all(e.is_done for e in credited_sessions(connection, parts))
            except NotTakenYetError:
                # It stands in the log: the page that follows waits for the note.
                proposed, is_missed = None, False
        if proposed is not None:
            said = page.text("Proposed: a second person says the same, then it is credited.")
            return page.go(invoice_link(number), said)
        if is_missed:
            raise UnfitCreditError(
                page.text("some of it was corrected meanwhile: look at the invoice, credit again")
            )
        return page.go(
            f"{invoice_link(number)}/credit/note?{AFTER}={notes}", page.text("It is credited.")
        )

    @post("/withdraw", opt=needs(Permission.CREDIT), sync_to_thread=True)
    def withdrawn(self, page: ThisPage, number: FromPath[str], form: ThisForm) -> Response[Any]:
        """Take back what was proposed; who did, and why, is kept."""
        number, because = number_in(number), form.of("because")
        if not 0 < len(because) <= WITHDRAWN_REASON_MAX:
            message = page.text("say why, in at most {count} letters", count=WITHDRAWN_REASON_MAX)
            raise UnfitCreditError(message)
        # One act at a time: nobody agrees to what is being withdrawn.
        with page.console.desk.opened() as (connection, _):
            document_within(connection, page, number, Permission.CREDIT)
            how = Withdrawal(page.user.name, because, page.now)
            withdraw(connection, About.INVOICE, number, how)
        return page.go(invoice_link(number), page.text("The proposal is withdrawn."))

    @get("/note", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def note(self, page: ThisPage, number: FromPath[str]) -> Response[Any]:
        """Lead to the PDF of the newest credit note, once there is one more than before."""
        number = number_in(number)
        with page.console.reading() as connection:
            document_within(connection, page, number)
            [(notes,)] = connection.execute(_NOTES, (number,)).fetchall()
            newest = connection.execute(_NOTE, (number,)).fetchone()
            [(since,)] = connection.execute(_AWAITED_SINCE, (number,)).fetchall()
            policy = page.console.newest.of(connection).policy(page.now)
        before = page.address.of(AFTER)
        is_there = newest is not None and newest[1] and str(notes) != before
        if is_there and newest is not None:
            return _there(page, f"{invoice_link(newest[0])}/pdf")
        due = None if since is None else since + timedelta(seconds=policy.wait_s)
        return page.show(
            "invoices/note.html.j2", number=number, here=invoice_link(number), due=due, zone=UTC
        )


def chosen_of(page: ConsolePage, pairs: Iterable[tuple[str, str]]) -> CreditChoice:
    """Return what an address or a form chooses; `lines` is as it is typed: "1, 3-7".

    Raises:
        UnfitCreditError: If it cannot be read.
    """
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value.strip())
    texts = [*given.get("line", ()), *",".join(given.get("lines", ())).split(",")]
    if len(texts) > CHOSEN_MAX or sum("-" in each for each in texts) > _RANGES_MAX:
        message = page.text("choose at most {count}, or the whole invoice", count=CHOSEN_MAX)
        raise UnfitCreditError(message)
    lines = list(dict.fromkeys(chain.from_iterable(_range(page, each) for each in texts if each)))
    sessions = [each for each in dict.fromkeys(given.get("session", ())) if each]
    if len(lines) > CHOSEN_MAX or len(sessions) > CHOSEN_MAX:
        message = page.text("choose at most {count}, or the whole invoice", count=CHOSEN_MAX)
        raise UnfitCreditError(message)
    return CreditChoice(bool(given.get("whole", [""])[-1]), lines, sessions)


def _range(page: ConsolePage, text: str) -> Sequence[int]:
    first, dash, last = (each.strip() for each in text.partition("-"))
    ends = [first, last] if dash else [first, first]
    if not all(e.isascii() and e.isdecimal() and len(e) <= _DIGITS_MAX for e in ends):
        message = page.text("{value} is no line: write them as 1, 3-7", value=text[:40])
        raise UnfitCreditError(message)
    begin, end = int(ends[0]), int(ends[1])
    if end - begin >= CHOSEN_MAX:
        message = page.text("choose at most {count}, or the whole invoice", count=CHOSEN_MAX)
        raise UnfitCreditError(message)
    return range(begin, end + 1)


def _pairs(form: TypedForm) -> list[tuple[str, str]]:
    return [(name, value) for name, values in form.fields.items() for value in values]


def _proposed(shown: ShownInvoice, proposal: ProposedCredit) -> CreditChoice:
    """Return the choice that says the same as a proposal."""
    whole, lines = [], list[int]()
    for part in proposal.sessions:
        if not part.lines:
            whole.append(part.session_id)
        lines += [
            each.line
            for each in shown.lines
            if each.session_id == part.session_id and each.rated_line in part.lines
        ]
    is_all = not lines and set(whole) == {each.session_id for each in shown.sessions}
    return CreditChoice(is_all, sorted(lines), () if is_all else whole)


def _preview(
    page: ConsolePage, connection: Connection[Any], shown: ShownInvoice, choice: CreditChoice
) -> Mapping[str, Any]:
    """Return what a note over the choice will say."""
    parts = parts_of(
        connection,
        shown.number,
        () if choice.is_whole else choice.lines,
        () if choice.is_whole else choice.sessions,
    )
    owed = owed_no_more(connection, shown.number, parts)
    names = names_in(connection, shown)
    meant = _meant(shown, parts)
    amounts = [
        (title, Cell(amount_of(page, -minor, shown.currency)))
        for title, minor in (
            ("Net", owed.net_minor),
            ("Tax", owed.tax_minor),
            ("Total", owed.due_minor),
        )
    ]
    # As on the note itself: each tax is rounded once, on its sum.
    rounding_minor = owed.due_minor - sum(each.gross_minor for each in meant)
    return {
        "rounding": amount_of(page, -rounding_minor, shown.currency) if rounding_minor else "",
        "due_minor": owed.due_minor,
        "due": amount_of(page, owed.due_minor, shown.currency),
        "amounts": amounts,
        "lines": Listing(
            caption=page.text("Lines that are owed no more"),
            columns=LINE_COLUMNS,
            rows=[line_row(page, shown, each, names) for each in meant[:LINES]],
            address=page.address,
            empty="",
            total=page.text("{count} in all", count=len(meant)),
        ),
    }


def _meant(shown: ShownInvoice, parts: Sequence[BilledPart]) -> list[InvoiceLine]:
    by_session = {part.was.session_id: set(part.lines) for part in parts}
    return [
        each
        for each in shown.lines
        if not each.is_rounding and each.rated_line in by_session.get(each.session_id, ())
    ]


def _lines(
    page: ConsolePage, connection: Connection[Any], shown: ShownInvoice, choice: CreditChoice
) -> Mapping[str, Any]:
    """Return a page of lines to choose from."""
    after = page.address.of(AFTER)
    is_place = after.isascii() and after.isdecimal() and len(after) <= _DIGITS_MAX
    begin = int(after) if is_place else 0
    names = names_in(connection, shown)
    known = [each for each in shown.lines if not each.is_rounding]
    some = known[begin : begin + LINES]
    return {
        "columns": (Column("choose", "Choose"), *LINE_COLUMNS),
        "rows": [
            (each.line, each.line in choice.lines, line_row(page, shown, each, names))
            for each in some
        ],
        "next": page.address.with_(**{AFTER: str(begin + LINES)})
        if begin + LINES < len(known)
        else "",
        "count": len(known),
    }


def _there(page: ConsolePage, address: str) -> Response[Any]:
    answer = page.go(address)
    if page.is_part:
        # A script follows a redirect by itself and gets the PDF: it is to lead the browser there.
        return Response("", headers={"HX-Redirect": address})
    return answer
