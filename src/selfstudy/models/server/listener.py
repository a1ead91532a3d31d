"""Who listens on a port of this machine: what we have started, or somebody else.

Whoever answers first on a port is not for that reason the engine that we have started there: another program,
of another user too, may have taken it.  Linux: from /proc; elsewhere: what psutil may see.  Knows no engine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
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
        self._held: dict[Path, str] = {}  # open files of ours that are the listening socket

    def standing(self) -> Standing:
        """Whose listener gets it; `foreign` too where that cannot be seen."""
        if sys.platform != "linux":
            return _by_psutil(self._port, self._root)
        if any(_target(handle) == socket for handle, socket in self._held.items()):
            return "ours"  # as long as it is open, no other user can listen there
        sockets = {f"socket:[{number}]" for number in _listening(self._port)}
        if not sockets:
            return "nobody"
        held = {handle: socket for handle, socket in _sockets_below(self._root) if socket in sockets}
        if set(held.values()) != sockets:
            return "foreign"
        self._held = held
        return "ours"


def _listening(port: int) -> set[str]:
    """The sockets that get what is sent to the port, by their numbers."""
    wanted = f":{port:04X}"
    exact, all_addresses = set(), set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError), open(f"/proc/net/{table}", encoding="ascii") as lines:  # noqa: PTH123
            for line in lines:
                if wanted not in line:
                    continue
                fields = line.split()
                address = fields[1].removesuffix(wanted)
                if fields[3] == _LISTENING and address in _EXACT:
                    exact.add(fields[9])
                elif fields[3] == _LISTENING and address in _ALL:
                    all_addresses.add(fields[9])
    return exact or all_addresses


def _sockets_below(root: int) -> Iterator[tuple[Path, str]]:
    """Open sockets of the processes below `root`: the file in /proc, and what it points to."""
    import psutil

    with suppress(psutil.Error):
        for process in psutil.Process(root).children(recursive=True):
            with suppress(OSError):
                for handle in Path(f"/proc/{process.pid}/fd").iterdir():
                    if (target := _target(handle)).startswith("socket:"):
                        yield handle, target


def _target(handle: Path) -> str:
    try:
        return os.readlink(handle)  # noqa: PTH115 - it is no path
    except OSError:
        return ""


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
