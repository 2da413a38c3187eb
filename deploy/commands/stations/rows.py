"""The commands of this room as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

STATION_COMMANDS: Final = (
    Command(
        words="station command",
        function="deploy.commands.stations.calling:command",
        summary=(
            "Send a call to a station, whichever process it is connected to, and show its answer."
        ),
        examples=(
            'station command CS-001 Reset \'{"type": "Soft"}\'',
            "station command CS-001 GetVariables @variables.json --wait 60 --json",
        ),
    ),
    Command(
        words="station password",
        function="deploy.commands.stations.credentials:password",
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
        function="deploy.commands.stations.credentials:refused",
        summary=(
            "List who was refused a connection, from which address and why, the latest first."
        ),
        examples=(
            "station refused",
            "station refused --json",
        ),
    ),
)
