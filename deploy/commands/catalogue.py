"""The commands as data: what each is called and where it is, so that help needs to load none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: its words, its function as `module:name`, its help in a line, examples."""

    words: str
    function: str
    summary: str
    """The first line of the function's docstring (a test compares them)."""
    examples: tuple[str, ...]


GROUPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tariff": "Check, compare, show and publish tariff files.",
        "sessions": "Charging sessions.",
        "invoice": "One invoice.",
        "tokens": "Tokens of drivers.",
        "person": "Who a token or a customer is, and erasing them.",
        "log": "The raw event log.",
        "station": "Credentials for stations, and who was refused.",
    }
)
"""The first words that several commands share, or may come to share."""

UNSAID: Final[Mapping[str, str]] = MappingProxyType({"sessions": "list"})
"""What is meant by a group's word alone."""

COMMANDS: Final = (
    Command(
        words="up",
        function="deploy.commands.serving:up",
        summary="Serve charging stations, rate and invoice, until stopped.",
        examples=(
            "up",
            "up --data /srv/wattledger --listen-host 0.0.0.0 --port 9000",
        ),
    ),
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
    Command(
        words="tariff publish",
        function="deploy.commands.tariffs.publishing:publish",
        summary="Publish tariff files as immutable versions.",
        examples=(
            "tariff publish examples/tariffs/time-of-use.yaml",
            "tariff publish new.yaml --from 2027-01-01T00:00:00+01:00 --by anna",
            "tariff publish staff.yaml --site harbour --group staff",
        ),
    ),
    Command(
        words="tariff approve",
        function="deploy.commands.tariffs.approval:approve",
        summary="Approve what was proposed of a tariff: a new version, or its retirement.",
        examples=(
            "tariff approve time-of-use --file new.yaml --by ben",
            "tariff approve time-of-use --hash 9f3c01ab7d20 --by ben",
        ),
    ),
    Command(
        words="tariff reject",
        function="deploy.commands.tariffs.approval:reject",
        summary=(
            "Turn down what was proposed of a tariff; its author takes it back in the same way."
        ),
        examples=("tariff reject time-of-use --reason 'no grace before the idle fee' --by ben",),
    ),
    Command(
        words="tariff retire",
        function="deploy.commands.tariffs.approval:retire",
        summary="Let a tariff price nothing any more.",
        examples=("tariff retire summer-2026 --from 2026-10-01T00:00:00+02:00 --by anna",),
    ),
    Command(
        words="tariff versions",
        function="deploy.commands.tariffs.approval:versions",
        summary="List the versions that were proposed: their state, who asked and who approved.",
        examples=(
            "tariff versions",
            "tariff versions time-of-use --json",
        ),
    ),
    Command(
        words="tariff explain",
        function="deploy.commands.tariffs.explain:explain",
        summary="Price a session under a tariff file and say why for each line.",
        examples=("tariff explain examples/tariffs/time-of-use.yaml examples/session.yaml",),
    ),
    Command(
        words="tariff lint",
        function="deploy.commands.tariffs.tools:lint",
        summary="Find what is wrong or probably not meant in tariff files, all at once.",
        examples=(
            "tariff lint examples/tariffs --country DE",
            "tariff lint new.yaml --strict --json",
        ),
    ),
    Command(
        words="tariff schema",
        function="deploy.commands.tariffs.tools:schema",
        summary=(
            "Print the JSON Schema of tariff files, with which an editor completes and checks them."
        ),
        examples=("tariff schema > tariff.schema.json",),
    ),
    Command(
        words="tariff diff",
        function="deploy.commands.tariffs.tools:diff",
        summary=(
            "Say what changes from one tariff file to another: in sentences, and "
            "per hour of the week."
        ),
        examples=(
            "tariff diff old.yaml new.yaml",
            "tariff diff old.yaml new.yaml --hours --time-zone Europe/Berlin --week 2026-10-25",
        ),
    ),
    Command(
        words="tariff simulate",
        function="deploy.commands.tariffs.simulate:simulate",
        summary=(
            "Re-rate the past with a tariff: totals, customers, sites, winners and "
            "losers, old and new."
        ),
        examples=(
            "tariff simulate new.yaml --sessions history.jsonl --html backtest.html",
            "tariff simulate new.yaml --from 2026-01-01 --to 2026-07-01 --csv changes.csv",
            "tariff simulate new.yaml --against old.yaml --sessions history.npz",
        ),
    ),
    Command(
        words="tariff calendar",
        function="deploy.commands.tariffs.calendar:calendar",
        summary="Show the price that holds at each hour of a week, as the kernel would bill it.",
        examples=(
            "tariff calendar examples/tariffs/time-of-use.yaml --time-zone Europe/Berlin",
            "tariff calendar new.yaml --html week.html --day 2026-03-29 --after '4 h'",
        ),
    ),
    Command(
        words="tariff import",
        function="deploy.commands.tariffs.exchange:import_tariff",
        summary="Turn a tariff of OCPI (any version) or OCPP 2.1 into our tariff file.",
        examples=(
            "tariff import partner.json > tariff.yaml",
            "tariff import set-default-tariff.json --from ocpp-2.1 --output station.yaml",
        ),
    ),
    Command(
        words="tariff export",
        function="deploy.commands.tariffs.exchange:export_tariff",
        summary="Say a tariff file in OCPI's or OCPP's words; what they cannot say is noted.",
        examples=(
            "tariff export new.yaml --ocpi 2.2.1 --country-code DE --party-id ABC",
            "tariff export new.yaml --to ocpp-2.1 --json",
        ),
    ),
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
        summary="List issued invoices, the newest first.",
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
        words="tokens unknown",
        function="deploy.commands.tokens:unknown",
        summary="List tokens that stations showed and nobody declared, the latest first.",
        examples=(
            "tokens unknown",
            "tokens unknown --json",
        ),
    ),
    Command(
        words="person show",
        function="deploy.commands.person:show",
        summary="Show what is kept of a token's bearer or a customer, and what refers to it.",
        examples=(
            "person show 04AABBCCDD",
            "person show ada --json",
        ),
    ),
    Command(
        words="person erase",
        function="deploy.commands.person:erase",
        summary="Erase a token's bearer or a customer with all tokens, for good.",
        examples=(
            "person erase 04AABBCCDD",
            "person erase ada --kind customer --yes",
        ),
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
    Command(
        words="station password",
        function="deploy.commands.station:password",
        summary=(
            "Make a password for a station, with the hash that master data may hold instead of it."
        ),
        examples=(
            "station password",
            "station password --of 'a password that you chose'",
        ),
    ),
    Command(
        words="station refused",
        function="deploy.commands.station:refused",
        summary=(
            "List who was refused a connection, from which address and why, the latest first."
        ),
        examples=(
            "station refused",
            "station refused --json",
        ),
    ),
    Command(
        words="balance",
        function="deploy.commands.books.checking:balance",
        summary="Show where every metered Wh went, by station and day, and the trial balance.",
        examples=(
            "balance",
            "balance --station HB-01 --first-day 2026-03-01 --json",
        ),
    ),
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
    Command(
        words="demo",
        function="deploy.commands.demo:demo",
        summary="Drive a simulated fleet through a month, and check that everything reconciles.",
        examples=(
            "demo",
            "demo --json figures.json",
        ),
    ),
)
