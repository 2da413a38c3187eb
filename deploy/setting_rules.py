"""What settings must be to fit together, as tables."""

from __future__ import annotations

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
