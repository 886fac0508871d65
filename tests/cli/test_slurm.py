"""The job array of examples/cluster on a real Slurm: a controller, a node and its authentication of
their own, in a temporary folder, on this machine. Skipped where Slurm is not installed."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import support
from support import clip, run

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "munged")
SBIN = "/usr/sbin:/usr/local/sbin"
SHARDS = 3
FRAMES = 60
COMMON = ("--segment-frames", 10, "--encoder-threads", 1)

CONFIGURATION = """ClusterName=vrseg
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmdParameters=config_overrides
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
ReturnToService=2
InactiveLimit=0
KillWait=2
MinJobAge=3600
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES State=UP MaxTime=INFINITE
"""


def missing() -> str:
    """Why there can be no Slurm here; empty if there can."""
    path = os.environ.get("PATH", "") + ":" + SBIN
    lacking = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if lacking:
        return f"{', '.join(lacking)} missing: Debian's slurm-wlm and munge (`make check-full`)"
    if os.geteuid() != 0:
        return "slurmd starts jobs of other users, so it runs as root"
    return ""


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """A Slurm of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: list[subprocess.Popen] = []
        self.host = socket.gethostname().split(".")[0]
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.env = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"),
                                 "PATH": os.environ.get("PATH", "") + ":" + SBIN}

    def daemon(self, *command: object) -> None:
        """Starts one in the foreground, so that it ends with the test."""
        with (self.folder / "daemons.log").open("ab") as log:
            self.daemons.append(subprocess.Popen(
                [str(word) for word in command], env=self.env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True))

    def client(self, *command: object) -> subprocess.CompletedProcess:
        """A command of the user's."""
        return subprocess.run([str(word) for word in command], env=self.env, capture_output=True,
                              text=True, check=False, timeout=support.PATIENCE)

    def start(self) -> None:
        """Authentication, controller and node, and waits until the node takes jobs."""
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        controller, node = free_ports(2)
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(
            host=self.host, user=self.user, controller=controller, node=node,
            folder=self.folder))
        (self.folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
        self.daemon("munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket",
                    f"--key-file={key}", f"--pid-file={self.folder}/munge.pid",
                    f"--seed-file={self.folder}/munge.seed",
                    f"--log-file={self.folder}/munge.log")
        self.wait("munged", lambda: (self.folder / "munge.socket").exists())
        self.daemon("slurmctld", "-D", "-i", "-f", self.folder / "slurm.conf")
        self.wait("slurmctld", lambda: "UP" in self.client("scontrol", "ping").stdout)
        self.daemon("slurmd", "-D", "-N", self.host, "-f", self.folder / "slurm.conf")
        self.wait("slurmd", lambda: "State=IDLE" in self.client(
            "scontrol", "show", "node", self.host).stdout)

    def wait(self, what: str, ready) -> None:
        """Until something is so. Fails with the logs where a daemon has ended before."""
        for _ in range(10 * support.PATIENCE):
            if ready():
                return
            ended = [d for d in self.daemons if d.poll() is not None]
            if ended:
                break
            time.sleep(0.1)
        raise AssertionError(f"{what} does not get ready:\n{self.logs()}")

    def logs(self) -> str:
        """The last lines of every log."""
        text = ""
        for path in sorted(self.folder.glob("*.log")):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            text += f"--- {path.name}\n" + "\n".join(lines) + "\n"
        return text

    def job(self, *command: object) -> str:
        """Queues a job; its number."""
        done = self.client("sbatch", "--parsable", *command)
        if done.returncode != 0:
            raise AssertionError(f"sbatch: {done.stderr}\n{self.logs()}")
        return done.stdout.strip()

    def states(self, job: str) -> list[str]:
        """Of a job's tasks, those that have ended among them."""
        done = self.client("squeue", "--noheader", "--array", "--states=all", "--format=%T",
                           "--jobs", job)
        return done.stdout.split()

    def stop(self) -> None:
        """Ends what was started, the last first."""
        self.client("scancel", "--user", self.user)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=30)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def decoded(path: Path) -> str:
    """Checksums and times of all frames of a video."""
    return subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-f",
                           "framemd5", "-"], capture_output=True, text=True, check=True,
                          timeout=support.PATIENCE).stdout


class Slurm(support.CliTest):
    def setUp(self) -> None:
        super().setUp()
        folder = self.folder / "slurm"
        folder.mkdir()
        folder.chmod(0o755)
        self.folder.chmod(0o755)
        self.cluster = Cluster(folder)
        self.addCleanup(self.cluster.stop)
        self.cluster.start()
        self.clip = clip(self.folder / "in.mp4", FRAMES, size="320x180")

    def array(self, tasks: str, output: Path, *args: object) -> str:
        """Queues the example's job array."""
        script = support.SOURCE / "examples" / "cluster" / "shards.slurm"
        return self.cluster.job(
            f"--array={tasks}", "--cpus-per-task=1", f"--output={self.folder}/task-%a.log",
            "--export=ALL", f"--chdir={self.folder}", script, self.clip, output, *args)

    def end_of(self, job: str, count: int) -> list[str]:
        """The states of all its tasks once they have ended."""
        running = {"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "REQUEUED"}
        states: list[str] = []

        def ended() -> bool:
            states[:] = self.cluster.states(job)
            return len(states) == count and not running.intersection(states)

        self.cluster.wait(f"job {job}", ended)
        return states

    def said(self) -> str:
        """What the tasks wrote."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def test_shards_of_a_job_array(self) -> None:
        """Each task makes a shard, a last job joins them: the frames are those of one run."""
        whole, output = self.folder / "whole.mkv", self.out / "o.mkv"
        done = run("run", self.clip, "-o", whole, *COMMON)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.cluster.env["VRSEG"] = support.PROGRAM
        job = self.array(f"1-{SHARDS}", output, *COMMON)
        join = self.cluster.job(f"--dependency=afterok:{job}", "--cpus-per-task=1",
                                f"--output={self.folder}/join.log",
                                f"--wrap={support.PROGRAM} join {output}")
        self.assertEqual(self.end_of(job, SHARDS), ["COMPLETED"] * SHARDS, self.said())
        self.assertEqual(self.end_of(join, 1), ["COMPLETED"], self.said())
        self.assert_left("o.mkv")
        self.assertEqual(decoded(output), decoded(whole))

    def test_a_wrong_array_fails(self) -> None:
        """Tasks that do not count from 1 end at once and make nothing."""
        self.cluster.env["VRSEG"] = support.PROGRAM
        job = self.array("2-3", self.out / "o.mkv", *COMMON)
        self.assertEqual(self.end_of(job, 2), ["FAILED"] * 2)
        self.assertIn("the array must be 1-N", self.said())
        self.assert_left()


if __name__ == "__main__":
    REASON = missing()
    if REASON:
        print(f"skipped: {REASON}")
        sys.exit(support.SKIPPED)
    support.main(needs_engine=True)
