"""Disks, networks and the way to a login: the same Debian image on our machine and on QEMU's, driven over
ssh through a forwarded port. fio and iperf3 in the guest do the work; `make bench` has the image made.

A row's value is the time for a fixed amount of work, from the rate that the tool measured: 64 MiB of a
disk in order, 1000 requests of 4 KiB at random, 100 MB through a TCP connection.

All images are in the host's page cache when they are used, which is seen to before each row: hosts drop
pages that were left alone, and a row would then be one of the host's disk. QEMU has the disk twice, served by
its main loop and by a thread of its own, since neither is best for all rows: the better one counts.
"""

import json
import os
import shutil
import socket
import subprocess
import time

from console import Problem

MEMORY_MIB, SCRATCH_MIB, SECONDS = 1024, 512, 3
APPEND = "root=/dev/vda rw console=ttyS0 quiet mitigations=off"
SSH_TIMEOUT = 300

# row: (what fio does, bytes of a request, queue depth)
DISK = {f"{kind}-{depth}": (rw, size, depth)
        for kind, rw, size in [("seq-read", "read", 1 << 20), ("seq-write", "write", 1 << 20),
                               ("rand-read", "randread", 4096), ("rand-write", "randwrite", 4096)]
        for depth in (1, 32)}
NET = {"tcp-out": [], "tcp-in": ["-R"]}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def scratch(path):
    """A disk full of what does not compress and is no hole."""
    block = os.urandom(1 << 20)
    with open(path, "wb") as f:
        for _ in range(SCRATCH_MIB):
            f.write(block)


def warm(path):
    """Have what the file holds in the host's page cache."""
    with open(path, "rb", buffering=0) as f:
        at, end, block = 0, os.fstat(f.fileno()).st_size, bytearray(1 << 20)
        while at < end:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                return
            hole = os.lseek(f.fileno(), at, os.SEEK_HOLE)
            os.lseek(f.fileno(), at, os.SEEK_SET)
            while at < hole:
                at += f.readinto(block) or hole


class Debian:
    """One machine, booted from a throw-away overlay of the image, with a scratch disk of its own."""

    def __init__(self, machine, images, directory):
        self.machine, self.images, self.port = machine, images, free_port()
        name = machine.name.replace(" ", "-")
        self.disk, self.log = (os.path.join(directory, f"io-{name}.{end}") for end in ("img", "log"))
        scratch(self.disk)
        self.process, self.boot = None, None

    def argv(self):
        images, kernel = self.images, ["--kernel", f"{self.images}/vmlinuz"]
        if self.machine.kind == "doppel":
            return [self.machine.program, "run", "--engine", self.machine.engine, "--memory",
                    f"{MEMORY_MIB}M", *kernel, "--initrd", f"{images}/initrd.img", "--append", APPEND,
                    "--disk", f"{images}/debian.img,overlay,format=raw", "--disk",
                    f"{self.disk},format=raw", "--net", f"user,forward=tcp:127.0.0.1:{self.port}:22"]
        return [self.machine.program, *self.machine.options(), "-m", str(MEMORY_MIB), "-serial", "stdio",
                "-kernel", f"{images}/vmlinuz", "-initrd", f"{images}/initrd.img", "-append", APPEND,
                *self.drive("root", f"{images}/debian.img", "on"), *self.drive("data", self.disk, "off"),
                "-object", "iothread,id=thread", *self.drive("again", self.disk, "off", ",iothread=thread"),
                "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:22",
                "-device", "virtio-net-pci,netdev=net"]

    @staticmethod
    def drive(name, path, snapshot, options=""):
        return ["-drive", f"if=none,id={name},file={path},file.locking=off,format=raw,snapshot={snapshot},"
                          "cache=writeback,aio=io_uring",
                "-device", f"virtio-blk-pci,drive={name}{options}"]

    def start(self):
        for name in ("debian.img", "vmlinuz", "initrd.img"):
            warm(f"{self.images}/{name}")
        with open(self.log, "wb") as log:
            begin = time.monotonic()
            self.process = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait(begin + SSH_TIMEOUT)
        self.boot = time.monotonic() - begin

    def wait(self, deadline):
        """Until ssh answers: a forwarded port accepts before there is anybody behind it."""
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Problem(f"ended early with status {self.process.returncode}: see {self.log}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                    s.settimeout(2)
                    if s.recv(4) == b"SSH-":
                        return self.ssh("true")
            except OSError:
                pass
            time.sleep(0.1)
        raise Problem("ssh does not answer")

    def ssh(self, *words, timeout=120):
        try:
            done = subprocess.run(
                ["ssh", "-q", "-i", f"{self.images}/id", "-o", "StrictHostKeyChecking=no", "-o",
                 "UserKnownHostsFile=/dev/null", "-p", str(self.port), "root@127.0.0.1", *words],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired as e:
            raise Problem(f"{words[0]}: out of time") from e
        if done.returncode:
            raise Problem(f"{words[0]}: status {done.returncode}: {(done.stderr or done.stdout)[-200:]}")
        return done.stdout

    def disk_row(self, row):
        return min(self.disk_run(row, disk)
                   for disk in (["vdb"] if self.machine.kind == "doppel" else ["vdb", "vdc"]))

    def disk_run(self, row, disk):
        rw, size, depth = DISK[row]
        warm(self.disk)
        text = self.ssh("fio", "--name=row", f"--filename=/dev/{disk}", "--direct=1", "--ioengine=libaio",
                        f"--rw={rw}", f"--bs={size}", f"--iodepth={depth}", f"--runtime={SECONDS}",
                        "--time_based", f"--size={SCRATCH_MIB}m", "--output-format=json")
        job = json.loads(text[text.index("{"):])["jobs"][0]
        rate = job["write" if "write" in rw else "read"]["bw_bytes"]
        return (64 << 20 if size > 4096 else 1000 * size) / rate

    def net_row(self, row):
        port = free_port()
        server = subprocess.Popen(["iperf3", "-s", "-1", "-p", str(port), "-B", "127.0.0.1"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.3)
            text = self.ssh("iperf3", "-c", "10.0.2.2", "-p", str(port), "-t", str(SECONDS), "-J", *NET[row])
            return 100e6 * 8 / json.loads(text)["end"]["sum_received"]["bits_per_second"]
        finally:
            server.kill()
            server.wait()

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        os.unlink(self.disk)


def absent(images):
    """None, or why these rows cannot be run."""
    if not os.path.exists(f"{images}/debian.img"):
        return f"there is no {images}/debian.img"
    for program in ("ssh", "iperf3"):
        if not shutil.which(program):
            return f"no {program}"
    return None


class IoRows:
    def __init__(self, bench, images):
        self.bench, self.images = bench, images
        self.rows = {row: "disk" for row in DISK if bench.wants(row, "disk")}
        self.rows.update((row, "net") for row in NET if bench.wants(row, "net"))

    def wanted(self):
        return self.rows or self.bench.wants("ssh")

    def guarded(self, debian, what, fn, *args):
        try:
            return fn(*args)
        except (OSError, ValueError, KeyError, Problem) as problem:
            self.bench.problem(debian.machine, f"{what}: {problem}")
            return None

    def run(self, times):
        """Boot each alone, for the row ssh; then they take turns."""
        why = absent(self.images)
        if why:
            print(f"rows ssh, disk and net are left out: {why}")
            return
        bench, up = self.bench, []
        for machine in bench.of_kind("doppel") + bench.of_kind("qemu")[:1]:
            debian = Debian(machine, self.images, bench.args.out)
            self.guarded(debian, "ssh", debian.start)
            if debian.boot:
                bench.results.add(machine.name, "ssh", "ssh", debian.boot)
                up.append(debian)
            else:
                debian.stop()
        try:
            for _ in range(times):
                for row, group in self.rows.items():
                    for debian in up:
                        value = self.guarded(debian, row, getattr(debian, f"{group}_row"), row)
                        if value:
                            bench.results.add(debian.machine.name, row, group, value)
        finally:
            for debian in up:
                debian.stop()
