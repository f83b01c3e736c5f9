"""A whole Debian (make debian): systemd comes up, shares, disks stay whole over a power off, apt
installs over the network. All slow. They log in by ssh through a forwarded port.

A wrong exit, a damaged file system or a package that does not arrive fails; how long it takes does not."""

import hashlib
import http.server
import os
import pathlib
import shutil
import subprocess
import threading
import time

import pytest
from conftest import DOPPEL, ENGINES, GUEST, TIMEOUT
from test_net import free_port

DEBIAN = GUEST / "debian"
pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(not (DEBIAN / "debian.img").exists(),
                                 reason=f"no {DEBIAN}/debian.img: make debian builds it")]
# Where e2fsck and its like are may not be where a user looks.
TOOLS = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def tool(name):
    path = shutil.which(name, path=TOOLS)
    return path or pytest.skip(f"no {name} on this host")


def check(*argv):
    run = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=TIMEOUT)
    assert run.returncode == 0, f"{argv}: {run.returncode}\n{run.stdout}{run.stderr}"
    return run.stdout


class Debian:
    """One that runs, by its forwarded ssh port. Its console goes to a file."""

    def __init__(self, start, folder, disk, *options, append="", root="/dev/vda", model="virtio", **kw):
        self.serial = folder / "console"
        self.port = free_port()
        key = folder / "id"  # ssh refuses one that others may read
        shutil.copy(DEBIAN / "id", key)
        key.chmod(0o600)
        self.ssh = ["ssh", "-i", str(key), "-p", str(self.port), "-o", "BatchMode=yes",
                    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                    "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=60", "user@127.0.0.1"]
        self.guest = start("--disk", disk, "--net", f"user,model={model},forward=tcp:127.0.0.1:{self.port}:22",
                           "--rng", "--serial", f"file={self.serial}", *options, memory="1G",
                           kernel="debian/vmlinuz", initrd="debian/initrd.img",
                           append=f"root={root} rw {append}", **kw)
        self.wait_for_login()

    def transcript(self):
        said = self.serial.read_bytes()[-4000:].decode(errors="replace") if self.serial.exists() else ""
        return f"--- serial port\n{said}\n{self.guest.transcript()}"

    def run(self, command):
        return subprocess.run([*self.ssh, command], capture_output=True, text=True, timeout=TIMEOUT)

    def wait_for_login(self):
        """systemd is asked, and waited for, as soon as there is a login."""
        end = time.monotonic() + 2 * TIMEOUT  # a whole boot, by whatever engine
        while self.guest.process.poll() is None and time.monotonic() < end:
            if self.run("true").returncode == 0:
                return
            time.sleep(1)
        pytest.fail(f"no login by ssh, status {self.guest.process.poll()}\n{self.transcript()}")

    def command(self, text):
        run = self.run(text)
        assert run.returncode == 0, f"{text}: {run.returncode}\n{run.stdout}{run.stderr}\n{self.transcript()}"
        return run.stdout.strip()

    def state(self):
        """What systemd says when it is done; with it, what failed."""
        said = self.run("systemctl is-system-running --wait").stdout.strip()
        return said if said == "running" else f"{said}: {self.run('systemctl --failed').stdout}"

    def poweroff(self):
        self.run("sudo poweroff")  # the connection may end before its answer
        assert self.guest.wait() == 0, self.transcript()


@pytest.fixture
def debian(start, tmp_path):
    def make(disk=f"{DEBIAN}/debian.img,overlay,format=raw", *options, **kw):
        return Debian(start, tmp_path, disk, *options, **kw)
    return make


@pytest.fixture
def copy(tmp_path):
    path = tmp_path / "copy.img"
    check("cp", "--sparse=always", DEBIAN / "debian.img", path)
    yield path
    path.unlink()  # gigabytes; pytest keeps its folders


@pytest.mark.parametrize("cpus", [1, 4])
@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_up_and_down(debian, tmp_path, machine, cpus):
    share = tmp_path / "share"
    share.mkdir()
    share.chmod(0o777)
    (share / "from-host").write_text("hello from the host\n")
    it = debian(f"{DEBIAN}/debian.img,overlay,format=raw", "--machine", machine,
                "--share", f"{share}:share", cpus=cpus)
    assert it.state() == "running"
    assert it.command("nproc") == str(cpus)
    assert it.command("cat /mnt/share/from-host") == "hello from the host"
    it.command("echo hello from the guest | sudo tee /mnt/share/from-guest")
    assert (share / "from-guest").read_text() == "hello from the guest\n"
    it.poweroff()


@pytest.mark.skipif("interpret" not in ENGINES, reason="no engine interprets")
def test_interpreted(debian):
    """Every instruction of it by the engine that needs nothing of the host."""
    it = debian(f"{DEBIAN}/debian.img,overlay,format=raw", "--engine", "interpret", cpus=2)
    assert it.state() == "running"
    it.poweroff()


def test_without_virtio(debian):
    """The disk at the IDE controller, the network by an e1000: the general kernel has drivers."""
    it = debian(f"{DEBIAN}/debian.img,overlay,format=raw,bus=ide", root="/dev/sda", model="e1000")
    assert it.state() == "running"
    assert it.command("findmnt -n -o SOURCE /") == "/dev/sda"
    assert it.command("basename $(readlink /sys/class/net/e*/device/driver)") == "e1000"
    total = write_files(it)
    it.command("sync; echo 3 | sudo tee /proc/sys/vm/drop_caches")
    files_are_there(it, total)
    it.poweroff()


def write_files(it):
    """Many small ones, one large, some of them gone again; their checksum."""
    it.command("mkdir many && cd many && for i in $(seq 1000); do echo $i >file-$i; done && "
               "rm file-*7 && dd if=/dev/urandom of=large bs=1M count=32 status=none && "
               "find . -type f | sort | xargs sha256sum >../sums")
    return it.command("sha256sum <sums")


def files_are_there(it, total):
    assert it.command("sha256sum <sums") == total
    it.command("cd many && sha256sum --quiet -c ../sums")


def test_raw_disk_stays_whole(debian, copy):
    """What was written before a power off is there at the next start; the file system is clean."""
    e2fsck = tool("e2fsck")
    it = debian(f"{copy},format=raw")
    total = write_files(it)
    it.poweroff()
    check(e2fsck, "-fn", copy)
    check(DOPPEL, "disk", "info", copy)
    it = debian(f"{copy},format=raw")
    files_are_there(it, total)
    it.poweroff()
    check(e2fsck, "-fn", copy)


def test_qcow2_stays_whole(debian, tmp_path):
    """The same of a converted image; another program looks at what is left."""
    e2fsck, qemu_img = tool("e2fsck"), tool("qemu-img")
    disk, raw = tmp_path / "disk.qcow2", tmp_path / "raw.img"
    try:
        check(DOPPEL, "disk", "convert", "--quiet", "--from", "raw", DEBIAN / "debian.img", disk)
        check(qemu_img, "check", disk)
        it = debian(f"{disk},format=qcow2")
        assert it.state() == "running"
        total = write_files(it)
        it.poweroff()
        check(qemu_img, "check", disk)
        check(DOPPEL, "disk", "check", disk)
        check(qemu_img, "convert", "-f", "qcow2", "-O", "raw", disk, raw)
        check(e2fsck, "-fn", raw)
        it = debian(f"{disk},format=qcow2")
        files_are_there(it, total)
        it.poweroff()
        check(qemu_img, "check", disk)
    finally:
        disk.unlink(missing_ok=True)
        raw.unlink(missing_ok=True)


CONTROL = """Package: doppel-test
Version: 1.0
Architecture: all
Maintainer: Doppel <root@localhost>
Description: one file
"""


def make_mirror(folder):
    """A repository of one package, as apt reads it."""
    dpkg_deb = tool("dpkg-deb")
    tree, mirror = folder / "tree", folder / "mirror"
    for path in (tree / "DEBIAN", tree / "usr/share/doppel-test", mirror):
        path.mkdir(parents=True)
    for path in (tree, *tree.rglob("*")):  # dpkg-deb wants DEBIAN so, whatever the umask
        path.chmod(0o755)
    (tree / "DEBIAN/control").write_text(CONTROL)
    (tree / "usr/share/doppel-test/file").write_text("it arrived\n")
    deb = mirror / "doppel-test_1.0_all.deb"
    check(dpkg_deb, "--root-owner-group", "--build", tree, deb)
    data = deb.read_bytes()
    (mirror / "Packages").write_text(f"{CONTROL}Filename: ./{deb.name}\nSize: {len(data)}\n"
                                     f"SHA256: {hashlib.sha256(data).hexdigest()}\n\n")
    return mirror


class Server(http.server.ThreadingHTTPServer):
    """Files of a folder, on this host's loopback; what was asked for."""

    def __init__(self, folder):
        self.asked = asked = []

        class Files(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=str(folder))

            def log_message(self, *args):
                asked.append(self.path)

        super().__init__(("127.0.0.1", 0), Files)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def test_apt(debian, tmp_path):
    with Server(make_mirror(tmp_path)) as server:
        it = debian()
        it.command("sudo rm -rf /etc/apt/sources.list.d/* /var/lib/apt/lists/*")
        it.command(f"echo 'deb [trusted=yes] http://10.0.2.2:{server.server_port} ./' | "
                   "sudo tee /etc/apt/sources.list")
        it.command("sudo apt-get -q update")
        it.command("sudo DEBIAN_FRONTEND=noninteractive apt-get -q install -y doppel-test")
        assert it.command("cat /usr/share/doppel-test/file") == "it arrived"
        assert any(pathlib.PurePath(path).suffix == ".deb" for path in server.asked), server.asked
        it.poweroff()
        server.shutdown()
