"""Runs a tutorial: its blocks in order, in an empty folder, and looks for the lines that it promises.

```bash                       is given to one shell, in which `cd` and variables go on to the next block
```bash title="install"       is left out: the machine has it already
```LANGUAGE title="FILE"      is written to FILE, in the folder where the shell is
```python                     without a title: is run there
```text title="prints"        lines that the block before it printed, in this order; ... is anything
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from .pages import ROOT, blocks

_END = "--end-of-block--"


class Shell:
    """One bash, to which blocks are given one after another."""

    def __init__(self, folder: Path) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "COLUMNS": "100", "PYTHONPATH": str(ROOT / "src")}
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, commands: str) -> str:
        """What they printed.

        Raises:
            AssertionError: the last of them, or one that `set -e` would stop at, failed.
        """
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(f"{{ {commands}\n}} </dev/null; code=$?; echo; echo {_END} $code\n")
        self._shell.stdin.flush()
        said = []
        for line in self._shell.stdout:
            if line.startswith(_END):
                assert line.split()[-1] == "0", f"{commands}\nfailed:\n{''.join(said)}"
                return "".join(said)
            said.append(line)
        raise AssertionError(f"{commands}\nended the shell:\n{''.join(said)}")

    def close(self) -> None:
        self._shell.kill()
        self._shell.communicate()


def missing(promised: str, printed: str) -> str:
    """The first promised line that did not come after the ones before it; "" if all came."""
    lines = iter(re.sub(r"\x1b\[[0-9;]*m", "", printed).splitlines())
    for line in promised.splitlines():
        pattern = ".*".join(map(re.escape, line.strip().split("..."))).replace(r"\ ", r"\s+")
        if not any(re.fullmatch(rf"\s*{pattern}\s*", said) for said in lines):
            return line
    return ""


def follow(page: Path, folder: Path) -> float:
    """Does what a tutorial says, in `folder`; the seconds that it took."""
    began = time.monotonic()
    shell = Shell(folder)
    printed = ""
    try:
        for block in blocks(page):
            where = f"{page.name}, line {block.line}"
            if block.title == "install":
                continue
            if block.title == "prints":
                lost = missing(block.text, printed)
                assert not lost, f"{where}: {lost!r} was not printed, but:\n{printed}"
            elif block.title:
                home = Path(shell.run("pwd").strip())
                (home / block.title).write_text(block.text, encoding="utf-8")
            elif block.language == "bash":
                printed = shell.run(f"set -e\n{block.text}set +e")
            elif block.language == "python":
                printed = shell.run(f"python - <<'END_OF_PYTHON'\n{block.text}END_OF_PYTHON")
    finally:
        shell.close()
    return time.monotonic() - began
