"""Sealing what tells of a person, with that person's key.

AES-SIV (RFC 5297, 64 bytes of key) is deterministic: no nonce has to be unique over processes,
restored machines and years, and the same text under the same key is the same bytes, which tells no
more than the subject id beside it does. The subject id is authenticated with it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from msgspec.json import encode
from msgspec.structs import replace

from ledger.errors import LedgerError
from ledger.log.envelope import Frame, PartnerMessage, Sealed

KEY_BYTES: Final = 64
_REFERENCE_CHARACTERS: Final = 32


class Subject(NamedTuple):
    """A person's random id and the key that everything of theirs is sealed with."""

    id: str
    key: bytes


class BrokenSealError(LedgerError):
    """What was sealed is not what was sealed then, or not with this key."""

    def __init__(self, subject_id: str) -> None:
        self.subject_id = subject_id
        super().__init__(f"what is sealed for {subject_id} was changed: it does not open")


def new_subject() -> Subject:
    """Return a subject nobody has: 128 random bits of id, and a key."""
    return Subject(f"p-{secrets.token_hex(16)}", secrets.token_bytes(KEY_BYTES))


def seal(subject: Subject, text: str) -> str:
    """Return *text* (not empty) sealed for *subject*, in base64."""
    return _sealed(AESSIV(subject.key), subject, text)


def _sealed(cipher: AESSIV, subject: Subject, text: str) -> str:
    return base64.b64encode(cipher.encrypt(text.encode(), [subject.id.encode()])).decode()


def unseal(subject: Subject, sealed: str) -> str:
    """Return the text that was sealed.

    Raises:
        BrokenSealError: If *sealed* was not made for this subject with this key.
    """
    return unsealer(subject)(sealed)


def unsealer(subject: Subject) -> Callable[[str], str]:
    """Return what does `unseal` for *subject*: to set up the key is most of the work of one."""
    cipher, associated = AESSIV(subject.key), [subject.id.encode()]

    def opened(sealed: str) -> str:
        try:
            raw = base64.b64decode(sealed, validate=True)
            return cipher.decrypt(raw, associated).decode()
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise BrokenSealError(subject.id) from error

    return opened


def seal_bytes(subject: Subject, content: bytes) -> bytes:
    """Return *content* (not empty, up to 2 GiB) sealed for *subject*: 16 bytes longer."""
    return AESSIV(subject.key).encrypt(content, [subject.id.encode()])


def unseal_bytes(subject: Subject, sealed: bytes) -> bytes:
    """Return the content that was sealed by `seal_bytes`.

    Raises:
        BrokenSealError: If *sealed* was not made for this subject with this key.
    """
    try:
        return AESSIV(subject.key).decrypt(sealed, [subject.id.encode()])
    except (InvalidTag, ValueError) as error:
        raise BrokenSealError(subject.id) from error


def placeholder(subject_id: str) -> str:
    """Return what stands where a JSON value of a person's was cut out: JSON too."""
    return encode(subject_id).decode()


class SubjectCut(NamedTuple):
    """A value to cut out of a text: where it stands, and whose it is."""

    start: int
    end: int
    subject: Subject
    is_odd: bool = False


def cut_text(text: str, cuts: Iterable[SubjectCut]) -> tuple[str, tuple[Sealed, ...]]:
    """Return *text* with *cuts* (in order, apart) replaced by subject ids, and what was cut."""
    kept: list[str] = []
    sealed: list[Sealed] = []
    at = length = 0
    # To set up a key is most of the work of sealing.
    ciphers: dict[Subject, AESSIV] = {}
    for cut in cuts:
        cipher = ciphers.get(cut.subject)
        if cipher is None:
            cipher = ciphers[cut.subject] = AESSIV(cut.subject.key)
        stands = placeholder(cut.subject.id)
        before = text[at : cut.start]
        length += len(before)
        shut = _sealed(cipher, cut.subject, text[cut.start : cut.end])
        sealed.append(Sealed(subject=cut.subject.id, at=length, cut=shut, is_odd=cut.is_odd))
        kept += [before, stands]
        length += len(stands)
        at = cut.end
    return "".join([*kept, text[at:]]), tuple(sealed)


class Restored(NamedTuple):
    """A text with what its keys opened back in place, and what stayed shut in it."""

    text: str
    shut: tuple[Sealed, ...]


def restored(text: str, sealed: Iterable[Sealed], keys: Mapping[str, bytes]) -> Restored:
    """Return *text* with what was *sealed* back in its place, where its key is among *keys*.

    Raises:
        BrokenSealError: If something was changed.
    """
    pieces: list[str] = []
    shut: list[Sealed] = []
    at = length = 0
    for part in sealed:
        stands = placeholder(part.subject)
        if part.at < at or not text.startswith(stands, part.at):
            raise BrokenSealError(part.subject)
        before = text[at : part.at]
        length += len(before)
        if part.subject in keys:
            original = unseal(Subject(part.subject, keys[part.subject]), part.cut)
        else:
            original = stands
            shut.append(replace(part, at=length))
        pieces += [before, original]
        length += len(original)
        at = part.at + len(stands)
    return Restored("".join([*pieces, text[at:]]), tuple(shut))


def opened(frame: Frame, keys: Mapping[str, bytes]) -> Frame:
    """Return *frame* as it came, as far as *keys* reach; what stays shut stays in `sealed`.

    Raises:
        BrokenSealError: If it does not come back as it was.
    """
    text, rest = _opened(frame.frame, frame, keys)
    return replace(frame, frame=text, **rest)


def opened_message(message: PartnerMessage, keys: Mapping[str, bytes]) -> PartnerMessage:
    """Return *message* as it came, as `opened` does with a frame.

    Raises:
        BrokenSealError: If it does not come back as it was.
    """
    text, rest = _opened(message.body, message, keys)
    return replace(message, body=text, **rest)


def _opened(
    text: str, line: Frame | PartnerMessage, keys: Mapping[str, bytes]
) -> tuple[str, dict[str, Any]]:
    """Return the *text* of a line as it came, and what the line's other fields are then."""
    original, shut = restored(text, line.sealed, keys)
    if line.hmac is not None and line.sealed and not shut:
        first = line.sealed[0].subject
        if not hmac.compare_digest(line.hmac, frame_hmac(keys[first], original)):
            raise BrokenSealError(first)
    reply, reply_shut = restored(line.reply or "", line.reply_sealed, keys)
    return original, {
        "reply": None if line.reply is None else reply,
        "sealed": shut,
        "reply_sealed": reply_shut,
        "hmac": line.hmac if len(shut) == len(line.sealed) else None,
    }


def frame_hmac(key: bytes, frame: str) -> str:
    """Return the hash of a frame as it came, keyed: HMAC-SHA256, in hex.

    A plain hash would let anyone find an erased token by trying them all: an RFID card has few.
    """
    return hmac.new(key, frame.encode(), hashlib.sha256).hexdigest()


def blob_reference(subject: Subject, content: bytes) -> str:
    """Return the name of a blob: the same content of the same person has the same."""
    digest = hmac.new(subject.key, b"blob:" + content, hashlib.sha256).hexdigest()
    return f"b-{digest[:_REFERENCE_CHARACTERS]}"
