"""Where each way of delivery leads, by the settings; a way that is not set is waited for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ledger.master_data.customers import Delivery
from ledger.network import networks_of
from projections.documents.delivery.folder import FolderWay
from projections.documents.delivery.letter import letter
from projections.documents.delivery.mail import Encryption, LinkAddress, MailServer, MailWay
from projections.documents.delivery.webhook import Webhook, WebhookWay

if TYPE_CHECKING:
    from deploy.settings import Settings
    from projections.documents.delivery.parcel import Way


def ways_of(settings: Settings) -> Mapping[Delivery, Way]:
    """Return the ways that are set."""
    ways: dict[Delivery, Way] = {}
    if settings.smtp_host:
        server = MailServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            sender=settings.mail_sender,
            encryption=cast("Encryption", settings.smtp_encryption),
            user=settings.smtp_user,
            password=settings.smtp_password,
        )
        ways[Delivery.EMAIL] = MailWay(server, letter)
        if settings.documents_url:
            links = LinkAddress(url=settings.documents_url, days=settings.link_days)
            ways[Delivery.LINK] = MailWay(server, letter, links)
    if settings.documents_folder:
        ways[Delivery.FOLDER] = FolderWay(Path(settings.documents_folder))
    if settings.webhook_url:
        webhook = Webhook(
            url=settings.webhook_url,
            secret=settings.webhook_secret,
            networks=networks_of(settings.webhook_networks),
        )
        ways[Delivery.WEBHOOK] = WebhookWay(webhook)
    return ways
