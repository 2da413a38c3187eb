"""What settings must be to fit together, as tables."""

from __future__ import annotations

from ipaddress import ip_network
from urllib.parse import urlsplit

SECRETS = (
    "database_url",
    "kafka_sasl_password",
    "smtp_password",
    "stripe_key",
    "stripe_publishable_key",
    "stripe_webhook_secret",
    "webhook_secret",
)
"""Those that no message and no trace shows."""
TOGETHER = (
    ("kafka_certificate_file", "kafka_ca_file"),
    ("kafka_certificate_file", "kafka_key_file"),
    ("kafka_key_file", "kafka_certificate_file"),
    ("kafka_sasl_mechanism", "kafka_sasl_user"),
    ("kafka_sasl_mechanism", "kafka_sasl_password"),
    ("kafka_sasl_user", "kafka_sasl_mechanism"),
    ("kafka_sasl_password", "kafka_sasl_mechanism"),
    ("oidc_issuer", "oidc_client_id"),
    ("oidc_client_id", "oidc_issuer"),
    ("oidc_client_secret_file", "oidc_issuer"),
    ("smtp_host", "mail_sender"),
    ("smtp_user", "smtp_password"),
    ("webhook_url", "webhook_secret"),
    ("stripe_webhook_secret", "stripe_key"),
    ("stripe_publishable_key", "stripe_key"),
)
"""Who has the first but not the second would connect otherwise than he means."""
RANGES = (
    ("listen_port", -1, 65535),
    ("tls_port", -1, 65535),
    ("http_port", -1, 65535),
    ("files_port", -1, 65535),
    ("file_mb_max", 1, 4096),
    ("files_kept_days", 1, 3650),
    ("roaming_port", -1, 65535),
    ("metrics_port", -1, 65526),
    ("smtp_port", 1, 65535),
    ("link_days", 1, 3650),
    ("partitions", 1, 256),
    ("linger_ms", 0, 1000),
    ("database_idle_seconds", 0, 86_400),
    ("heartbeat_seconds", 1, 86_400),
    ("price_wait_ms", 0, 5000),
    ("sessions_a_minute", 0, 60_000),
    ("tick_seconds", 1, 3600),
    ("upkeep_seconds", 1, 3600),
    ("calls_kept_days", 1, 3650),
)
"""The least and the most that a number may be."""
CHOICES = {
    "log_level": ("debug", "info", "warning", "error"),
    "log": ("postgres", "kafka"),
    "kafka_profile": ("production", "development"),
    "kafka_sasl_mechanism": ("", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    "smtp_encryption": ("starttls", "tls", "none"),
}


def is_guarded(address: str) -> bool:
    """Say whether what goes to an address is read by nobody on its way."""
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and (
            parts.scheme == "https"
            or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"})
        )
    except ValueError:
        return False


def are_networks(text: str) -> bool:
    """Say whether *text* is networks, or addresses, with commas between them, or nothing."""
    try:
        for each in filter(None, text.split(",")):
            ip_network(each.strip())
    except ValueError:
        return False
    return True


def origin_of(address: str) -> str:
    """Return scheme and host of an *address* as browsers say them, "" where it has none."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
        # Browsers know letters of other scripts by another name (IDNA).
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        return ""
    host = f"[{host}]" if ":" in host else host
    is_usual = port in {None, {"http": 80, "https": 443}.get(parts.scheme)}
    return f"{parts.scheme}://{host}" + ("" if is_usual else f":{port}") if host else ""


def is_origin(address: str) -> bool:
    """Say whether *address* is scheme and host as browsers say them, and nothing more."""
    is_web = address.startswith(("https://", "http://"))
    return is_web and origin_of(address) == address.rstrip("/")
