"""As whom PostgreSQL runs: it refuses to be root.

An ordinary user runs it as themselves. Root hands it to an unprivileged account. Where folders above the
checkout are private to root, that account cannot reach its own files; those folders are never opened to
others. Instead the server gets the one capability to pass through them, or a user namespace in which root's
files are its own.
"""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from .errors import StackError

ACCOUNTS = ("postgres", "nobody")
# A change of user makes the kernel forget what a child asked for (children.py), so setpriv asks again.
ORPHAN_SIGNAL = "--pdeathsig=INT"


@dataclass(frozen=True)
class Way:
    """One way to run a program without root's rights: words before the command, and who owns its files
    then.
    """

    name: str
    prefix: tuple[str, ...] = ()
    owner: tuple[int, int] | None = None  # None: whoever runs this


def ways() -> list[Way]:
    """The ways that this machine may allow, the one with the fewest rights first."""
    if os.geteuid() != 0:
        return [Way("as yourself")]
    account = _account()
    owner = (account.pw_uid, account.pw_gid)
    found = []
    if setpriv := shutil.which("setpriv"):
        drop = (
            setpriv,
            f"--reuid={account.pw_uid}",
            f"--regid={account.pw_gid}",
            "--clear-groups",
            ORPHAN_SIGNAL,
        )
        found.append(Way(f"as {account.pw_name}", (*drop, "--bounding-set=-all", "--inh-caps=-all"), owner))
        for capability in ("dac_read_search", "dac_override"):
            found.append(
                Way(
                    f"as {account.pw_name} with {capability}",
                    (
                        *drop,
                        # access(2) judges by the real user and ignores capabilities unless this bit is set.
                        "--securebits=+no_setuid_fixup",
                        f"--bounding-set=-all,+{capability}",
                        f"--inh-caps=-all,+{capability}",
                        f"--ambient-caps=+{capability}",
                    ),
                    owner,
                )
            )
    if unshare := shutil.which("unshare"):
        words = (unshare, "--user", f"--map-user={account.pw_uid}", f"--map-group={account.pw_gid}")
        found.append(
            Way("in a user namespace", (*words, *((setpriv, ORPHAN_SIGNAL) if setpriv else ())), (0, 0))
        )
    return found


def _account() -> pwd.struct_passwd:
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StackError(
        f"PostgreSQL does not run as root, and this machine has none of the accounts {', '.join(ACCOUNTS)}: "
        "run as an ordinary user, or set DATABASE_URL to a PostgreSQL server"
    )


def give(folder: Path, owner: tuple[int, int] | None) -> None:
    """Make `owner` the owner of `folder` and of everything in it."""
    if owner is None or folder.stat().st_uid == owner[0]:
        return
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, *owner, follow_symlinks=False)
