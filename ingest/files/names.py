"""The name of a file that a station sends: nothing that a shell, a browser or a folder minds.

"../../etc/passwd"      -> "passwd"
"diag 1;rm -rf.tar.gz"  -> "diag_1_rm_-rf.tar.gz"
".bashrc", "", None     -> "bashrc", "file", "file"
"""

from __future__ import annotations

import re
from typing import Final

NAME_MAX: Final = 100
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")
_NAMELESS: Final = "file"


def safe_name(said: str | None) -> str:
    """Return what a file is called that is said to be *said*; of a long name the end is kept."""
    last = re.split(r"[/\\]", said or "")[-1]
    return _ODD.sub("_", last).lstrip(".-")[-NAME_MAX:].lstrip(".-") or _NAMELESS
