"""The commands of this room as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

STATION_COMMANDS: Final = (
    Command(
        words="station list",
        function="deploy.commands.stations.showing:listed",
        summary="List the declared stations, each with its connection and its connectors.",
        examples=("station list", "station list --site harbour --connected --json"),
    ),
    Command(
        words="station show",
        function="deploy.commands.stations.showing:show",
        summary=(
            "Show a station: what it is, its connectors and faults, what runs there and what it "
            "was sent."
        ),
        examples=("station show CS-001", "station show CS-001 --json"),
    ),
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
        words="station start",
        function="deploy.commands.stations.typed:start",
        summary="Ask a station to start charging.",
        examples=("station start CS-001 --token 04A1B2C3 --evse 1",),
    ),
    Command(
        words="station stop",
        function="deploy.commands.stations.typed:stop",
        summary="Ask a station to stop a transaction.",
        examples=("station stop CS-001 --transaction 812",),
    ),
    Command(
        words="station unlock",
        function="deploy.commands.stations.typed:unlock",
        summary="Ask a station to unlock a connector.",
        examples=("station unlock CS-001 --evse 1",),
    ),
    Command(
        words="station reset",
        function="deploy.commands.stations.typed:reset",
        summary="Ask a station to restart.",
        examples=("station reset CS-001", "station reset CS-001 --hard"),
    ),
    Command(
        words="station availability",
        function="deploy.commands.stations.typed:availability",
        summary="Ask a station to open or close an EVSE, or all of it.",
        examples=("station availability CS-001 inoperative --evse 2",),
    ),
    Command(
        words="station trigger",
        function="deploy.commands.stations.typed:trigger",
        summary="Ask a station to say something now.",
        examples=("station trigger CS-001 StatusNotification --evse 1",),
    ),
    Command(
        words="station get",
        function="deploy.commands.stations.typed:get",
        summary="Ask a station for its configuration keys (1.6; none named: all) or variables.",
        examples=(
            "station get CS-001 MeterValueSampleInterval",
            "station get CS-002 OCPPCommCtrlr.HeartbeatInterval --json",
        ),
    ),
    Command(
        words="station change",
        function="deploy.commands.stations.typed:change",
        summary="Ask a station to set a configuration key (1.6) or a variable.",
        examples=("station change CS-001 MeterValueSampleInterval 60",),
    ),
    Command(
        words="station reserve",
        function="deploy.commands.stations.keeping:reserve",
        summary="Ask a station to keep an EVSE free for a token; the number is ours.",
        examples=("station reserve CS-001 --token 04A1B2C3 --evse 1 --minutes 30",),
    ),
    Command(
        words="station cancel-reservation",
        function="deploy.commands.stations.keeping:cancel_reservation",
        summary="Ask a station to give a reservation up.",
        examples=("station cancel-reservation CS-001 812",),
    ),
    Command(
        words="station charging-profile",
        function="deploy.commands.stations.keeping:charging_profile",
        summary="Ask a station to charge by a profile, by its name or from a file.",
        examples=(
            "station charging-profile CS-001 night --evse 1",
            "station charging-profile CS-001 @profile.json",
        ),
    ),
    Command(
        words="station clear-charging-profile",
        function="deploy.commands.stations.keeping:clear_charging_profile",
        summary="Ask a station to forget a charging profile, those of an EVSE, or all.",
        examples=(
            "station clear-charging-profile CS-001 --profile 1",
            "station clear-charging-profile CS-001 --evse 2",
        ),
    ),
    Command(
        words="station tariff set",
        function="deploy.commands.stations.tariffs:set_default",
        summary="Send a station of OCPP 2.1 the tariff in force there for whoever comes.",
        examples=("station tariff set CS-001", "station tariff set CS-001 --evse 2 --decimals 6"),
    ),
    Command(
        words="station tariff change",
        function="deploy.commands.stations.tariffs:change",
        summary="Send a station of OCPP 2.1 the tariff by which a transaction will be billed.",
        examples=("station tariff change CS-001 --transaction 06346ae1",),
    ),
    Command(
        words="station tariff get",
        function="deploy.commands.stations.tariffs:get",
        summary="Ask a station of OCPP 2.1 which tariffs lie in it.",
        examples=("station tariff get CS-001 --json",),
    ),
    Command(
        words="station tariff clear",
        function="deploy.commands.stations.tariffs:clear",
        summary="Take tariffs away from a station of OCPP 2.1.",
        examples=("station tariff clear CS-001", "station tariff clear CS-001 harbour@1f0c2a"),
    ),
    Command(
        words="station logs",
        function="deploy.commands.stations.servicing:logs",
        summary="Have a station send its diagnostics, or its security log: here, or to a URL.",
        examples=(
            "station logs CS-001 --since 2026-03-01",
            "station logs CS-001 --to https://files.example/CS-001",
        ),
    ),
    Command(
        words="station files",
        function="deploy.commands.stations.files:files",
        summary="List the files that a station sent, the newest first, or take one of them.",
        examples=(
            "station files CS-001",
            "station files CS-001 --get diagnostics.tar.gz -o diagnostics.tar.gz",
        ),
    ),
    Command(
        words="station firmware",
        function="deploy.commands.stations.servicing:firmware",
        summary=(
            "Have a station fetch a firmware and run it; a signed one with certificate and "
            "signature."
        ),
        examples=(
            "station firmware CS-001 2.0",
            "station firmware CS-001 --at https://files.example/v2.bin",
        ),
    ),
    Command(
        words="station certificate install",
        function="deploy.commands.stations.servicing:install_certificate",
        summary="Add a root certificate to a station.",
        examples=("station certificate install CS-001 root.pem --use csms",),
    ),
    Command(
        words="station certificate list",
        function="deploy.commands.stations.servicing:list_certificates",
        summary="Ask a station which root certificates it has.",
        examples=("station certificate list CS-001 --json",),
    ),
    Command(
        words="station certificate delete",
        function="deploy.commands.stations.servicing:delete_certificate",
        summary="Take a certificate off a station, by what `certificate list` shows of it.",
        examples=(
            (
                "station certificate delete CS-1 --issuer-name-hash a --issuer-key-hash b "
                "--serial-number 7"
            ),
        ),
    ),
    Command(
        words="station display show",
        function="deploy.commands.stations.servicing:show_message",
        summary=(
            "Show a message on a station's display, or change the one of that number (OCPP 2.x)."
        ),
        examples=("station display show CS-001 1 'Closed from 22:00' --priority InFront",),
    ),
    Command(
        words="station display clear",
        function="deploy.commands.stations.servicing:clear_message",
        summary="Take a message off a station's display (OCPP 2.x).",
        examples=("station display clear CS-001 1",),
    ),
    Command(
        words="station display list",
        function="deploy.commands.stations.servicing:list_messages",
        summary=(
            "Ask a station which messages it shows; it tells them in messages of its own "
            "(OCPP 2.x)."
        ),
        examples=("station display list CS-001",),
    ),
    Command(
        words="station data-transfer",
        function="deploy.commands.stations.servicing:data_transfer",
        summary="Send a station what its vendor has made up.",
        examples=("station data-transfer CS-001 org.example --message Ping --content now",),
    ),
    Command(
        words="station local-list show",
        function="deploy.commands.stations.local_lists:show",
        summary="Show which version of its local list a station has, and what it was sent last.",
        examples=("station local-list show CS-001",),
    ),
    Command(
        words="station local-list send",
        function="deploy.commands.stations.local_lists:send",
        summary="Bring a station's local list up to date now, whatever the policy says.",
        examples=("station local-list send CS-001", "station local-list send CS-001 --whole"),
    ),
    Command(
        words="station password",
        function="deploy.commands.stations.credentials:password",
        summary=(
            "Tell a station a new password, or make one with the hash that master data may hold."
        ),
        examples=(
            "station password CS-001 --password-stdin < new-password",
            "station password CS-001",
            "station password",
            "station password --of 'a password that you chose'",
        ),
    ),
    Command(
        words="station set",
        function="deploy.commands.stations.setting:set_station",
        summary=(
            "Set how a station is registered, how much it takes in a message, or which password "
            "it uses."
        ),
        examples=(
            "station set CS-001 --boot Pending --boot-interval-s 60",
            "station set CS-001 --items-per-message 5 --bytes-per-message 2000",
            "station set CS-001 --password-stdin < password",
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
