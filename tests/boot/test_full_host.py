"""The host's disk is full: the guest sees I/O errors, people at the host why, and nothing is damaged."""

import shutil
import subprocess

import pytest
from conftest import DOPPEL

MODULES = "initrd-modules.img"


@pytest.fixture
def small(tmp_path):
    """A file system of 4 MiB, which root can make."""
    run = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", tmp_path], capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"no small file system to be had: {run.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.mark.parametrize("format", ["qcow2", pytest.param("raw", marks=pytest.mark.slow)])
def test_full_host(boot, small, format):
    disk = small / "disk"
    subprocess.run([DOPPEL, "disk", "create", disk, "64M", "--format", format], check=True)
    guest = boot("--disk", f"{disk},format={format}", initrd=MODULES, append="quiet loglevel=1")
    guest.shell()
    guest.command("stty columns 1000")
    kept = guest.command("dd if=/dev/urandom of=/tmp/r bs=64k count=16 2>/dev/null; md5sum </tmp/r")
    assert guest.command("dd if=/tmp/r of=/dev/vda bs=64k conv=fsync 2>/dev/null; echo $?") == "0"
    said = guest.command("dd if=/dev/urandom of=/dev/vda bs=64k seek=16 count=100 conv=fsync; echo $?")
    assert "Input/output error" in said and said.endswith("1")
    guest.command("echo 3 >/proc/sys/vm/drop_caches")
    assert guest.command("head -c 1048576 /dev/vda | md5sum") == kept
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()
    assert f"disk {disk}: cannot write: No space left on device; the guest sees I/O errors" in guest.transcript()
    if format == "qcow2":
        status = subprocess.run([DOPPEL, "disk", "check", disk], capture_output=True).returncode
        assert status in (0, 14)  # lost clusters are no damage
        if shutil.which("qemu-img"):
            assert subprocess.run(["qemu-img", "check", disk], capture_output=True).returncode in (0, 3)
