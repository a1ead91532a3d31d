"""A real Slurm of one node, for as long as a program needs it: munged, slurmctld and slurmd of this machine.

Debian's packages slurm-wlm and munge are enough; no cgroups, no accounting.  Everything lies in one folder,
and only what was started here is ended.  Two partitions: a job in `high` takes the place of one in `low`,
which is put back into the queue.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CONFIGURATION = """\
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
SlurmctldPort={first_port}
SlurmdPort={second_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=30
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=3600
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=low Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=high Nodes={host} MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")


@contextmanager
def one_node(folder: Path) -> Iterator[None]:
    """Its programs find it by $SLURM_CONF meanwhile.

    Raises:
        RuntimeError: a program is missing, or the node is not up within half a minute.
    """
    missing = [name for name in NEEDED if shutil.which(name, path=_path()) is None]
    if missing:
        raise RuntimeError(f"not on this machine: {', '.join(missing)} (Debian: slurm-wlm, munge)")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    first, second = _free_ports(2)
    text = CONFIGURATION.format(
        host=socket.gethostname(),
        user=pwd.getpwuid(os.getuid()).pw_name,
        folder=folder,
        first_port=first,
        second_port=second,
    )
    (folder / "slurm.conf").write_text(text)
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    started: list[subprocess.Popen[bytes]] = []
    try:
        munge = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.sock"]
        munge += [f"--{name}-file={folder}/munged.{name}" for name in ("pid", "log", "seed")]
        for command in (munge, ["slurmctld", "-D", "-c"], ["slurmd", "-D", "-N", socket.gethostname()]):
            with (folder / f"{command[0]}.out").open("wb") as out:
                environment = {**os.environ, "PATH": _path()}
                started.append(
                    subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
                )
            time.sleep(1)
        _wait_until_idle(folder)
        yield
    finally:
        for program in reversed(started):
            with suppress(ProcessLookupError):
                program.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                program.wait(20)
            if program.poll() is None:
                program.kill()
        os.environ.pop("SLURM_CONF", None)


def said(*command: str) -> str:
    """What a program of Slurm's says."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def _wait_until_idle(folder: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with suppress(subprocess.SubprocessError):
            if said("sinfo", "--noheader", "--format=%T").split()[:1] == ["idle"]:
                return
        time.sleep(0.5)
    raise RuntimeError(f"the node is not up: see {folder}/*.log")


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
