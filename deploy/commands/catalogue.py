"""The commands as data: what each is called and where it is, so that help needs to load none."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from deploy.commands.closing.rows import CLOSING_COMMANDS
from deploy.commands.command import Command
from deploy.commands.crediting.rows import CREDITING_COMMANDS
from deploy.commands.customers.rows import CUSTOMER_COMMANDS
from deploy.commands.documents.rows import DOCUMENT_COMMANDS
from deploy.commands.payments.rows import PAYMENT_COMMANDS
from deploy.commands.payouts.rows import PAYOUT_COMMANDS
from deploy.commands.roaming.rows import ROAMING_COMMANDS
from deploy.commands.roaming.settling_rows import SETTLING_COMMANDS
from deploy.commands.running.rows import RUNNING_COMMANDS
from deploy.commands.stations.rows import STATION_COMMANDS
from deploy.commands.tariffs.rows import TARIFF_COMMANDS
from deploy.commands.users.rows import USER_COMMANDS
from deploy.commands.visits.rows import VISIT_COMMANDS

GROUPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tariff": "Check, compare, show and publish tariff files.",
        "sessions": "Charging sessions.",
        "invoice": "One invoice.",
        "documents": "Documents as their readers get them.",
        "period": "Months of the books: checked, closed, opened again.",
        "tokens": "Tokens of drivers.",
        "person": "Who a token, a customer or a driver is, and erasing them.",
        "prepaid": "What customers paid in advance.",
        "payments": "Money that came and went: by card, debit and transfer; what is open.",
        "payouts": "What a payment provider paid out, held against the books and the bank.",
        "visits": "Charging without a contract, paid by card.",
        "user": "Accounts of people who work here, and their roles.",
        "access": "Tokens for the HTTP interface.",
        "partner": "Roaming partners: registering, exchanging, settling.",
        "cdr": "CDRs of ours and of partners.",
        "firmware": "Firmware for stations, and its campaigns.",
        "firmware campaign": "Firmware for many stations, in stages.",
        "log": "The raw event log.",
        "run": "One part of the system as a process, for several machines.",
        "kafka": "The topics, where the log is in Kafka.",
        "events": "What is published of decisions.",
        "station": "Stations: calls to them, their credentials, and who was refused.",
        "station certificate": "Root certificates of a station.",
        "station display": "What a station's display shows (OCPP 2.x).",
        "station local-list": "Who may charge while a station cannot ask.",
        "station tariff": "Which tariffs lie in a station of OCPP 2.1.",
    }
)
"""The first words that several commands share, or may come to share."""

UNSAID: Final[Mapping[str, str]] = MappingProxyType({"sessions": "list", "payouts": "list"})
"""What is meant by a group's word alone."""

COMMANDS: Final = (
    *RUNNING_COMMANDS,
    Command(
        words="apply",
        function="deploy.commands.declaring:apply",
        summary=(
            "Declare the sites, stations, tokens, customers and tariff assignments of YAML files."
        ),
        examples=(
            "apply sites.yaml stations.yaml",
            "apply examples/fleet.yaml --dry-run",
        ),
    ),
    *TARIFF_COMMANDS,
    Command(
        words="price",
        function="deploy.commands.price:price",
        summary=(
            "Price CDRs or sessions, say why for each line, and compare with what the CDR states."
        ),
        examples=(
            "price --tariff tariff.json --cdr cdrs/ --time-zone Europe/Berlin",
            "price --cdr march.jsonl --policy round-per-line --json",
        ),
    ),
    Command(
        words="sessions list",
        function="deploy.commands.books.sessions:listed",
        summary="List charging sessions and what they cost, the newest first. Times are UTC.",
        examples=(
            "sessions list --state rated",
            "sessions --json",
        ),
    ),
    Command(
        words="sessions held",
        function="deploy.commands.books.sessions:held",
        summary="List the sessions that wait for a person's decision, each with its reasons.",
        examples=(
            "sessions held",
            "sessions held --json",
        ),
    ),
    Command(
        words="sessions release",
        function="deploy.commands.books.sessions:release",
        summary="Release a held session: it is rated as it is and invoiced; its flags stay on it.",
        examples=(
            "sessions release HB-07/812/20260331T103000Z --reason 'clock was right' --by anna",
        ),
    ),
    Command(
        words="sessions write-off",
        function="deploy.commands.books.sessions:write_off",
        summary="Write a held session off: nothing is ever billed for it.",
        examples=(
            "sessions write-off HB-03/97/20260331T003703Z --reason 'meter was swapped' --by anna",
        ),
    ),
    Command(
        words="sessions correct",
        function="deploy.commands.books.sessions:correct",
        summary="Have a rated session priced again: by all that came since, as master data is now.",
        examples=(
            "sessions correct HB-07/812/20260331T103000Z --reason 'tariff was wrong' --by anna",
        ),
    ),
    Command(
        words="correct",
        function="deploy.commands.books.correcting:correct",
        summary=(
            "Price rated sessions again, by all that is known now: say what "
            "differs, then correct it."
        ),
        examples=(
            "correct --from 2026-03-01 --to 2026-04-01 --customer fleet-ag",
            "correct --from 2026-03-01 --to 2026-04-01 --site depot --apply --reason 'meter swap'",
        ),
    ),
    Command(
        words="sessions take-back",
        function="deploy.commands.books.sessions:take_back",
        summary="Take a release or a write-off back.",
        examples=(
            "sessions take-back HB-07/812/20260331T103000Z --reason 'clock was wrong' --by anna",
        ),
    ),
    *CREDITING_COMMANDS,
    Command(
        words="sessions validate",
        function="deploy.commands.books.validation:validate",
        summary=(
            "Show a code for a session that is not rated yet: a voucher, a coupon, a hotel stay."
        ),
        examples=(
            "sessions validate HB-07/812/20260331T103000Z --code SHOP --by till-3",
            "sessions validate --token 04A1B2C3 --station HB-07 --code HOTEL --by reception",
        ),
    ),
    Command(
        words="invoices",
        function="deploy.commands.books.invoices:listed",
        summary="List issued invoices and credit notes, the newest first.",
        examples=(
            "invoices",
            "invoices --json",
        ),
    ),
    Command(
        words="invoice show",
        function="deploy.commands.books.invoice:show",
        summary="Show one invoice as it was issued. Times are local to the site.",
        examples=("invoice show HC-2026-000001",),
    ),
    *DOCUMENT_COMMANDS,
    Command(
        words="explain",
        function="deploy.commands.books.explain:explain",
        summary="Explain an invoice, or one line of it, down to the raw frames behind it.",
        examples=(
            "explain HC-2026-000001",
            "explain HC-2026-000001 2 --json",
        ),
    ),
    Command(
        words="payment",
        function="deploy.commands.books.payment:payment",
        summary=(
            "Show the payment whose receipt we numbered: where it was, what its terminal said, for "
            "what."
        ),
        examples=(
            "payment R-812",
            "payment R-812 --json",
        ),
    ),
    Command(
        words="tokens unknown",
        function="deploy.commands.tokens:unknown",
        summary="List tokens that stations showed and nobody declared, the latest first.",
        examples=(
            "tokens unknown",
            "tokens unknown --json",
        ),
    ),
    *CUSTOMER_COMMANDS,
    *VISIT_COMMANDS,
    *PAYMENT_COMMANDS,
    *PAYOUT_COMMANDS,
    Command(
        words="person show",
        function="deploy.commands.person:show",
        summary="Show what is kept of a token, customer, driver or payer, and what refers to it.",
        examples=(
            "person show 04AABBCCDD",
            "person show ada --json",
        ),
    ),
    Command(
        words="person erase",
        function="deploy.commands.person:erase",
        summary="Erase a token's bearer, a driver, or a customer with all tokens, for good.",
        examples=(
            "person erase 04AABBCCDD",
            "person erase ada --kind customer --yes",
        ),
    ),
    *USER_COMMANDS,
    Command(
        words="access add",
        function="deploy.commands.access:add",
        summary="Make a token for the HTTP interface and show it, this once.",
        examples=(
            "access add dashboard --scope read",
            "access add app --scope read command --json",
        ),
    ),
    Command(
        words="access list",
        function="deploy.commands.access:listed",
        summary="List the tokens of the HTTP interface, the newest first.",
        examples=("access list", "access list --json"),
    ),
    Command(
        words="access revoke",
        function="deploy.commands.access:revoke",
        summary="Let a token of the HTTP interface hold no more, at once.",
        examples=("access revoke app",),
    ),
    Command(
        words="firmware add",
        function="deploy.commands.firmware:add",
        summary="Keep a firmware for stations: all, or those of a vendor or a model.",
        examples=(
            "firmware add volt-2.0.bin --as 2.0 --vendor Volt --model V1",
            "firmware add volt.bin --as 2.0 --certificate volt.pem --signature @volt.sig",
        ),
    ),
    Command(
        words="firmware list",
        function="deploy.commands.firmware:listed",
        summary="List the kept firmware, the newest first.",
        examples=("firmware list", "firmware list --json"),
    ),
    Command(
        words="firmware remove",
        function="deploy.commands.firmware:remove",
        summary="Forget a firmware; the addresses where stations fetch it hold no more.",
        examples=("firmware remove 1.9", "firmware remove 2.0 --vendor Volt --model V1"),
    ),
    Command(
        words="firmware campaign create",
        function="deploy.commands.campaigns:create",
        summary="Begin to bring a firmware to many stations, in stages, until too many fail.",
        examples=(
            "firmware campaign create spring 2.0 --site harbour --stages 1 10% 100%",
            "firmware campaign create pilot 2.0 --station CS-001 CS-002 --between 22:00-05:00",
        ),
    ),
    Command(
        words="firmware campaign list",
        function="deploy.commands.campaigns:listed",
        summary="List the campaigns, the newest first.",
        examples=("firmware campaign list", "firmware campaign list --json"),
    ),
    Command(
        words="firmware campaign show",
        function="deploy.commands.campaigns:show",
        summary="Show how far a campaign is, by stage and model, and which stations failed.",
        examples=("firmware campaign show spring", "firmware campaign show spring --json"),
    ),
    Command(
        words="firmware campaign pause",
        function="deploy.commands.campaigns:pause",
        summary="Let a campaign ask no further station for now.",
        examples=("firmware campaign pause spring",),
    ),
    Command(
        words="firmware campaign resume",
        function="deploy.commands.campaigns:resume",
        summary="Let a campaign go on that was paused, or stopped because too many failed.",
        examples=("firmware campaign resume spring",),
    ),
    Command(
        words="firmware campaign cancel",
        function="deploy.commands.campaigns:cancel",
        summary="End a campaign; stations that were asked already are not told.",
        examples=("firmware campaign cancel spring",),
    ),
    Command(
        words="log show",
        function="deploy.commands.log:show",
        summary="Show raw frames, verbatim, with our answers: one record, or what a station said.",
        examples=(
            "log show 0/17/3",
            "log show --station HB-01 --limit 5",
        ),
    ),
    Command(
        words="log export",
        function="deploy.commands.log:export",
        summary="Write the log to standard output as lines of JSON, each with its position.",
        examples=(
            "log export > log.jsonl",
            "log export --station HB-01",
        ),
    ),
    Command(
        words="log set-aside",
        function="deploy.commands.log:set_aside",
        summary="List the lines that raised an error and were left out of the books.",
        examples=(
            "log set-aside",
            "log set-aside --station HB-01 --json",
        ),
    ),
    Command(
        words="log take-again",
        function="deploy.commands.log:take_again",
        summary="Let a line that was set aside be taken again, from now on in the log.",
        examples=(
            "log take-again 0/17/3",
            "log take-again --station HB-01 --by anna",
        ),
    ),
    *STATION_COMMANDS,
    *ROAMING_COMMANDS,
    Command(
        words="balance",
        function="deploy.commands.energy.balance:balance",
        summary="Show where every metered Wh went, by station and day, and the trial balance.",
        examples=(
            "balance",
            "balance --station HB-01 --first-day 2026-03-01 --json",
            "balance --as-of 2026-03-31",
            "balance --recount",
            "balance --period 2026-03",
        ),
    ),
    Command(
        words="leakage",
        function="deploy.commands.energy.leakage:leakage",
        summary=(
            "Show what was metered, rated and invoiced, and each Wh not billed: why, and its value."
        ),
        examples=(
            "leakage --from 2026-03-01 --to 2026-04-01",
            "leakage --site harbour --json",
        ),
    ),
    Command(
        words="journal",
        function="deploy.commands.books.journal:journal",
        summary="Show what was booked, or write it for other books: CSV, XLSX, beancount.",
        examples=(
            "journal --from 2026-03-01 --to 2026-04-01",
            "journal --period 2026-03 --output march.csv",
            "journal --from 2026-03-01 --to 2026-04-01 --accounts books.yaml --output march.xlsx",
            "journal --format beancount > books.beancount",
        ),
    ),
    *SETTLING_COMMANDS,
    *CLOSING_COMMANDS,
    Command(
        words="replay",
        function="deploy.commands.books.checking:replay",
        summary=(
            "Read the log again from its start and compare every decision and "
            "document, byte for byte."
        ),
        examples=(
            "replay --check",
            "replay --check --json",
        ),
    ),
)
