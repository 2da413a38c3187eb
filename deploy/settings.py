"""Every setting, in one frozen object read once: `WATTLEDGER_*` variables over a TOML file."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.listening import written_place
from deploy.setting_rules import (
    CHOICES,
    RANGES,
    SECRETS,
    TOGETHER,
    are_networks,
    is_guarded,
    is_origin,
    origin_of,
)
from ledger.partners.bounds import BadBoundError, read_bounds

PREFIX = "WATTLEDGER_"
ENVIRONMENT = "the environment"
SETTINGS = "settings"
FILE_NAME = "wattledger.toml"
DATA = Path("data")
METRICS_PORT = 9010


class UnknownSettingError(DeployError):
    """A variable or a file names a setting that does not exist."""

    def __init__(self, source: str, names: Iterable[str], known: Iterable[str]) -> None:
        self.source, self.names = source, tuple(sorted(names))
        known = sorted(known)
        hints = []
        for name in self.names:
            near = difflib.get_close_matches(name, known, n=1)
            hints.append(f"{name} (did you mean {near[0]}?)" if near else name)
        super().__init__(f"unknown setting in {source}: {', '.join(hints)}")


class BadSettingError(DeployError):
    """A setting's value cannot be used."""

    def __init__(self, source: str, name: str, value: object, wanted: str) -> None:
        self.source, self.name, self.value = source, name, value
        found = "what it is" if name in SECRETS else repr(value)
        super().__init__(f"{source}: {name} must be {wanted}, not {found}")


def _setting(default: Any, meaning: str, *, is_shown: bool = True) -> Any:  # noqa: ANN401 - as dataclasses.field itself
    return field(default=default, metadata={"meaning": meaning}, repr=is_shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this Wattledger runs. Durations end in their unit."""

    data: Path = _setting(DATA, "folder that keeps the database and the log files")  # noqa: RUF009 - a Path never changes
    database_url: str = _setting(
        "", "an own PostgreSQL 15+; empty starts the embedded one", is_shown=False
    )
    database_idle_seconds: int = _setting(
        60, "how long the embedded one outlives its last command; 0 stops it at once"
    )
    listen_host: str = _setting("127.0.0.1", "address on which stations connect")
    listen_port: int = _setting(9000, "port for `ws://`; 0 picks a free one, -1 closes it")
    tls_port: int = _setting(-1, "port for `wss://`; -1 closes it")
    tls_certificate: str = _setting(
        "", "PEM file with the server's certificate chain; `ecdsa.pem,rsa.pem`: with both kinds"
    )
    tls_key: str = _setting("", "PEM file with the certificate's private key; of two, both so")
    http_host: str = _setting("127.0.0.1", "address of the HTTP interface")
    http_port: int = _setting(
        8080, "its port; taken or 0: a free one, which is printed; -1: `up` starts none"
    )
    console_url: str = _setting(
        "", "where people reach the console; empty: at `documents_url`, else at addresses alone"
    )
    trusted_proxies: str = _setting(
        "127.0.0.1,::1", "proxies that are believed who comes, and whether by https; networks, too"
    )
    files_host: str = _setting("127.0.0.1", "address on which stations fetch and send files")
    files_port: int = _setting(
        -1, "its port, `https://` where `tls_certificate` is set; 0 picks a free one, -1 closes it"
    )
    files_url: str = _setting(
        "", "where stations reach it; empty: at its host and port, as behind no NAT or proxy"
    )
    file_mb_max: int = _setting(64, "MiB that a file may have which a station sends")
    station_files_mb: int = _setting(
        256, "MiB of files that are kept of a station; the oldest make room"
    )
    files_kept_days: int = _setting(30, "how many days a file that a station sent is kept")
    partitions: int = _setting(8, "partitions of the event log; fixed once the log exists")
    linger_ms: int = _setting(5, "how long the log gathers frames for one commit")
    heartbeat_seconds: int = _setting(300, "heartbeat interval told to stations")
    price_wait_ms: int = _setting(
        300, "how long the answer to a transaction's end waits for its price; 0: not at all"
    )
    sessions_a_minute: int = _setting(
        30,
        "how many sessions one station may begin in the long run, 600 at once; it is read no"
        " faster; 0: any number",
    )
    tick_seconds: int = _setting(60, "how often the log records that time passed")
    upkeep_seconds: int = _setting(
        60, "how often it is looked what is missing of sessions and of local lists"
    )
    calls_kept_days: int = _setting(
        90, "how many days after its deadline a call to a station is shown; the log has it for ever"
    )
    log: str = _setting("postgres", "where the event log is: `postgres` or `kafka`")
    kafka_bootstrap: str = _setting("", "`host:port,host:port` of Kafka's brokers")
    kafka_topic: str = _setting("wattledger.log", "the event log's topic")
    kafka_decisions_topic: str = _setting(
        "wattledger.decisions", "the topic in which decisions are published"
    )
    kafka_profile: str = _setting(
        "production", "how safe the topics must be: `production`, or `development` for one broker"
    )
    kafka_ca_file: str = _setting("", "PEM file that brokers are checked against; makes it TLS")
    kafka_certificate_file: str = _setting("", "PEM file with our certificate for the brokers")
    kafka_key_file: str = _setting("", "PEM file with its private key")
    kafka_sasl_mechanism: str = _setting("", "`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`")
    kafka_sasl_user: str = _setting("", "our name for the brokers")
    kafka_sasl_password: str = _setting(
        "", "its password; better as a variable than in a file", is_shown=False
    )
    smtp_host: str = _setting("", "the server that takes mails with documents; empty: none is sent")
    smtp_port: int = _setting(587, "its port")
    smtp_encryption: str = _setting("starttls", "`starttls`, `tls` from the first byte, or `none`")
    smtp_user: str = _setting("", "our name for it; empty: it wants no login")
    smtp_password: str = _setting(
        "", "its password; better as a variable than in a file", is_shown=False
    )
    mail_sender: str = _setting("", "the address that mails come from")
    documents_url: str = _setting(
        "", "where readers reach the interface: links to documents begin with it; empty: no links"
    )
    link_days: int = _setting(30, "how many days a link to a document leads there")
    documents_folder: str = _setting(
        "", "folder for the documents of those who get them there; empty: they wait"
    )
    webhook_url: str = _setting("", "where documents are posted; empty: they wait")
    webhook_secret: str = _setting("", "what signs them there", is_shown=False)
    webhook_networks: str = _setting(
        "", "networks that it may be in beside the public internet: `10.0.0.0/8,fd00::/8`"
    )
    roaming_host: str = _setting("127.0.0.1", "address on which roaming partners reach us")
    roaming_port: int = _setting(
        -1, "its port; 0 picks a free one, -1: they come to the HTTP interface, under `/ocpi`"
    )
    roaming_url: str = _setting(
        "",
        "where they reach `/ocpi`: `https://roaming.example/ocpi`; empty: where they were last",
    )
    roaming_private_networks: bool = _setting(
        False, "whether partners may be on private addresses: to try things out, never outside"
    )
    roaming_bounds: str = _setting(
        "",
        "how much each may tell, where not what `docs/roaming.md` has: `tokens=900,sessions=50`",
    )
    stripe_key: str = _setting(
        "",
        "our secret or restricted key for Stripe; empty: invoices wait for bank transfer",
        is_shown=False,
    )
    stripe_webhook_secret: str = _setting(
        "",
        "what Stripe signs webhooks with; `old,new` while it is changed; empty: none are taken",
        is_shown=False,
    )
    stripe_publishable_key: str = _setting(
        "",
        "the key that payers' devices may know; empty: nobody pays at a station without contract",
        is_shown=False,
    )
    stripe_legal_entity: str = _setting(
        "", "whose account it is; empty: the only legal entity that is declared"
    )
    stripe_url: str = _setting("", "where Stripe is; empty: its own address; else a stand-in's")
    metrics_host: str = _setting("127.0.0.1", "address on which health and metrics are told")
    metrics_port: int = _setting(
        METRICS_PORT,
        "port for those of `up`; its parts have the next nine; 0 picks free ones, -1 none",
    )
    oidc_issuer: str = _setting(
        "", "the OpenID provider by whom people may sign in to the console; empty: none"
    )
    oidc_client_id: str = _setting("", "our name for it; people come back to `/console/oidc/back`")
    oidc_client_secret_file: str = _setting(
        "", "file with what proves to it that we are we; empty: nothing does (a public client)"
    )
    log_level: str = _setting("info", "`debug`, `info`, `warning` or `error`")

    def __post_init__(self) -> None:
        """Check what must fit together.

        Raises:
            BadSettingError: If a value is outside its range or a partner is missing.
        """
        size = ("station_files_mb", self.file_mb_max, 1 << 20)
        for name, low, high in (*RANGES, size):
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadSettingError(SETTINGS, name, value, f"between {low} and {high}")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                wanted = f"{', '.join(filter(None, choices[:-1]))} or {choices[-1]}"
                raise BadSettingError(SETTINGS, name, getattr(self, name), wanted)
        if self.log == "kafka" and not self.kafka_bootstrap:
            wanted = "host:port of a broker where the log is in Kafka"
            raise BadSettingError(SETTINGS, "kafka_bootstrap", self.kafka_bootstrap, wanted)
        for name, needed in TOGETHER:
            if getattr(self, name) and not getattr(self, needed):
                raise BadSettingError(SETTINGS, needed, "", f"set where {name} is")
        if self.kafka_decisions_topic == self.kafka_topic:
            wanted = "another topic than kafka_topic, which holds the log alone"
            topic = self.kafka_decisions_topic
            raise BadSettingError(SETTINGS, "kafka_decisions_topic", topic, wanted)
        self._check_addresses()
        self._check_stripe()
        if self.oidc_issuer and not is_guarded(self.oidc_issuer):
            wanted = "an address that begins with https:// (http:// on this machine alone)"
            raise BadSettingError(SETTINGS, "oidc_issuer", self.oidc_issuer, wanted)

    def _check_addresses(self) -> None:
        for name in ("files_url", "documents_url", "webhook_url", "roaming_url"):
            url = getattr(self, name)
            if url and not url.startswith(("https://", "http://")):
                wanted = "an address that begins with https:// or http://"
                raise BadSettingError(SETTINGS, name, url, wanted)
        if self.console_url and not is_origin(self.console_url):
            wanted = (
                "https:// or http:// and a host in lower case, with its port where it is another"
            )
            raise BadSettingError(SETTINGS, "console_url", self.console_url, wanted)
        for name in ("webhook_networks", "trusted_proxies"):
            if not are_networks(getattr(self, name)):
                wanted = "networks with commas between them, as 10.0.0.0/8"
                raise BadSettingError(SETTINGS, name, getattr(self, name), wanted)
        try:
            read_bounds(self.roaming_bounds)
        except BadBoundError as error:
            wanted = f"bounds of what partners tell ({error})"
            raise BadSettingError(SETTINGS, "roaming_bounds", self.roaming_bounds, wanted) from None
        if self.mail_sender and "@" not in self.mail_sender:
            raise BadSettingError(SETTINGS, "mail_sender", self.mail_sender, "an address")
        if self.tls_port >= 0 and not (self.tls_certificate and self.tls_key):
            wanted = "closed (-1), or tls_certificate and tls_key must be set"
            raise BadSettingError(SETTINGS, "tls_port", self.tls_port, wanted)

    def _check_stripe(self) -> None:
        key, shown = self.stripe_key, self.stripe_publishable_key
        # No header holds a line break, as files of secrets have one at their end.
        if key and not re.fullmatch(r"[sr]k_\w+", key, re.ASCII):
            wanted = "a key that begins with sk_ or rk_, without blanks or a line break"
            raise BadSettingError(SETTINGS, "stripe_key", key, wanted)
        mode = "live" if "_live_" in key else "test"
        if shown and not re.fullmatch(rf"pk_{mode}_\w+", shown, re.ASCII):
            wanted = "a key that begins with pk_, of the mode of stripe_key"
            raise BadSettingError(SETTINGS, "stripe_publishable_key", shown, wanted)
        told = self.stripe_webhook_secrets or self.stripe_webhook_secret
        if not all(re.fullmatch(r"whsec_[\w+/=-]+", each, re.ASCII) for each in told):
            wanted = "secrets that begin with whsec_, with a comma between them"
            raise BadSettingError(SETTINGS, "stripe_webhook_secret", "", wanted)
        at = self.stripe_url
        if at and not re.fullmatch(r"https://[^/@?#]+|http://(127\.0\.0\.1|localhost)(:\d+)?", at):
            wanted = "https://HOST or, on this machine alone, http://127.0.0.1:PORT"
            raise BadSettingError(SETTINGS, "stripe_url", at, wanted)

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """What Stripe may sign with, each of them."""
        return tuple(each.strip() for each in self.stripe_webhook_secret.split(",") if each.strip())

    @property
    def console_origin(self) -> str:
        """Scheme and host by which people reach the console, "" where nobody said."""
        return origin_of(self.console_url or self.documents_url)

    def console_at(self, served: str) -> str:
        """Return where people reach the console that is served there, "" where none is."""
        return served and (self.console_origin or served)

    @property
    def files_base(self) -> str:
        """Where stations reach the files, "" where nobody said."""
        if self.files_url or self.files_port <= 0:
            return self.files_url
        return f"{self.files_scheme}://{written_place(self.files_host, self.files_port)}"

    @property
    def roaming_base(self) -> str:
        """Where partners reach us, without a slash at its end."""
        if self.roaming_url:
            return self.roaming_url.rstrip("/")
        is_apart = self.roaming_port >= 0
        host = self.roaming_host if is_apart else self.http_host
        port = self.roaming_port if is_apart else self.http_port
        return f"http://{written_place(host, port)}/ocpi"

    @property
    def files_scheme(self) -> str:
        """How files are served."""
        return "https" if self.tls_certificate and self.tls_key else "http"


_TRUTHS = {"true": True, "1": True, "false": False, "0": False}
_KINDS = {bool: "true or false", int: "a whole number", str: "a text", type(DATA): "a text"}
NAMES = tuple(entry.name for entry in fields(Settings))


def load_settings(
    environment: Mapping[str, str], *, config: Path | None = None, **given: object
) -> Settings:
    """Return the settings: *given* values, over variables, over the file, over the defaults.

    The file is *config*, or `wattledger.toml` in the data folder when there is one. A given value
    of None counts as not given.

    Raises:
        UnknownSettingError: If a variable or the file names a setting that does not exist.
        BadSettingError: If a value does not fit its setting.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    named = {key: value for key, value in environment.items() if key.startswith(PREFIX)}
    known = {PREFIX + name.upper(): name for name in NAMES}
    if unknown := named.keys() - known.keys():
        raise UnknownSettingError(ENVIRONMENT, unknown, known)
    variables = {known[key]: _parsed(ENVIRONMENT, known[key], named[key]) for key in named}
    data = Path(str(chosen.get("data") or variables.get("data") or Settings().data))
    from_file = _read_file(config, data)
    return Settings(**{**from_file, **variables, **chosen, "data": data.absolute()})


def _read_file(config: Path | None, data: Path) -> dict[str, Any]:
    path = config or data / FILE_NAME
    if config is None and not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        message = f"cannot read the settings file {path}: {why}"
        raise DeployError(message) from error
    if unknown := content.keys() - set(NAMES):
        raise UnknownSettingError(str(path), unknown, NAMES)
    if "data" in content and config is None:
        wanted = "left out of the data folder's own file"
        raise BadSettingError(str(path), "data", content["data"], wanted)
    return {name: _checked(str(path), name, value) for name, value in content.items()}


def _parsed(source: str, name: str, text: str) -> object:
    if isinstance(_default(name), bool):
        if text.lower() not in _TRUTHS:
            raise BadSettingError(source, name, text, "true or false")
        return _TRUTHS[text.lower()]
    if isinstance(_default(name), int):
        try:
            return int(text)
        except ValueError:
            raise BadSettingError(source, name, text, "a whole number") from None
    return _checked(source, name, text)


def _checked(source: str, name: str, value: object) -> object:
    default = _default(name)
    if isinstance(default, Path) and isinstance(value, str):
        return Path(value)
    if type(value) is not type(default):
        wanted = _KINDS[type(default)]
        raise BadSettingError(source, name, value, wanted)
    return value


def _default(name: str) -> object:
    default = next(entry.default for entry in fields(Settings) if entry.name == name)
    assert default is not MISSING, name
    return default


def settings_table() -> str:
    """Return the table of settings that README shows, as Markdown."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for entry in fields(Settings):
        default = entry.default
        shown = f"`{str(default).lower() if isinstance(default, bool) else default}`"
        shown = shown if default != "" else "-"
        rows.append(f"| `{entry.name}` | {shown} | {entry.metadata['meaning']} |")
    return "\n".join(rows) + "\n"
