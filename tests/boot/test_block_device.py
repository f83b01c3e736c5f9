"""Block devices of the host as disks: a loop device over a file, which root can make."""

import pathlib
import shutil
import subprocess

import pytest
from conftest import DOPPEL, TIMEOUT, image

MODULES = "initrd-modules.img"
MIB = 1 << 20


@pytest.fixture
def attach(tmp_path):
    """A loop device of 64 MiB over a sparse file."""
    losetup = shutil.which("losetup", path="/usr/sbin:/sbin:/usr/bin:/bin") or pytest.skip("no losetup here")
    file = tmp_path / "behind"
    with open(file, "wb") as f:
        f.truncate(64 * MIB)
    devices = []

    def attach(*options):
        run = subprocess.run([losetup, "--show", "-f", *options, file], capture_output=True, text=True)
        if run.returncode:
            pytest.skip(f"no loop device to be had: {run.stderr.strip()}")
        devices.append(run.stdout.strip())
        return pathlib.Path(devices[-1]), file
    yield attach
    for device in devices:
        subprocess.run([losetup, "-d", device], check=True)


def power_off(guest):
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()


def space(file):
    return file.stat().st_blocks * 512


def run(*options):
    return subprocess.run([DOPPEL, "run", "--kernel", image("vmlinuz"), "--append", "console=ttyS0 panic=-1",
                           *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT)


def test_written_locked_and_discarded(boot, attach):
    device, file = attach()
    guest = boot("--disk", str(device), initrd=MODULES)
    guest.shell()
    guest.command("stty columns 1000")
    assert guest.command("cat /sys/block/vda/size /sys/block/vda/ro").split() == [str(64 * MIB // 512), "0"]
    total = guest.command("dd if=/dev/urandom of=/tmp/r bs=1M count=16 2>/dev/null; md5sum </tmp/r")
    guest.command("dd if=/tmp/r of=/dev/vda bs=1M seek=8 conv=fsync 2>/dev/null")
    guest.command("echo 3 >/proc/sys/vm/drop_caches")
    assert guest.command("dd if=/dev/vda bs=1M skip=8 count=16 2>/dev/null | md5sum") == total
    assert any(file.read_bytes()[8 * MIB:9 * MIB]) and space(file) >= 16 * MIB

    second = run("--disk", str(device))
    assert second.returncode == 4 and f"disk {device}: in use by another process" in second.stderr

    guest.command("blkdiscard -o 8388608 -l 12582912 /dev/vda")
    assert guest.command("dd if=/dev/vda bs=1M skip=8 count=12 2>/dev/null | tr -d '\\000' | wc -c") == "0"
    subprocess.run(["sync", "-f", file], check=True)
    assert space(file) < 6 * MIB
    power_off(guest)
    content = file.read_bytes()
    assert not any(content[:20 * MIB]) and any(content[20 * MIB:24 * MIB])


@pytest.mark.slow
def test_read_only(boot, attach):
    """A device that cannot be written to is refused unless it is not to be."""
    device, file = attach("-r")
    refused = run("--disk", f"{device},format=raw")
    assert refused.returncode == 4 and f"disk {device}: " in refused.stderr and "readonly" in refused.stderr
    guest = boot("--disk", f"{device},format=raw,readonly", "--disk", f"{device},format=raw,overlay",
                 initrd=MODULES)
    guest.shell()
    assert guest.command("cat /sys/block/vda/ro /sys/block/vdb/ro").split() == ["1", "0"]
    assert "not permitted" in guest.command("dd if=/dev/zero of=/dev/vda count=1 2>&1")
    assert guest.command("echo overlay >/dev/vdb; sync; head -c 7 /dev/vdb") == "overlay"
    power_off(guest)
    assert not any(file.read_bytes())
