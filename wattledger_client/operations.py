"""Every operation as a method. Made from the OpenAPI document by `make client`: change that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

from wattledger_client.calling import Calling, place
from wattledger_client.shapes import (
    CallRequest,
    CommandOutcome,
    CreditGiven,
    CreditWish,
    CustomerDetail,
    CustomerPage,
    CustomerStatement,
    DecisionWish,
    DeclaredPage,
    DeclaredThing,
    DeliveryDetail,
    DeliveryPage,
    Document,
    DocumentRows,
    EnergyReport,
    JournalRows,
    LineMatchWish,
    ListedDocument,
    LiveSession,
    MadeWebhook,
    MatchDone,
    MoneyKind,
    MonthReport,
    NamedProfile,
    NewPassword,
    OpenPage,
    PaymentMatchWish,
    PaymentPage,
    PaymentRow,
    ProfileRequest,
    Quote,
    QuoteWish,
    ReplayWish,
    Reservation,
    ReservationPage,
    ReservationState,
    SeenVisit,
    Session,
    SessionDecision,
    SessionPage,
    SessionState,
    StartedVisit,
    StationChange,
    StationDetail,
    StationFile,
    StationPage,
    StationSettings,
    TariffAsOcpi,
    TariffDetail,
    TariffPage,
    TokenAsLet,
    TokenChange,
    Transaction,
    TransactionPage,
    TrialBalanceReport,
    UnmatchedRowPage,
    VisitWish,
    WebhookList,
    WebhookSubscription,
    WebhookWish,
)


class Operations:
    """What the interface does; `Client` asks it."""

    def __init__(self, calling: Calling) -> None:
        self._calling = calling

    def change_station(
        self,
        station_id: str,
        body: StationChange,
        *,
        idempotency_key: str | None = None,
    ) -> StationSettings:
        """Set a station otherwise; it is in force at once in every process.

        Scope `command`; a person's permission `command_stations`.
        """
        return self._calling.ask(
            "PATCH",
            f"/stations/{place(station_id)}",
            StationSettings,
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )

    def create_bank_line_matching(
        self,
        name: str,
        body: LineMatchWish,
        *,
        idempotency_key: str | None = None,
    ) -> MatchDone:
        """Say what a bank line is for; what takes two people is asked for by two.

        Scope `money`; a person's permission `move_money`.
        """
        return self._calling.ask(
            "POST",
            f"/bank-lines/{place(name)}/matchings",
            MatchDone,
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )

    def create_credit_note(
        self,
        body: CreditWish,
        *,
        idempotency_key: str | None = None,
    ) -> CreditGiven:
        """Give an invoice back, or some of its lines and sessions; they stay free whatever
        comes.

        202 where the worker has not come to it yet, and, with `is_recorded` false, where the
        invoice asks for more than one person may give back: another person asks for the same. A
        machine does neither.

        Scope `credit`; a person's permission `credit`.
        """
        return self._calling.ask(
            "POST",
            "/credit-notes",
            CreditGiven,
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )

    def create_decision(
        self,
        body: DecisionWish,
        *,
        idempotency_key: str | None = None,
    ) -> SessionDecision:
        """Release, write off, correct or attest a session, or take that back: a person does.

        202 where the worker has not come to it yet, and where so much money moves that another
        person has to ask for the same.

        Scope `decide`; a person's permission `decide_sessions`.
        """
        return self._calling.ask(
            "POST",
            "/decisions",
            SessionDecision,
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )

    def create_payment_matching(
        self,
        number: int,
        body: PaymentMatchWish,
        *,
        idempotency_key: str | None = None,
    ) -> MatchDone:
        """Say what money at a payment provider was for, which nothing of ours explains.

        Scope `money`; a person's permission `move_money`.
        """
        return self._calling.ask(
            "POST",
            f"/payments/{place(number)}/matchings",
            MatchDone,
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )

    def create_price_quote(self, body: QuoteWish) -> Quote:
        """Return what a charge would cost, and why; nothing is kept of it.

        Scope `tariffs`; a person's permission `see_tariffs`.
        """
        return self._calling.ask(
            "POST",
            "/price-quotes",
            Quote,
            body=body,
        )

    def create_station_call(
        self,
        station_id: str,
        body: CallRequest,
        *,
        idempotency_key: str | None = None,
    ) -> CommandOutcome:
        """Send a call to a station and return how far it is after `wait_s`.

        Rejected is an answer like any other: `state` is `answered`.

        Scope `command`; a person's permission `command_stations`.
        """
        return self._calling.ask(
            "POST",
            f"/stations/{place(station_id)}/calls",
            CommandOutcome,
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )

    def create_station_password(
        self,
        station_id: str,
        body: NewPassword,
        *,
        idempotency_key: str | None = None,
    ) -> CommandOutcome:
        """Tell a station its new password; it holds once the station accepted it.

        The old one holds until then, and both until the new one was used. The call that comes
        back does not show it.

        Scope `command`; a person's permission `command_stations`.
        """
        return self._calling.ask(
            "POST",
            f"/stations/{place(station_id)}/password",
            CommandOutcome,
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )

    def create_visit(self, body: VisitWish) -> StartedVisit:
        """Open a visit: what is put aside, and what lets the driver's device agree to it.

        The station is told to start once the money is put aside.
        """
        return self._calling.ask(
            "POST",
            "/visits",
            StartedVisit,
            body=body,
        )

    def create_webhook(
        self,
        body: WebhookWish,
        *,
        idempotency_key: str | None = None,
    ) -> MadeWebhook:
        """Make a webhook; the answer has its secret, which is not shown again.

        Scope `webhooks`; a person's permission `give_access`.
        """
        return self._calling.ask(
            "POST",
            "/webhooks",
            MadeWebhook,
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )

    def create_webhook_replay(
        self,
        webhook: str,
        body: ReplayWish,
        *,
        idempotency_key: str | None = None,
    ) -> WebhookSubscription:
        """Tell an event again, or everything from a number of the feed on.

        Scope `webhooks`; a person's permission `give_access`.
        """
        return self._calling.ask(
            "POST",
            f"/webhooks/{place(webhook)}/replays",
            WebhookSubscription,
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )

    def delete_webhook(self, webhook: str, *, idempotency_key: str | None = None) -> bytes:
        """End a webhook: it is told nothing any more, also nothing that waits.

        Scope `webhooks`; a person's permission `give_access`.
        """
        return self._calling.ask(
            "DELETE",
            f"/webhooks/{place(webhook)}",
            bytes,
            headers={"Idempotency-Key": idempotency_key},
        )

    def follow_session(self, ref: str) -> Iterator[LiveSession]:
        """Return server-sent events of a session: one at once, one at each change, to its end.

        The last one is over: rated, held, or written off. After ten minutes the events end
        before that; who follows on asks again.

        Scope `read`; a person's permission `see_fleet`.
        """
        return self._calling.follow(f"/live/sessions/{place(ref)}", LiveSession)

    def get_call(self, call_id: str) -> CommandOutcome:
        """Return how far a call is.

        Scope `read`; a person's permission `see_fleet`.
        """
        return self._calling.ask(
            "GET",
            f"/calls/{place(call_id)}",
            CommandOutcome,
        )

    def get_credit_note(self, number: str) -> Document:
        """Return a credit note with its lines.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            f"/credit-notes/{place(number)}",
            Document,
        )

    def get_customer(self, key: str) -> CustomerDetail:
        """Return a customer, and how its accounts within reach stand.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            f"/customers/{place(key)}",
            CustomerDetail,
        )

    def get_customer_statement(
        self,
        key: str,
        from_: date,
        until: date,
        *,
        legal_entity: str | None = None,
        currency: str | None = None,
    ) -> CustomerStatement:
        """Return a statement of account; which account, where the customer has several.

        One of more than a thousand movements is refused: ask for fewer days at a time.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            f"/customers/{place(key)}/statement",
            CustomerStatement,
            query={
                "from": from_,
                "until": until,
                "legal_entity": legal_entity,
                "currency": currency,
            },
        )

    def get_document(self, token: str) -> bytes:
        """Return the PDF that a link leads to, until the link expires."""
        return self._calling.ask(
            "GET",
            f"/documents/{place(token)}",
            bytes,
        )

    def get_invoice(self, number: str) -> Document:
        """Return an invoice with its lines; a credit note has a number of the same kind.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            f"/invoices/{place(number)}",
            Document,
        )

    def get_invoice_delivery(self, number: str) -> ListedDocument:
        """Return how far a document is: rendered, delivered.

        Scope `documents`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            f"/invoices/{place(number)}/delivery",
            ListedDocument,
        )

    def get_invoice_pdf(self, number: str) -> bytes:
        """Return the PDF that was rendered once.

        Scope `documents`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            f"/invoices/{place(number)}/pdf",
            bytes,
        )

    def get_invoice_xml(self, number: str) -> bytes:
        """Return the electronic invoice that is embedded in the PDF (EN 16931, CII).

        Scope `documents`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            f"/invoices/{place(number)}/xml",
            bytes,
        )

    def get_journal(
        self,
        *,
        legal_entity: str | None = None,
        booked_from: date | None = None,
        booked_until: date | None = None,
        period: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JournalRows:
        """Return entries of a legal entity, in the order in which they were booked.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            "/journal",
            JournalRows,
            query={
                "legal_entity": legal_entity,
                "booked_from": booked_from,
                "booked_until": booked_until,
                "period": period,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def get_master_data(
        self,
        section: Literal[
            "legal_entities", "sites", "stations", "customers", "tokens", "partners", "policy"
        ],
        key: str,
    ) -> DeclaredThing:
        """Return what holds now of one thing; its tag is the version of its declaration.

        Scope `master_data`; a person's permission `see_access`.
        """
        return self._calling.ask(
            "GET",
            f"/master-data/{place(section)}/{place(key)}",
            DeclaredThing,
        )

    def get_payment(self, number: int) -> PaymentRow:
        """Return one payment with all its parts.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            f"/payments/{place(number)}",
            PaymentRow,
        )

    def get_reports_energy_balance(
        self,
        *,
        station: str | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
        limit: int | None = None,
    ) -> EnergyReport:
        """Return where the energy of each station and day went, the newest days first.

        It is kept up by a part of the running system, a moment behind the stations.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            "/reports/energy-balance",
            EnergyReport,
            query={
                "station": station,
                "first_day": first_day,
                "last_day": last_day,
                "limit": limit,
            },
        )

    def get_reports_month(self, month: str, *, legal_entity: str | None = None) -> MonthReport:
        """Return a month of a legal entity's books in figures.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            f"/reports/months/{place(month)}",
            MonthReport,
            query={"legal_entity": legal_entity},
        )

    def get_reports_trial_balance(
        self,
        *,
        legal_entity: str | None = None,
        as_of: date | None = None,
        period: str | None = None,
    ) -> TrialBalanceReport:
        """Return the trial balance: of all, as of a day, or of the books up to a month.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            "/reports/trial-balance",
            TrialBalanceReport,
            query={"legal_entity": legal_entity, "as_of": as_of, "period": period},
        )

    def get_reservation(self, number: int) -> Reservation:
        """Return one reservation by its number: the latest, where it was given again.

        Scope `read`; a person's permission `see_fleet`.
        """
        return self._calling.ask(
            "GET",
            f"/reservations/{place(number)}",
            Reservation,
        )

    def get_session(self, ref: str) -> Session:
        """Return one session, with its price line by line and what its station told.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            f"/sessions/{place(ref)}",
            Session,
        )

    def get_station(self, station_id: str) -> StationDetail:
        """Return one station, with its open sessions and its last security events.

        Scope `read`; a person's permission `see_fleet`.
        """
        return self._calling.ask(
            "GET",
            f"/stations/{place(station_id)}",
            StationDetail,
        )

    def get_station_file(self, station_id: str, file_id: int) -> bytes:
        """Return what is in a file.

        Scope `files`; a person's permission `command_stations`.
        """
        return self._calling.ask(
            "GET",
            f"/stations/{place(station_id)}/files/{place(file_id)}",
            bytes,
        )

    def get_tariff(self, tariff_id: str) -> TariffDetail:
        """Return a tariff with its versions and where it is assigned.

        Scope `tariffs`; a person's permission `see_tariffs`.
        """
        return self._calling.ask(
            "GET",
            f"/tariffs/{place(tariff_id)}",
            TariffDetail,
        )

    def get_tariff_file(self, tariff_id: str, *, sha256: str | None = None) -> str:
        """Return a version as a tariff file (YAML), as `wattledger tariff publish` takes it.

        Scope `tariffs`; a person's permission `see_tariffs`.
        """
        return self._calling.ask(
            "GET",
            f"/tariffs/{place(tariff_id)}/file",
            str,
            query={"sha256": sha256},
        )

    def get_tariff_ocpi(
        self,
        tariff_id: str,
        *,
        sha256: str | None = None,
        version: Literal["2.1.1", "2.2.1", "2.3.0"] | None = None,
    ) -> TariffAsOcpi:
        """Return a version as OCPI says it, with notes of what it cannot say.

        Scope `tariffs`; a person's permission `see_tariffs`.
        """
        return self._calling.ask(
            "GET",
            f"/tariffs/{place(tariff_id)}/ocpi",
            TariffAsOcpi,
            query={"sha256": sha256, "version": version},
        )

    def get_transaction(self, ref: str) -> Transaction:
        """Return one transaction.

        Scope `read`; a person's permission `see_fleet`.
        """
        return self._calling.ask(
            "GET",
            f"/transactions/{place(ref)}",
            Transaction,
        )

    def get_visit(self, number: int, visit_secret: str) -> SeenVisit:
        """Return how far a visit is: energy and cost so far, in the end its receipt."""
        return self._calling.ask(
            "GET",
            f"/visits/{place(number)}",
            SeenVisit,
            headers={"Visit-Secret": visit_secret},
        )

    def get_webhook(self, webhook: str) -> WebhookSubscription:
        """Return a webhook.

        Scope `webhooks`; a person's permission `give_access`.
        """
        return self._calling.ask(
            "GET",
            f"/webhooks/{place(webhook)}",
            WebhookSubscription,
        )

    def get_webhook_deliverie(self, webhook: str, number: int) -> DeliveryDetail:
        """Return one delivery with what came of each attempt.

        Scope `webhooks`; a person's permission `give_access`.
        """
        return self._calling.ask(
            "GET",
            f"/webhooks/{place(webhook)}/deliveries/{place(number)}",
            DeliveryDetail,
        )

    def list_charging_profiles(self) -> list[NamedProfile]:
        """Return all of them, by their names.

        Scope `read`; a person's permission `see_fleet`.
        """
        return self._calling.ask(
            "GET",
            "/charging-profiles",
            list[NamedProfile],
        )

    def list_credit_notes(
        self,
        *,
        customer: str | None = None,
        session: str | None = None,
        issued_from: date | None = None,
        issued_until: date | None = None,
        invoice: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> DocumentRows:
        """Return credit notes, the newest first; of one invoice, if it is named.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            "/credit-notes",
            DocumentRows,
            query={
                "customer": customer,
                "session": session,
                "issued_from": issued_from,
                "issued_until": issued_until,
                "invoice": invoice,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_customers(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> CustomerPage:
        """Return customers by their keys.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            "/customers",
            CustomerPage,
            query={"limit": limit, "cursor": cursor},
        )

    def list_invoices(
        self,
        *,
        customer: str | None = None,
        session: str | None = None,
        issued_from: date | None = None,
        issued_until: date | None = None,
        legal_entity: str | None = None,
        open_: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> DocumentRows:
        """Return invoices, the newest first; `open`: only those that are not paid.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            "/invoices",
            DocumentRows,
            query={
                "customer": customer,
                "session": session,
                "issued_from": issued_from,
                "issued_until": issued_until,
                "legal_entity": legal_entity,
                "open": open_,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_master_data(
        self,
        section: Literal[
            "legal_entities", "sites", "stations", "customers", "tokens", "partners", "policy"
        ],
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> DeclaredPage:
        """Return what holds now of all of a kind.

        Scope `master_data`; a person's permission `see_access`.
        """
        return self._calling.ask(
            "GET",
            f"/master-data/{place(section)}",
            DeclaredPage,
            query={"limit": limit, "cursor": cursor},
        )

    def list_open_items(
        self,
        *,
        customer: str | None = None,
        legal_entity: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> OpenPage:
        """Return what is open by the documents' numbers, and what all of it comes to.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            "/open-items",
            OpenPage,
            query={
                "customer": customer,
                "legal_entity": legal_entity,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_payments(
        self,
        *,
        customer: str | None = None,
        document: str | None = None,
        kind: MoneyKind | None = None,
        source: str | None = None,
        happened_from: str | None = None,
        happened_until: str | None = None,
        unmatched: bool | None = None,
        legal_entity: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> PaymentPage:
        """Return payments, the newest first.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            "/payments",
            PaymentPage,
            query={
                "customer": customer,
                "document": document,
                "kind": kind,
                "source": source,
                "happened_from": happened_from,
                "happened_until": happened_until,
                "unmatched": unmatched,
                "legal_entity": legal_entity,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_reservations(
        self,
        *,
        station: str | None = None,
        status: ReservationState | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> ReservationPage:
        """Return reservations, the latest first.

        A station that was asked for one just now is waited for, a second at most: who does not
        wait for its answer would take an older one for that.

        Scope `read`; a person's permission `see_fleet`.
        """
        return self._calling.ask(
            "GET",
            "/reservations",
            ReservationPage,
            query={"station": station, "status": status, "limit": limit, "cursor": cursor},
        )

    def list_sessions(
        self,
        *,
        state: SessionState | None = None,
        station: str | None = None,
        site: str | None = None,
        token: str | None = None,
        begun_from: str | None = None,
        begun_until: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> SessionPage:
        """Return sessions, the newest first, that began from a moment on and before another.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            "/sessions",
            SessionPage,
            query={
                "state": state,
                "station": station,
                "site": site,
                "token": token,
                "begun_from": begun_from,
                "begun_until": begun_until,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_station_files(self, station_id: str) -> list[StationFile]:
        """Return the files of a station, the newest first; a hundred at most are kept.

        Scope `read`; a person's permission `see_fleet`.
        """
        return self._calling.ask(
            "GET",
            f"/stations/{place(station_id)}/files",
            list[StationFile],
        )

    def list_stations(
        self,
        *,
        site: str | None = None,
        connected: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> StationPage:
        """Return the declared stations by their ids, with their connections.

        Scope `read`; a person's permission `see_fleet`.
        """
        return self._calling.ask(
            "GET",
            "/stations",
            StationPage,
            query={"site": site, "connected": connected, "limit": limit, "cursor": cursor},
        )

    def list_tariffs(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> TariffPage:
        """Return the tariffs by their ids.

        Scope `tariffs`; a person's permission `see_tariffs`.
        """
        return self._calling.ask(
            "GET",
            "/tariffs",
            TariffPage,
            query={"limit": limit, "cursor": cursor},
        )

    def list_transactions(
        self,
        *,
        station: str | None = None,
        token: str | None = None,
        open_: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> TransactionPage:
        """Return transactions, the newest first.

        Scope `read`; a person's permission `see_fleet`.
        """
        return self._calling.ask(
            "GET",
            "/transactions",
            TransactionPage,
            query={
                "station": station,
                "token": token,
                "open": open_,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_unmatched_payments(
        self,
        *,
        legal_entity: str | None = None,
        source: str | None = None,
        currency: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> UnmatchedRowPage:
        """Return what is unmatched, the oldest first.

        Scope `books`; a person's permission `see_books`.
        """
        return self._calling.ask(
            "GET",
            "/unmatched-payments",
            UnmatchedRowPage,
            query={
                "legal_entity": legal_entity,
                "source": source,
                "currency": currency,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_webhook_deliveries(
        self,
        webhook: str,
        *,
        state: Literal["waiting", "delivered", "failed"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> DeliveryPage:
        """Return what a webhook was told, the last one first; what was taken is kept a month.

        Scope `webhooks`; a person's permission `give_access`.
        """
        return self._calling.ask(
            "GET",
            f"/webhooks/{place(webhook)}/deliveries",
            DeliveryPage,
            query={"state": state, "limit": limit, "cursor": cursor},
        )

    def list_webhooks(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> WebhookList:
        """Return webhooks, also those that have ended.

        Scope `webhooks`; a person's permission `give_access`.
        """
        return self._calling.ask(
            "GET",
            "/webhooks",
            WebhookList,
            query={"limit": limit, "cursor": cursor},
        )

    def put_charging_profile(
        self,
        name: str,
        body: ProfileRequest,
        *,
        idempotency_key: str | None = None,
    ) -> NamedProfile:
        """Keep a profile under a name, whatever had that name before.

        Scope `command`; a person's permission `command_stations`.
        """
        return self._calling.ask(
            "PUT",
            f"/charging-profiles/{place(name)}",
            NamedProfile,
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )

    def put_master_data(
        self,
        section: Literal[
            "legal_entities", "sites", "stations", "customers", "tokens", "partners", "policy"
        ],
        key: str,
        body: dict[str, Any],
        *,
        if_match: str | None = None,
        valid_from: str | None = None,
        idempotency_key: str | None = None,
    ) -> DeclaredThing:
        """Declare a thing as a file of `wattledger apply` says it, from a moment on, or from
        now.

        What is declared already is changed only under its tag.

        Scope `declare`; a person's permission `declare`.
        """
        return self._calling.ask(
            "PUT",
            f"/master-data/{place(section)}/{place(key)}",
            DeclaredThing,
            query={"valid_from": valid_from},
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            body=body,
        )

    def put_token(
        self,
        uid: str,
        body: TokenChange,
        *,
        idempotency_key: str | None = None,
    ) -> TokenAsLet:
        """Let a token charge or not; every process answers stations so by then.

        One that nobody knows gets known, and so does a group: as a token that may not charge.

        Scope `tokens`; a person's permission `let_tokens`.
        """
        return self._calling.ask(
            "PUT",
            f"/tokens/{place(uid)}",
            TokenAsLet,
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )
