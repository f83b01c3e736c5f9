"""PCI on machine pc with a real kernel: virtio devices over it however interrupts are routed, the IDE
controller, the e1000."""

import hashlib
import http.server
import threading

import pytest

slow = pytest.mark.slow
MODULES = "initrd-modules.img"


def console_works(guest, path):
    guest.shell()
    guest.command("modprobe virtio_pci; modprobe virtio_console; for i in 1 2 3 4 5; do echo over-$i "
                  ">/dev/hvc0; done")
    assert path.read_text().split() == [f"over-{i}" for i in range(1, 6)]
    return guest.command("grep virtio /proc/interrupts")


def power_off(guest):
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()


@pytest.mark.parametrize("kernel,cpus", [("vmlinuz", 1), pytest.param("vmlinuz-amd64", 4, marks=slow)])
def test_messages(boot, tmp_path, kernel, cpus):
    path = tmp_path / "console"
    guest = boot("--console", f"file={path}", kernel=kernel, initrd=MODULES, cpus=cpus)
    lines = console_works(guest, path).splitlines()
    assert len(lines) == 4 and all("PCI-MSI" in line for line in lines)
    assert guest.command("cat /sys/bus/pci/devices/0000:00:02.0/device") == "0x1043"
    power_off(guest)


@pytest.mark.parametrize("options,controller", [
    ("pci=nomsi", "IO-APIC"), ("pci=nomsi noapic", "XT-PIC"),
    pytest.param("pci=nomsi acpi=off", "XT-PIC", marks=slow),
    pytest.param("pci=nomsi pci=noacpi", "", marks=slow),
])
def test_lines(boot, tmp_path, options, controller):
    path = tmp_path / "console"
    guest = boot("--console", f"file={path}", append=f"quiet {options}", initrd=MODULES)
    assert controller in console_works(guest, path)
    if "acpi=off" in options:  # then it cannot turn itself off
        guest.console.send("\x01x")
        assert guest.wait() == 8, guest.transcript()
    else:
        power_off(guest)


def test_reboot_with_devices_at_work(boot, tmp_path):
    path, disk = tmp_path / "console", tmp_path / "disk"
    with open(disk, "wb") as f:
        f.truncate(1 << 30)
    guest = boot("--console", f"file={path}", "--disk", f"{disk},format=raw", initrd=MODULES, cpus=2)
    guest.shell()
    guest.command("modprobe virtio_pci; modprobe virtio_blk; modprobe virtio_console")
    guest.command("dd if=/dev/vda of=/dev/null bs=1M 2>/dev/null &")
    guest.console.send("reboot\r")
    console_works(guest, path)
    power_off(guest)


@pytest.mark.parametrize("options", ["quiet", pytest.param("quiet libata.dma=0", marks=slow)])
def test_ide_disk(boot, tmp_path, options):
    disk = tmp_path / "disk"
    content = bytes(i * 7 >> 8 & 0xff for i in range(1 << 16)) * 128
    disk.write_bytes(content)
    guest = boot("--disk", f"{disk},bus=ide,format=raw", initrd=MODULES, append=options)
    guest.shell()
    guest.command("modprobe ata_piix; modprobe sd_mod; while [ ! -e /dev/sda ]; do sleep 0.1; done")
    assert hashlib.md5(content).hexdigest() in guest.command("md5sum /dev/sda")
    guest.command("dd if=/dev/sda of=/tmp/part bs=64k skip=1 count=3 2>/dev/null; echo mark >>/tmp/part")
    guest.command("dd if=/tmp/part of=/dev/sda bs=4k seek=100 conv=notrunc 2>/dev/null; sync")
    power_off(guest)
    part = content[1 << 16:4 << 16] + b"mark\n"
    now = disk.read_bytes()
    assert now[:409600] == content[:409600] and now[409600:409600 + len(part)] == part


class Content(http.server.BaseHTTPRequestHandler):
    data = bytes(i * 13 >> 4 & 0xff for i in range(3000000))

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.data)))
        self.end_headers()
        self.wfile.write(self.data)

    def log_message(self, *args):
        pass


@pytest.mark.parametrize("cpus", [1, pytest.param(4, marks=slow)])
def test_e1000(boot, cpus):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Content)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    guest = boot("--net", "user,model=e1000", kernel="vmlinuz-amd64", initrd=MODULES, cpus=cpus)
    guest.shell()
    guest.command("modprobe e1000; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0")
    guest.command("while [ $(cat /sys/class/net/eth0/carrier) = 0 ]; do sleep 0.1; done")
    said = guest.command(f"wget -q -O - http://10.0.2.2:{server.server_port}/ | md5sum")
    assert hashlib.md5(Content.data).hexdigest() in said
    server.shutdown()
    power_off(guest)


@slow
@pytest.mark.parametrize("cpus", [1, 2])
def test_32_bit_kernel_with_disk_and_network(boot, tmp_path, cpus):
    """Addresses beyond 4 GiB, too: this kernel has PAE."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Content)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    disk = tmp_path / "disk"
    disk.write_bytes(Content.data[:2 << 20] + bytes(2 << 20))
    guest = boot("--disk", f"{disk},format=raw", "--net", "user", kernel="vmlinuz-686", memory="5G",
                 initrd="initrd-686-modules.img", cpus=cpus)
    assert guest.shell()[1] == "i686"
    guest.command("stty columns 1000")
    assert hashlib.md5(Content.data[:2 << 20]).hexdigest() in guest.command("head -c 2097152 /dev/vda | md5sum")
    guest.command("ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0")
    said = guest.command(f"wget -q -O - http://10.0.2.2:{server.server_port}/ >/tmp/got; md5sum </tmp/got")
    assert hashlib.md5(Content.data).hexdigest() in said
    guest.command("dd if=/tmp/got of=/dev/vda bs=1M count=2 seek=2 conv=fsync 2>/dev/null")
    server.shutdown()
    power_off(guest)
    assert disk.read_bytes() == Content.data[:2 << 20] * 2
