"""Machine `microvm`: the same kernels without a PC's devices, virtio devices over MMIO."""

import pytest

slow = pytest.mark.slow
MODULES = {"initrd": "initrd-modules.img"}


@pytest.mark.engines
@pytest.mark.parametrize("cpus", [pytest.param(1, marks=slow), pytest.param(2, marks=slow), 4])
def test_boot_and_power_off(boot, cpus):
    guest = boot("--machine", "microvm", cpus=cpus)
    assert int(guest.shell()[2]) == cpus
    assert guest.command("nproc") == str(cpus)
    assert "kvm-clock" in guest.command("cat /sys/devices/system/clocksource/*/available_clocksource")
    assert guest.command("ls /sys/bus/pci/devices 2>/dev/null") == ""
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()


def test_general_kernel(boot):
    guest = boot("--machine", "microvm", kernel="vmlinuz-amd64")
    guest.shell()
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()


def test_reboot(boot):
    guest = boot("--machine", "microvm", "--rng", cpus=2, **MODULES)
    guest.shell()
    guest.console.send("reboot\r")
    guest.shell()  # once more, from the beginning
    assert guest.command("dd if=/dev/hwrng bs=16 count=1 2>/dev/null | wc -c") == "16"
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()


@pytest.mark.parametrize("machine", ["microvm", "pc"])
def test_random_numbers(boot, machine):
    guest = boot("--machine", machine, "--rng", **MODULES)
    guest.shell()
    assert guest.command("cat /sys/class/misc/hw_random/rng_current").startswith("virtio_rng")
    first, second = (guest.command("dd if=/dev/hwrng bs=4096 count=4 2>/dev/null | md5sum")
                     for _ in range(2))
    assert first != second


def test_random_numbers_of_a_counted_machine_repeat(start):
    """Nothing is typed: when the host delivers it is no matter of the counted clock, and the guest's
    kernel draws numbers of its own meanwhile."""
    def numbers():
        guest = start("--machine", "microvm", "--rng", "--clock", "counted",
                      append='quiet doppel.run="dd if=/dev/hwrng bs=64 count=1 2>/dev/null | md5sum"',
                      **MODULES)
        guest.expect("([0-9a-f]{32})  -")
        drawn = guest.console.match.group(1)
        assert guest.wait() == 0, guest.transcript()
        return drawn
    assert numbers() == numbers()


@pytest.mark.engines
def test_disk(boot, tmp_path):
    """Written, flushed, read back past the page cache; the file holds it in the end."""
    disk = tmp_path / "disk.img"
    disk.write_bytes(b"\0" * (16 << 20))
    guest = boot("--machine", "microvm", "--disk", f"{disk},serial=S123,queues=2", cpus=2, **MODULES)
    guest.shell()
    assert guest.command("cat /sys/block/vda/serial") == "S123"
    assert guest.command("cat /sys/block/vda/size") == str((16 << 20) // 512)
    guest.command("dd if=/dev/urandom of=/tmp/r bs=1M count=8")
    guest.command("dd if=/tmp/r of=/dev/vda bs=64k conv=fsync")
    guest.command("echo 3 >/proc/sys/vm/drop_caches")
    assert guest.command("head -c 8388608 /dev/vda | md5sum") == guest.command("md5sum </tmp/r")
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()
    assert any(disk.read_bytes()[:8 << 20])


def test_many_devices_share_pins(boot, tmp_path):
    """More slots than the I/O APIC has free pins."""
    disks = []
    for i in range(24):
        disk = tmp_path / f"disk{i}.img"
        disk.write_bytes(b"%-512d" % i * 16)
        disks += ["--disk", str(disk)]
    guest = boot("--machine", "microvm", *disks, **MODULES)
    guest.shell()
    assert guest.command("ls /sys/block | grep -c vd") == "24"
    assert [guest.command(f"head -c 4 /dev/vd{d}").split()[0] for d in "aetx"] == [
        "0", "4", "19", "23"]


def test_a_pci_device_is_refused(start, tmp_path):
    disk = tmp_path / "disk.img"
    disk.write_bytes(b"\0" * 4096)
    guest = start("--machine", "microvm", "--disk", f"{disk},bus=ide")
    assert guest.wait() != 0
    assert "microvm" in guest.transcript()
