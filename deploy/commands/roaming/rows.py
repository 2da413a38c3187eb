"""The commands of this room as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

_MODULE: Final = "deploy.commands.roaming"

ROAMING_COMMANDS: Final = (
    Command(
        words="partner add",
        function=f"{_MODULE}.partners:add",
        summary="Declare a roaming partner; what else is agreed with it stands in YAML (apply).",
        examples=(
            "partner add NL-TNM --name 'TNM Mobility' --legal-entity harbour --role emsp",
            "partner add FR-CHA --name Chargeur --legal-entity us --role cpo --version 2.2.1",
        ),
    ),
    Command(
        words="partner list",
        function=f"{_MODULE}.partners:listed",
        summary="List the roaming partners, and how far the handshake with each is.",
        examples=("partner list", "partner list --json"),
    ),
    Command(
        words="partner show",
        function=f"{_MODULE}.partners:show",
        summary="Show what is agreed with a partner, its link, its modules, and what changed.",
        examples=("partner show NL-TNM", "partner show NL-TNM --json"),
    ),
    Command(
        words="partner register",
        function=f"{_MODULE}.handshakes:register",
        summary="Do the handshake with a partner: invite it, go to it, or renew the tokens.",
        examples=(
            "partner register NL-TNM --invite",
            "partner register NL-TNM --token-stdin --url https://ocpi.tnm.example/versions",
            "partner register NL-TNM --renew",
        ),
    ),
    Command(
        words="partner pause",
        function=f"{_MODULE}.handshakes:pause",
        summary="Send a partner nothing for now; what it asks is answered, and what is due waits.",
        examples=("partner pause NL-TNM --reason 'tariffs under dispute'",),
    ),
    Command(
        words="partner resume",
        function=f"{_MODULE}.handshakes:resume",
        summary="Go on with a partner that was paused.",
        examples=("partner resume NL-TNM",),
    ),
    Command(
        words="partner revoke",
        function=f"{_MODULE}.handshakes:revoke",
        summary="End the link with a partner: no token of either side holds any more.",
        examples=("partner revoke NL-TNM --reason 'contract over'",),
    ),
    Command(
        words="cdr received",
        function="deploy.commands.roaming.received:received",
        summary="List the CDRs that partners told us of, the newest first, or show one.",
        examples=("cdr received --verdict disputed", "cdr received C-812 --party NL-TNM"),
    ),
    Command(
        words="cdr accept",
        function="deploy.commands.roaming.received:accept",
        summary="Let a partner's CDR be paid, whatever was found at it.",
        examples=("cdr accept C-812 --reason 'the tariff was agreed by mail' --by anna",),
    ),
    Command(
        words="cdr dispute",
        function="deploy.commands.roaming.received:dispute",
        summary=(
            "Do not pay a partner's CDR: it is left out of what is settled until it is accepted."
        ),
        examples=("cdr dispute C-812 --party NL-TNM --reason 'the car was elsewhere'",),
    ),
    Command(
        words="cdr judge-again",
        function="deploy.commands.roaming.received:judge_again",
        summary=(
            "Judge all CDRs of partners again, from the log, and compare: exits 1 if anything "
            "differs."
        ),
        examples=("cdr judge-again", "cdr judge-again --json"),
    ),
    Command(
        words="partner start",
        function=f"{_MODULE}.asking:start",
        summary="Start a session of a driver of ours at a partner's station, and wait for it.",
        examples=("partner start FR-CHA LOC1 --evse FR*CHA*E1 --token 04A1B2C3",),
    ),
    Command(
        words="partner stop",
        function=f"{_MODULE}.asking:stop",
        summary="Stop a session of a driver of ours at a partner's station.",
        examples=("partner stop FR-CHA 6c2f7a5e-1 --json",),
    ),
    Command(
        words="partner unlock",
        function=f"{_MODULE}.asking:unlock",
        summary="Have a partner let go of a plug that its station holds fast.",
        examples=("partner unlock FR-CHA LOC1 FR*CHA*E1 1",),
    ),
    Command(
        words="partner reserve",
        function=f"{_MODULE}.asking:reserve",
        summary="Reserve a partner's station for a driver of ours.",
        examples=("partner reserve FR-CHA LOC1 --token 04A1B2C3 --minutes 30",),
    ),
    Command(
        words="partner cancel",
        function=f"{_MODULE}.asking:cancel",
        summary="Take a reservation at a partner's station back.",
        examples=("partner cancel FR-CHA 6c2f7a5e-6d1b-4f6e-9d0a-2b8f6f1f0c11",),
    ),
    Command(
        words="partner retry",
        function=f"{_MODULE}.outbox:retry",
        summary="Send a partner again what it refused, or did not take yet, at once.",
        examples=(
            "partner retry NL-TNM",
            "partner retry NL-TNM --only session --only HB-07-4qk2m7x5c3n6a9w8e1r0",
            "partner retry NL-TNM --from 2026-03-01",
        ),
    ),
    Command(
        words="cdr send",
        function=f"{_MODULE}.outbox:send",
        summary="Send CDRs to their partner at once: single ones, or all that it has not got.",
        examples=(
            "cdr send HB-07-4qk2m7x5c3n6a9w8e1r0",
            "cdr send --party NL-TNM",
        ),
    ),
    Command(
        words="cdr list",
        function=f"{_MODULE}.cdrs:listed",
        summary="List CDRs of ours, the newest first, or the sessions that have none, and why.",
        examples=(
            "cdr list --party NL-TNM --month 2026-03",
            "cdr list --refused",
            "cdr list --noted --json",
        ),
    ),
    Command(
        words="cdr show",
        function=f"{_MODULE}.cdrs:show",
        summary="Show a CDR of ours: its periods, its totals, and what it says otherwise, and why.",
        examples=(
            "cdr show HB-07-4qk2m7x5c3n6a9w8e1r0",
            "cdr show HB-07-4qk2m7x5c3n6a9w8e1r0 --version 2.1.1 --json",
        ),
    ),
    Command(
        words="cdr check",
        function=f"{_MODULE}.cdrs:check",
        summary="Make every CDR of ours again, and compare it with what was frozen.",
        examples=("cdr check", "cdr check --party NL-TNM --json"),
    ),
)
