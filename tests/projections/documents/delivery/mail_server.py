"""A real SMTP server on 127.0.0.1 that keeps what it takes, and can be told to misbehave."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from projections.documents.delivery.mail import Encryption, MailServer

SENDER = "billing@operator.example"


@dataclass
class PostBox:
    """What came, and how the server behaves: an answer at RCPT or after DATA; to break off."""

    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    at_recipient: str = "250 2.1.5 OK"
    after_data: str = "250 2.0.0 OK"
    breaks_off: bool = False
    """Take the message, and be gone without an answer."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: object
    ) -> str:
        """Answer to a recipient."""
        if self.at_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.at_recipient

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Answer to a message."""
        content = envelope.content
        assert isinstance(content, bytes)
        if self.after_data.startswith("250"):
            message = message_from_bytes(content, _class=EmailMessage, policy=default)
            self.taken.append((list(envelope.rcpt_tos), message))
        if self.breaks_off:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return self.after_data

    @property
    def ids(self) -> list[str]:
        """Return the Message-IDs of what was taken, in its order."""
        return [str(message["Message-ID"]) for _, message in self.taken]


def free_port() -> int:
    """Return a port of this machine that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@contextmanager
def mail_server(
    box: PostBox,
    *,
    tls: ssl.SSLContext | None = None,
    password: str = "",
    takes_utf8: bool = True,
) -> Iterator[MailServer]:
    """Serve *box*; yield what leads there. With *tls*, nothing is taken before STARTTLS."""

    def check(
        _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword), mechanism
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == ("operator", password))

    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=free_port(),
        enable_SMTPUTF8=takes_utf8,
        tls_context=tls,
        require_starttls=tls is not None,
        auth_required=bool(password),
        auth_require_tls=tls is not None,
        authenticator=check if password else None,
    )
    controller.start()
    encryption: Encryption = "none" if tls is None else "starttls"
    try:
        yield MailServer(
            host="127.0.0.1",
            port=controller.port,
            sender=SENDER,
            encryption=encryption,
            user="operator" if password else "",
            password=password,
            seconds_max=2.0,
        )
    finally:
        controller.stop()
