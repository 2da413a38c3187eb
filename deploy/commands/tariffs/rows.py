"""The commands about tariff files, as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

TARIFF_COMMANDS: Final = (
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
)
