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
        words="run stations",
        function="deploy.commands.running.run:stations",
        summary=(
            "Serve charging stations; any number of these processes may run, behind a TCP balancer."
        ),
        examples=("run stations --config /etc/wattledger.toml", "run stations --port 9001"),
    ),
    Command(
        words="run interface",
        function="deploy.commands.running.run:interface",
        summary="Serve the HTTP interface, and files where `files_port` is set.",
        examples=("run interface", "run interface --port 8080 --config /etc/wattledger.toml"),
    ),
    Command(
        words="run console",
        function="deploy.commands.running.run:console",
        summary="Serve the console alone, for people with a browser; the interface serves it too.",
        examples=("run console", "run console --port 8080 --config /etc/wattledger.toml"),
    ),
    Command(
        words="run worker",
        function="deploy.commands.running.run:worker",
        summary=(
            "Turn the log into sessions and decisions; where it is in Kafka, any number share it."
        ),
        examples=("run worker --config /etc/wattledger.toml",),
    ),
    Command(
        words="run invoicing",
        function="deploy.commands.running.run:invoicing",
        summary=(
            "Issue invoices; of several such processes one does, another takes over within seconds."
        ),
        examples=("run invoicing --config /etc/wattledger.toml",),
    ),
    Command(
        words="run documents",
        function="deploy.commands.running.run:documents",
        summary="Render documents once they are booked, and deliver them; any number may run.",
        examples=("run documents --config /etc/wattledger.toml",),
    ),
    Command(
        words="run roaming",
        function="deploy.commands.running.run:roaming",
        summary=(
            "Exchange with roaming partners, and serve them where they have a port; any number may "
            "run."
        ),
        examples=("run roaming --port 8090", "run roaming --config /etc/wattledger.toml"),
    ),
    Command(
        words="run payments",
        function="deploy.commands.running.run:payments",
        summary=(
            "Ask the payment provider for what is decided; of several such processes one does."
        ),
        examples=("run payments --config /etc/wattledger.toml",),
    ),
    Command(
        words="run projections",
        function="deploy.commands.running.run:projections",
        summary=(
            "Publish decisions in Kafka; of several such processes one does, another takes over."
        ),
        examples=("run projections --config /etc/wattledger.toml",),
    ),
    Command(
        words="kafka local",
        function="deploy.commands.running.kafka:local",
        summary=(
            "Run Kafka brokers on this machine until stopped, to try things out; never for "
            "production."
        ),
        examples=("kafka local --data /tmp/kafka", "kafka local --data /tmp/kafka --brokers 1"),
    ),
    Command(
        words="kafka init",
        function="deploy.commands.running.kafka:init",
        summary=(
            "Make the topics of the event log and of decisions as the settings ask, and check them."
        ),
        examples=(
            "kafka init",
            "kafka init --config /etc/wattledger.toml --json",
        ),
    ),
    Command(
        words="kafka check",
        function="deploy.commands.running.kafka:check",
        summary="Check that the topics lose nothing, as the settings ask.",
        examples=("kafka check", "kafka check --json"),
    ),
    Command(
        words="log copy",
        function="deploy.commands.running.log_copy:copy",
        summary="Copy the event log into the other store, record for record, and compare them.",
        examples=(
            "log copy --from postgres --to kafka",
            "log copy --from kafka --to postgres --json",
        ),
    ),
    Command(
        words="events schema",
        function="deploy.commands.running.events:schema",
        summary="Print the JSON Schema of a kind of event; without a kind, list the kinds.",
        examples=("events schema", "events schema session.rated"),
    ),
    Command(
        words="demo",
        function="deploy.commands.running.demo:demo",
        summary="Drive a simulated fleet through a month, and check that everything reconciles.",
        examples=(
            "demo",
            "demo --json figures.json",
            "demo --keep --port 8081",
        ),
    ),
)
