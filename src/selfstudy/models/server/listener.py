"""Who listens on a port of this machine: what we have started, or somebody else.

Whoever answers first on a port is not for that reason the engine that we have started there: another program,
of another user too, may have taken it.  Linux: from /proc; elsewhere: what psutil may see.  Knows no engine.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal

Standing = Literal["ours", "foreign", "nobody"]

_LISTENING = "0A"
_EXACT = frozenset({"0100007F", "0000000000000000FFFF00000100007F"})
"""127.0.0.1 as /proc/net has it, and inside of IPv6; the kernel prefers a listener on it to one on all
addresses."""
_ALL = frozenset({"0" * 8, "0" * 32})


class Listener:
    """Who gets what is sent to a port of 127.0.0.1.

    Args:
        port: the port.
        root: process id; what is below that process is ours.
    """

    def __init__(self, port: int, root: int) -> None:
        self._port = port
        self._root = root
        self._known: frozenset[str] = frozenset()  # sockets that were ours; their numbers are not used again

    def standing(self) -> Standing:
        """Whose listener gets it; `foreign` too where that cannot be seen."""
        if sys.platform != "linux":
            return _by_psutil(self._port, self._root)
        sockets = _listening(self._port)
        if not sockets:
            return "nobody"
        if not sockets <= self._known:
            self._known = frozenset(_sockets_below(self._root))
        return "ours" if sockets <= self._known else "foreign"


def _listening(port: int) -> set[str]:
    """The sockets that get what is sent to the port, by their numbers."""
    wanted = f"{port:04X}"
    exact, all_addresses = set(), set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError), open(f"/proc/net/{table}", encoding="ascii") as lines:  # noqa: PTH123
            for line in lines:
                fields = line.split(None, 10)
                if len(fields) < 10 or fields[3] != _LISTENING:
                    continue
                address, _, at = fields[1].partition(":")
                if at == wanted and address in _EXACT:
                    exact.add(fields[9])
                elif at == wanted and address in _ALL:
                    all_addresses.add(fields[9])
    return exact or all_addresses


def _sockets_below(root: int) -> set[str]:
    import psutil

    found = set()
    with suppress(psutil.Error):
        for process in psutil.Process(root).children(recursive=True):
            with suppress(OSError):
                for handle in Path(f"/proc/{process.pid}/fd").iterdir():
                    with suppress(OSError):
                        target = os.readlink(handle)  # noqa: PTH115
                        if target.startswith("socket:["):
                            found.add(target[len("socket:[") : -1])
    return found


def _by_psutil(port: int, root: int) -> Standing:
    """Where only our own processes can be looked at: `nobody` if none of them listens."""
    import psutil

    with suppress(psutil.Error):
        for process in psutil.Process(root).children(recursive=True):
            with suppress(psutil.Error):
                for one in process.net_connections("tcp"):
                    if one.status == psutil.CONN_LISTEN and one.laddr.port == port:
                        return "ours"
    return "nobody"
