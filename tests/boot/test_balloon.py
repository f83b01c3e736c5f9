"""The balloon with Linux: what the guest frees or gives up, the process has no more; statistics."""

import re
import subprocess
import time

import pytest
from conftest import BUILD, TIMEOUT, image

MODULES = "initrd-modules.img"


def resident(guest):
    """What of the monitor is in the host's memory, MiB."""
    with open(f"/proc/{guest.process.pid}/status") as f:
        return next(int(line.split()[1]) >> 10 for line in f if line.startswith("VmRSS:"))


def shrinks_to(guest, limit):
    end = time.monotonic() + TIMEOUT
    while resident(guest) > limit:
        assert time.monotonic() < end, f"{resident(guest)} MiB, not below {limit}\n{guest.transcript()}"
        time.sleep(0.5)


def off_with_stats(guest):
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()
    guest.errors.seek(0)
    return {name: int(n) for name, n in re.findall(r"^((?:balloon|guest)_\w+) +(\d+)", guest.errors.read(), re.M)}


def test_freed_memory_is_the_hosts(boot):
    """Free page reporting alone: a file in memory of 200 MiB comes and goes, twice."""
    guest = boot("--balloon", "--stats", initrd=MODULES)
    guest.shell()
    guest.command("stty columns 1000")  # or long commands come back wrapped
    guest.command("dd if=/dev/urandom of=/tmp/part bs=1M count=4 2>/dev/null")
    for _ in range(2):
        guest.command("for i in $(seq 50); do cat /tmp/part; done >/tmp/all")
        full = resident(guest)
        assert full > 250
        parts = guest.command("for i in 0 24 49; do dd if=/tmp/all bs=4M skip=$i count=1 | md5sum; done 2>/dev/null")
        assert len(set(parts.splitlines())) == 1 and len(parts.splitlines()) == 3
        guest.command("rm /tmp/all")
        shrinks_to(guest, full - 150)
    stats = off_with_stats(guest)
    assert stats["balloon_target"] == stats["balloon_actual"] == 512 << 20
    assert stats["balloon_reported"] >= 300 << 20
    assert stats["guest_free"] <= stats["guest_total"] <= 512 << 20


@pytest.mark.slow
def test_target_on_the_command_line(boot):
    guest = boot("--balloon=target=200M", "--stats", initrd=MODULES)
    guest.shell()
    guest.command("stty columns 1000")
    guest.command("while [ $(sed -n 's/^balloon_inflate //p' /proc/vmstat) -lt 79000 ]; do sleep 0.1; done; "
                  "sleep 5")  # until --stats has asked
    assert int(guest.command("free -m | sed -n 's/^Mem: *[0-9]* *[0-9]* *\\([0-9]*\\).*/\\1/p'")) < 200
    stats = off_with_stats(guest)
    assert stats["balloon_target"] == 200 << 20
    assert stats["balloon_actual"] <= 512 - 79000 * 4 // 1024 << 20


def test_inflating_takes_the_guests_cache(tmp_path):
    """A program of the library's asks for memory while the guest runs."""
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(range(256)) * (220 << 12))
    run = subprocess.run([BUILD / "tests/boot/boot-balloon", image("vmlinuz"), image(MODULES),
                          f"{disk},format=raw"], capture_output=True, text=True, timeout=2 * TIMEOUT)
    disk.unlink()
    assert run.returncode == 0, run.stdout + run.stderr
