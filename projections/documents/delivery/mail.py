"""The ways by e-mail: the document attached, or a link to it, over SMTP.

A server that was not given a message has none: until DATA is said, whatever goes wrong, nothing has
arrived, and it is tried again. From there on only the server's answer says what became of it; where
none comes, nobody can tell, and a person decides. The Message-ID is the same at each attempt.
Source: RFC 5321, sections 3.3, 4.2.5 and 6.1.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from hashlib import sha256
from typing import Any, Final, Literal, Protocol

from psycopg import Connection

from projections.documents.delivery.folder import file_name
from projections.documents.delivery.links import PATH, make_link
from projections.documents.delivery.parcel import NotDeliveredError, Parcel
from tariffs.phrases.printable import printable

_TAKEN: Final = 250
_FOR_GOOD: Final = 500
Encryption = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mails are handed in, and in whose name. `user` empty: it wants no login.

    `seconds_max`: how long it may take for each answer.
    """

    host: str
    port: int
    sender: str
    encryption: Encryption = "starttls"
    user: str = ""
    password: str = ""
    seconds_max: float = 30.0


class Letter(Protocol):
    """Says in the reader's language what a mail says."""

    def __call__(self, parcel: Parcel, link: str | None, /) -> tuple[str, str]:
        """Return the subject and the text; *link* None: the document is attached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAddress:
    """Where links lead: the interface as readers reach it, and for how many days."""

    url: str
    days: int


class MailWay:
    """Sends documents by e-mail: attached, or where there is a `LinkAddress`, as a link."""

    def __init__(
        self, server: MailServer, letter: Letter, links: LinkAddress | None = None
    ) -> None:
        self._server, self._letter, self._links = server, letter, links

    def deliver(
        self, connection: Connection[Any], parcel: Parcel, may_arrive: Callable[[], None], /
    ) -> None:
        """Send *parcel*.

        Raises:
            NotDeliveredError: If the server has surely no message of it.
        """
        recipient = parcel.reader.email
        if not recipient:
            why = "no e-mail address is declared"
            raise NotDeliveredError(why)
        link = None
        if self._links is not None:
            token = make_link(connection, parcel.kept.number, days=self._links.days)
            link = f"{self._links.url.rstrip('/')}{PATH}/{token}"
        try:
            message = mail_of(parcel, self._server.sender, recipient, *self._letter(parcel, link))
            if link is None:
                attach(message, parcel)
        except (ValueError, MessageError) as error:
            why = "the address cannot stand in a mail"
            raise NotDeliveredError(why, is_final=True) from error
        smtp = _opened(self._server)
        try:
            _hand_over(smtp, self._server.sender, recipient, message, may_arrive)
        finally:
            # It has its answer: how the conversation ends changes nothing.
            with suppress(OSError, smtplib.SMTPException):
                smtp.quit()
            smtp.close()


def mail_of(parcel: Parcel, sender: str, recipient: str, subject: str, text: str) -> EmailMessage:
    """Return the mail without an attachment; the same bytes at each attempt but for its date.

    Raises:
        ValueError: If an address has characters that would end a header.
    """
    message = EmailMessage(policy=SMTP)
    message["Message-ID"] = message_id(parcel.key, sender)
    message["Date"] = parcel.attempt.began_at
    message["From"] = _address(sender, _in_a_header(parcel.document.seller.name))
    message["To"] = _address(recipient)
    message["Subject"] = _in_a_header(subject)
    # RFC 3834: no out-of-office reply is wanted.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _in_a_header(text: str) -> str:
    """Return *text* as a header says it.

    What looks like an encoded word (RFC 2047) is broken up: `email` decodes it as it folds, and a
    line feed in it would begin another header, such as one more recipient.
    """
    return printable(text).replace("=?", "= ?")


def attach(message: EmailMessage, parcel: Parcel) -> None:
    """Attach the document to *message*."""
    name = file_name(parcel.kept.number, "pdf")
    message.add_attachment(parcel.kept.pdf, maintype="application", subtype="pdf", filename=name)


def _address(text: str, name: str = "") -> Address:
    local, _, domain = text.rpartition("@")
    if not (local and domain) or not text.isprintable() or " " in text:
        message = "no address has this form"
        raise ValueError(message)
    return Address(name, username=local, domain=domain)


def message_id(key: str, sender: str) -> str:
    """Return the Message-ID of the delivery *key*: the same whenever it is sent again."""
    return f"<{sha256(key.encode()).hexdigest()[:32]}@{sender.rpartition('@')[2]}>"


def _opened(server: MailServer) -> smtplib.SMTP:
    """Return a connection on which a mail can be handed in.

    Raises:
        NotDeliveredError: If there is none.
    """
    try:
        context = ssl.create_default_context()
        if server.encryption == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=server.seconds_max, context=context
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=server.seconds_max)
    except (OSError, smtplib.SMTPException) as error:
        raise NotDeliveredError(_why(error), is_away=True) from error
    try:
        if server.encryption == "starttls":
            smtp.starttls(context=context)
        smtp.ehlo_or_helo_if_needed()
        if server.user:
            smtp.login(server.user, server.password)
    except (OSError, smtplib.SMTPException) as error:
        smtp.close()
        raise NotDeliveredError(_why(error), is_away=True) from error
    return smtp


def _hand_over(
    smtp: smtplib.SMTP,
    sender: str,
    recipient: str,
    message: EmailMessage,
    may_arrive: Callable[[], None],
) -> None:
    try:
        content, options = _in_bytes(smtp, message, sender, recipient)
        _expect(smtp.mail(sender, options))
        _expect(smtp.rcpt(recipient))
    except (OSError, smtplib.SMTPException) as error:
        raise NotDeliveredError(_why(error)) from error
    may_arrive()
    try:
        _expect(smtp.data(content))
    except smtplib.SMTPDataError as error:  # the server wanted no content at all
        raise NotDeliveredError(_why(error), is_final=error.smtp_code >= _FOR_GOOD) from error


def _in_bytes(
    smtp: smtplib.SMTP, message: EmailMessage, sender: str, recipient: str
) -> tuple[bytes, list[str]]:
    """Return the mail as it is sent, and what MAIL says of it."""
    if (sender + recipient).isascii():
        return message.as_bytes(), []
    if not smtp.has_extn("smtputf8"):
        why = "the server takes no address with other letters than ASCII's (SMTPUTF8)"
        raise NotDeliveredError(why, is_final=True)
    return message.as_bytes(policy=SMTPUTF8), ["SMTPUTF8", "BODY=8BITMIME"]


def _expect(answer: tuple[int, bytes]) -> None:
    """Raise unless the server agreed; it answered, so it has no message.

    Raises:
        NotDeliveredError: With the answer's code alone: its words may name the reader.
    """
    code, words = answer
    if code != _TAKEN and code != _TAKEN + 1:
        raise NotDeliveredError(_code(code, words), is_final=code >= _FOR_GOOD)


def _why(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        raw = error.smtp_error
        return _code(error.smtp_code, raw if isinstance(raw, bytes) else raw.encode())
    return f"the server cannot be used: {type(error).__name__}"


def _code(code: int, words: bytes) -> str:
    """Return an answer's code with its enhanced one (RFC 3463), without its words."""
    first = words.split(maxsplit=1)[:1]
    enhanced = first[0].decode("ascii", "replace") if first else ""
    is_one = enhanced.replace(".", "").isdigit() and enhanced.count(".") == 2  # noqa: PLR2004
    return f"SMTP {code} {enhanced}" if is_one else f"SMTP {code}"
