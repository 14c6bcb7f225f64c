"""A Slurm of one node on loopback, run by the user of the tests: munged, slurmctld, slurmd in a temporary folder."""

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

SBIN = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
DAEMONS = ("munged", "slurmctld", "slurmd")
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={node}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
KillWait=2
MinJobAge=600
NodeName={node} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def lacking() -> list[str]:
    """Programs of Slurm and munge that are not installed."""
    return [name for name in (*DAEMONS, "sbatch") if shutil.which(name, path=SBIN) is None]


class Slurm:
    """Context in which jobs run; `environment` is what its commands and jobs need.

    More CPUs are declared than a small machine has, so that jobs run side by side. A job that was sent back to the
    queue starts again after ``cred_expire`` seconds.
    """

    def __init__(self, cpus: int = 4) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # short: the path of a socket is
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self.daemons: dict[str, subprocess.Popen] = {}
        with socket.socket() as one, socket.socket() as two:
            for each in (one, two):
                each.bind(("127.0.0.1", 0))
            ports = [each.getsockname()[1] for each in (one, two)]
        for name in ("munge", "spool", "state"):
            (self.folder / name).mkdir(mode=0o700)
        (self.folder / "munge" / "key").write_bytes(os.urandom(128))
        (self.folder / "munge" / "key").chmod(0o600)
        self.node = os.uname().nodename.split(".")[0]
        settings = {"node": self.node, "user": getpass.getuser(), "folder": self.folder}
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(ports=ports, cpus=cpus, **settings))

    def start(self, name: str, *arguments: str) -> None:
        """Start a daemon in the foreground, its output in ``<name>.log``."""
        with (self.folder / f"{name}.log").open("a") as log:
            self.daemons[name] = subprocess.Popen(
                [shutil.which(name, path=SBIN) or name, *arguments], env=os.environ | self.environment,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> "Slurm":
        keys = self.folder / "munge"
        self.start(
            "munged", "--foreground", "--force", f"--key-file={keys}/key", f"--socket={self.folder}/munge.sock",
            f"--pid-file={keys}/pid", f"--log-file={keys}/log", f"--seed-file={keys}/seed",
        )  # fmt: skip
        self.start("slurmctld", "-D")
        self.start("slurmd", "-D")
        deadline = time.monotonic() + 30
        while self("sinfo", "--noheader", "--format=%T").strip() != "idle":
            if time.monotonic() > deadline or any(d.poll() is not None for d in self.daemons.values()):
                logs = "".join(p.read_text()[-500:] for p in self.folder.glob("*.log"))
                self.__exit__()
                raise OSError(f"Slurm does not start: {logs}")
            time.sleep(0.2)
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __call__(self, *command: str) -> str:
        """Output of one of Slurm's commands."""
        return subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True).stdout

    def kill(self, *kept: str) -> None:
        """kill -9 of every process but some daemons and their children; Slurm's first, so that it reports nothing."""
        spared = {str(self.daemons[name].pid) for name in kept}
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it may have ended
                name, parent = re.match(r"\d+ \((.*)\) . (\d+)", (folder / "stat").read_text()).groups()
                ours = str(self.folder) in (folder / "environ").read_text(errors="replace")  # SLURM_CONF
                if ours and not spared & {folder.name, parent}:
                    found.append((not name.startswith("slurm"), int(folder.name)))
        for _, pid in sorted(found):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for name in set(self.daemons) - set(kept):
            self.daemons[name].wait()

    def lose_node(self) -> None:
        """Once a job runs, the node fails with all its jobs, Slurm notices, and the node comes back."""
        deadline = time.monotonic() + 120
        while not self("squeue", "--noheader", "--states=running"):  # a job that was sent back waits for `cred_expire`
            assert time.monotonic() < deadline, self("squeue")
            time.sleep(0.2)
        self.kill("munged", "slurmctld")
        self("scontrol", "update", f"NodeName={self.node}", "State=DOWN", "Reason=lost")
        self.start("slurmd", "-D")

    def wait(self, seconds: float) -> None:
        """Wait until no job is left."""
        deadline = time.monotonic() + seconds
        while jobs := self("squeue", "--noheader"):
            assert time.monotonic() < deadline, jobs
            time.sleep(0.5)
