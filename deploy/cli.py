"""The command `wattledger`: one line per command; each parses, calls one function and prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import psycopg
from cyclopts import App, CycloptsError

from deploy.commands import (
    checking,
    declaring,
    demo,
    explain,
    invoices,
    log,
    price,
    serving,
    sessions,
    station,
    tokens,
    validation,
)
from deploy.commands.tariffs import approval, calendar, exchange, publishing, simulate, tools
from deploy.commands.tariffs import explain as tariff_explain
from deploy.errors import DeployError
from deploy.output import complain
from ingest.errors import IngestError
from ledger.errors import LedgerError
from projections.errors import ProjectionError
from roaming_ocpi.errors import RoamingError
from tariffs.errors import TariffError

WRONG, MISUSED, INTERRUPTED = 1, 2, 130
REFUSALS = (DeployError, IngestError, LedgerError, ProjectionError, RoamingError, TariffError)

app = App(
    name="wattledger",
    help="From charging stations to explained invoices.",
    help_epilogue="Start with: wattledger up",
    help_format="markdown",
    version=version("wattledger"),
)


def _add(to: App, name: str, command: Callable[..., Any], *examples: str) -> None:
    lines = "\n".join(f"    wattledger {example}".rstrip() for example in examples)
    to.command(command, name=name, help_epilogue=f"Examples:\n\n{lines}")


_add(app, "up", serving.up, "up", "up --data /srv/wattledger --listen-host 0.0.0.0 --port 9000")
_add(
    app,
    "apply",
    declaring.apply,
    "apply sites.yaml stations.yaml",
    "apply examples/fleet.yaml --dry-run",
)

tariff_app = App(
    name="tariff", help="Check, compare, show and publish tariff files.", help_format="markdown"
)
app.command(tariff_app)
_add(
    tariff_app,
    "publish",
    publishing.publish,
    "tariff publish examples/tariffs/time-of-use.yaml",
    "tariff publish new.yaml --from 2027-01-01T00:00:00+01:00 --by anna",
    "tariff publish staff.yaml --site harbour --group staff",
)
_add(
    tariff_app,
    "approve",
    approval.approve,
    "tariff approve time-of-use --file new.yaml --by ben",
    "tariff approve time-of-use --hash 9f3c01ab7d20 --by ben",
)
_add(
    tariff_app,
    "reject",
    approval.reject,
    "tariff reject time-of-use --reason 'no grace before the idle fee' --by ben",
)
_add(
    tariff_app,
    "retire",
    approval.retire,
    "tariff retire summer-2026 --from 2026-10-01T00:00:00+02:00 --by anna",
)
_add(
    tariff_app,
    "versions",
    approval.versions,
    "tariff versions",
    "tariff versions time-of-use --json",
)
_add(
    tariff_app,
    "explain",
    tariff_explain.explain,
    "tariff explain examples/tariffs/time-of-use.yaml examples/session.yaml",
)
_add(
    tariff_app,
    "lint",
    tools.lint,
    "tariff lint examples/tariffs --country DE",
    "tariff lint new.yaml --strict --json",
)
_add(
    tariff_app,
    "schema",
    tools.schema,
    "tariff schema > tariff.schema.json",
)
_add(
    tariff_app,
    "diff",
    tools.diff,
    "tariff diff old.yaml new.yaml",
    "tariff diff old.yaml new.yaml --hours --time-zone Europe/Berlin --week 2026-10-25",
)
_add(
    tariff_app,
    "simulate",
    simulate.simulate,
    "tariff simulate new.yaml --sessions history.jsonl --html backtest.html",
    "tariff simulate new.yaml --from 2026-01-01 --to 2026-07-01 --csv changes.csv",
    "tariff simulate new.yaml --against old.yaml --sessions history.npz",
)
_add(
    tariff_app,
    "calendar",
    calendar.calendar,
    "tariff calendar examples/tariffs/time-of-use.yaml --time-zone Europe/Berlin",
    "tariff calendar new.yaml --html week.html --day 2026-03-29 --after '4 h'",
)
_add(
    tariff_app,
    "import",
    exchange.import_tariff,
    "tariff import partner.json > tariff.yaml",
    "tariff import set-default-tariff.json --from ocpp-2.1 --output station.yaml",
)
_add(
    tariff_app,
    "export",
    exchange.export_tariff,
    "tariff export new.yaml --ocpi 2.2.1 --country-code DE --party-id ABC",
    "tariff export new.yaml --to ocpp-2.1 --json",
)
_add(
    app,
    "price",
    price.price,
    "price --tariff tariff.json --cdr cdrs/ --time-zone Europe/Berlin",
    "price --cdr march.jsonl --policy round-per-line --json",
)
sessions_app = App(name="sessions", help="Charging sessions.", help_format="markdown")
sessions_app.default(sessions.listed)
app.command(sessions_app)
_add(sessions_app, "list", sessions.listed, "sessions list --state rated", "sessions --json")
_add(sessions_app, "held", sessions.held, "sessions held", "sessions held --json")
_add(
    sessions_app,
    "release",
    sessions.release,
    "sessions release HB-07/812/20260331T103000Z --reason 'clock checked on site' --by anna",
)
_add(
    sessions_app,
    "write-off",
    sessions.write_off,
    "sessions write-off HB-03/97/20260331T003703Z --reason 'meter was swapped' --by anna",
)

_add(
    sessions_app,
    "validate",
    validation.validate,
    "sessions validate HB-07/812/20260331T103000Z --code SHOP --by till-3",
    "sessions validate --token 04A1B2C3 --station HB-07 --code HOTEL --by reception",
)
_add(app, "invoices", invoices.listed, "invoices", "invoices --json")
invoice_app = App(name="invoice", help="One invoice.", help_format="markdown")
app.command(invoice_app)
_add(invoice_app, "show", invoices.show, "invoice show HC-2026-000001")

_add(app, "explain", explain.explain, "explain HC-2026-000001", "explain HC-2026-000001 2 --json")
tokens_app = App(name="tokens", help="Tokens of drivers.", help_format="markdown")
app.command(tokens_app)
_add(tokens_app, "unknown", tokens.unknown, "tokens unknown", "tokens unknown --json")
log_app = App(name="log", help="The raw event log.", help_format="markdown")
app.command(log_app)
_add(log_app, "show", log.show, "log show 0/17/3", "log show --station HB-01 --limit 5")
_add(log_app, "export", log.export, "log export > log.jsonl", "log export --station HB-01")
station_app = App(name="station", help="Credentials for stations.", help_format="markdown")
app.command(station_app)
_add(
    station_app,
    "password",
    station.password,
    "station password",
    "station password --of 'a password that you chose'",
)

_add(
    app,
    "balance",
    checking.balance,
    "balance",
    "balance --station HB-01 --first-day 2026-03-01 --json",
)
_add(app, "replay", checking.replay, "replay --check", "replay --check --json")
_add(app, "demo", demo.demo, "demo", "demo --json figures.json")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, 1 (it refused or something is wrong) or 2 (misused)."""
    try:
        result = app(arguments, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return MISUSED
    except REFUSALS as refusal:
        complain(str(refusal))
        return WRONG
    except psycopg.OperationalError as error:
        complain(f"the database does not answer: {error}")
        return WRONG
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def main() -> None:
    """Be the program."""
    sys.exit(run())
