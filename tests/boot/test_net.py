"""Networks from inside a guest: a lease, both directions with checksums compared, forwarded ports,
IPv6, two machines on one cable."""

import contextlib
import hashlib
import http.server
import os
import random
import socket
import subprocess
import threading
import time
import urllib.request
from urllib.parse import urlsplit

import pytest
from conftest import TIMEOUT

slow = pytest.mark.slow
MODULES = "initrd-modules.img"
LEASE = ("#!/bin/sh\\n[ $1 = bound ] || exit 0\\nifconfig $interface $ip netmask $subnet\\n"
         "route add default gw $router\\necho got $ip $router $dns $hostname\\n"
         "echo nameserver $dns >/tmp/resolv.conf\\n")
# Enough to wrap rings and windows many times.
BYTES = 5_000_011


def some_bytes(seed):
    return random.Random(seed).randbytes(BYTES)


def md5(data):
    return hashlib.md5(data).hexdigest()


@contextlib.contextmanager
def web_server(data):
    """A server on this host's loopback that answers every request with data; its port."""
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class Taker(threading.Thread):
    """Accepts one connection and takes all it says."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(TIMEOUT)
        self.port = self.socket.getsockname()[1]
        self.data = b""
        self.start()

    def run(self):
        connection, _ = self.socket.accept()
        with connection:
            connection.settimeout(TIMEOUT)
            while chunk := connection.recv(1 << 16):
                self.data += chunk


def free_port():
    """One that nobody has now, and that no connection of this host's is given before it is used."""
    while True:
        with contextlib.suppress(OSError):
            with socket.create_server(("127.0.0.1", random.SystemRandom().randrange(10000, 32000))) as s:
                return s.getsockname()[1]


def lease(guest):
    guest.command("ifconfig lo up; ifconfig eth0 up")
    guest.command(f"printf '{LEASE}' >/tmp/lease; chmod +x /tmp/lease")
    said = guest.command("udhcpc -i eth0 -n -q -f -s /tmp/lease 2>&1")
    return [line.split()[1:] for line in said.splitlines() if line.startswith("got ")][-1]


def fetch(port):
    """From the guest's server through a forwarded port, which may need a moment to be there."""
    for _ in range(500):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/file", timeout=TIMEOUT).read()
        time.sleep(0.2)
    pytest.fail("nobody answers at the forwarded port")


def all_of_user(guest, port):
    data = some_bytes(1)
    assert lease(guest)[:3] == ["10.0.2.15", "10.0.2.2", "10.0.2.3"]
    with web_server(data) as server:
        got = guest.command(f"wget -q -O /tmp/file http://10.0.2.2:{server}/ && md5sum </tmp/file")
    assert got.split()[0] == md5(data)
    taker = Taker()
    guest.command(f"nc 10.0.2.2 {taker.port} </tmp/file")
    taker.join(TIMEOUT)
    assert md5(taker.data) == md5(data)
    guest.command("httpd -p 8000 -h /tmp")
    assert md5(fetch(port)) == md5(data)
    ping = "for i in 1 2 3 4 5 6 7 8 9; do ping6 -c 1 fec0::2 && break; sleep 1; done"
    assert "1 packets received" in guest.command(ping)


# The cloud kernel has no driver for the e1000.
@pytest.mark.parametrize("machine,model,kernel,cpus", [
    ("pc", "virtio", "vmlinuz", 1), ("pc", "e1000", "vmlinuz-amd64", 1),
    ("microvm", "virtio", "vmlinuz", 1), pytest.param("pc", "virtio", "vmlinuz", 2, marks=slow),
    pytest.param("pc", "e1000", "vmlinuz-amd64", 2, marks=slow),
])
def test_user(boot, machine, model, kernel, cpus):
    port = free_port()
    guest = boot("--machine", machine, "--net",
                 f"user,model={model},hostname=boxy,forward=tcp:127.0.0.1:{port}:8000",
                 cpus=cpus, kernel=kernel, initrd=MODULES)
    guest.shell()
    all_of_user(guest, port)
    assert lease(guest)[3] == "boxy"
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()


@slow
def test_name_server(boot):
    """A name that the host can resolve, the guest can: that of the archive its packages come from."""
    try:
        sites = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)"],
                               capture_output=True, text=True).stdout.split()
        name = next(filter(None, (urlsplit(site).hostname for site in sites)))
        address = socket.getaddrinfo(name, 80, socket.AF_INET)[0][4][0]
    except (StopIteration, OSError):
        pytest.skip("the host resolves no names")
    guest = boot("--net", "user", initrd=MODULES)
    guest.shell()
    name_server = lease(guest)[2]
    assert address.rsplit(".", 2)[0] in guest.command(f"nslookup {name} {name_server}")


def test_two_machines(boot, tmp_path):
    """One listens, the other connects; they differ by the addresses they chose. Several MB go over
    in each direction."""
    guests = []
    for i in (1, 2):
        guest = boot("--net", f"socket={tmp_path}/cable", initrd=MODULES, memory="256M")
        guests.append(guest)
        guest.shell()
        guest.command(f"ifconfig lo up; ifconfig eth0 10.1.0.{i} up")
        guest.command("dd if=/dev/urandom of=/tmp/own bs=1k count=4000 2>/dev/null")
    assert guests[0].command("cat /sys/class/net/eth0/address") != \
        guests[1].command("cat /sys/class/net/eth0/address")
    assert "2 packets received" in guests[0].command("ping -c 2 10.1.0.2")
    for me, other, address in ((guests[0], guests[1], "10.1.0.2"), (guests[1], guests[0], "10.1.0.1")):
        other.command("nc -l -p 7000 >/tmp/got & until netstat -ltn | grep -q :7000; do sleep 0.1; done")
        me.command(f"nc {address} 7000 </tmp/own")
        sums = [other.command("wait; md5sum </tmp/got"), me.command("md5sum </tmp/own")]
        assert sums[0].split()[0] == sums[1].split()[0]


def carrier_is(guest, state):
    guest.command(f"until grep -q {state} /sys/class/net/eth0/carrier; do sleep 0.1; done")


def test_link_state(boot, tmp_path):
    """The cable is cut when the machine at its other end is gone."""
    path = f"{tmp_path}/cable"
    guest = boot("--net", f"socket={path},listen", initrd=MODULES)
    guest.shell()
    guest.command("ifconfig eth0 10.1.0.1 up")
    assert guest.command("cat /sys/class/net/eth0/carrier") == "0"
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(path)
        carrier_is(guest, 1)
    carrier_is(guest, 0)
    guest.console.send("poweroff\r")
    assert guest.wait() == 0
    assert not os.path.exists(path)
