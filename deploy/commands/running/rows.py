"""What an operator runs, as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

RUNNING_COMMANDS: Final = (
    Command(
        words="up",
        function="deploy.commands.running.serving:up",
        summary="Serve charging stations, rate and invoice, until stopped.",
        examples=(
            "up",
            "up --data /srv/wattledger --listen-host 0.0.0.0 --port 9000",
        ),
    ),
    Command(
        words="kafka init",
        function="deploy.commands.running.kafka:init",
        summary=(
            "Make the topic of the event log as the settings ask, if there is none, and check it."
        ),
        examples=(
            "kafka init",
            "kafka init --config /etc/wattledger.toml --json",
        ),
    ),
    Command(
        words="kafka check",
        function="deploy.commands.running.kafka:check",
        summary="Check that the topic of the event log loses nothing, as the settings ask.",
        examples=("kafka check", "kafka check --json"),
    ),
    Command(
        words="demo",
        function="deploy.commands.running.demo:demo",
        summary="Drive a simulated fleet through a month, and check that everything reconciles.",
        examples=(
            "demo",
            "demo --json figures.json",
        ),
    ),
)
