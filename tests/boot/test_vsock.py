"""Sockets between programs of the guest (Linux) and of the host."""

import hashlib
import os
import pathlib
import socket
import subprocess
import threading

import pytest
from conftest import DOPPEL, TIMEOUT, image

SOURCE = pathlib.Path(__file__).with_name("vsock.c")


@pytest.fixture(scope="module")
def tool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tool")
    subprocess.run(["gcc", "-O2", "-static", "-o", folder / "vsock", SOURCE], check=True)
    return folder


@pytest.fixture
def guest(boot, tool, tmp_path):
    guest = boot("--share", f"{tool}:tool:ro", "--vsock", f"7:{tmp_path}/v", kernel="vmlinuz-amd64",
                 initrd="initrd-modules.img")
    guest.shell()
    guest.command("stty columns 1000; mkdir /mnt; mount -t 9p -o trans=virtio,version=9p2000.L tool /mnt")
    guest.path = f"{tmp_path}/v"
    return guest


def ask(path, line):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(TIMEOUT)
    s.connect(path)
    s.sendall(line)
    return s


def answer(s):
    """The line that says OK, or b"" if it was refused."""
    line = b""
    while not line.endswith(b"\n"):
        try:
            byte = s.recv(1)
        except ConnectionResetError:  # not all of what was sent was read
            byte = b""
        if not byte:
            break
        line += byte
    return line


def receive_all(s):
    chunks = []
    while chunk := s.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)


def exchange(s, data):
    sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
    sender.start()
    got = receive_all(s)
    sender.join()
    return got


def test_host_connects(guest):
    guest.command("/mnt/vsock listen 1234 >/tmp/log & while [ ! -s /tmp/log ]; do sleep 0.1; done")
    s = ask(guest.path, b"CONNECT 1234\n")
    assert answer(s).startswith(b"OK ")
    assert exchange(s, b"hello") == b"hello"
    data = os.urandom(1 << 20) * 5
    s = ask(guest.path, b"CONNECT 1234\n")
    assert answer(s).startswith(b"OK ")
    assert exchange(s, data) == data
    several = [ask(guest.path, b"CONNECT 1234\n") for _ in range(20)]
    assert all(answer(s).startswith(b"OK ") for s in several)
    for i, s in enumerate(several):
        assert exchange(s, str(i).encode()) == str(i).encode()
    for nonsense in [b"CONNECT 99\n", b"CONNECT x\n", b"GET / HTTP/1.0\n", b"x" * 100]:
        assert answer(ask(guest.path, nonsense)) == b""
    s = ask(guest.path, b"CONNECT 1234\n")
    assert answer(s).startswith(b"OK ")
    assert exchange(s, b"still there") == b"still there"
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()
    assert not os.path.exists(guest.path)


def test_guest_connects(guest):
    received = []

    def serve(listener):
        for _ in range(2):
            s, _ = listener.accept()
            received.append(receive_all(s))
            s.sendall(b"got " + hashlib.md5(received[-1]).hexdigest().encode() + b"\n")
            s.close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(guest.path + "_52")
        listener.listen()
        server = threading.Thread(target=serve, args=[listener])
        server.start()
        said = guest.command("echo hello host | /mnt/vsock connect 2 52")
        assert said == "got " + hashlib.md5(b"hello host\n").hexdigest()
        said = guest.command("dd if=/dev/urandom of=/tmp/d bs=100k count=50 2>/dev/null;"
                             "/mnt/vsock connect 2 52 </tmp/d; md5sum </tmp/d")
        server.join(TIMEOUT)
    sums = said.replace("got ", "").replace("-", "").split()
    assert len(received[1]) == 5120000 and sums[0] == sums[1]
    for where in ["2 53", "9 52"]:
        assert "connect" in guest.command(f"/mnt/vsock connect {where} </dev/null")


def test_guest_sends_messages(guest):
    """By a seqpacket socket; the host answers each message with one of twice the length."""
    lengths = [1, 17, 5000, 70000, 100000]
    received = []

    def serve(listener):
        s, _ = listener.accept()
        while message := s.recv(1 << 20):
            received.append(message)
            s.sendall(message * 2)
        s.close()

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(guest.path + "_60")
        listener.listen()
        server = threading.Thread(target=serve, args=[listener])
        server.start()
        lines = "; ".join(f"head -c {n} /dev/zero | tr '\\0' {chr(97 + i)}; echo" for i, n in enumerate(lengths))
        said = guest.command(f"({lines}) | /mnt/vsock messages 2 60")
        server.join(TIMEOUT)
    assert said.split() == [str(2 * n) for n in lengths]
    assert received == [bytes([97 + i]) * n for i, n in enumerate(lengths)]
    assert "connect" in guest.command("/mnt/vsock messages 2 61 </dev/null")


@pytest.mark.parametrize("spec,says", [
    ("2", "a guest's CID"), ("x", "it takes CID"), ("7:/no/such/folder/v", "/no/such/folder/v"),
    ("7:/" + "x" * 200, "too long"), ("7:/etc/passwd", "no socket"),
])
def test_what_cannot_be(spec, says):
    run = subprocess.run([DOPPEL, "run", "--kernel", image("vmlinuz"), "--vsock", spec],
                         capture_output=True, text=True, timeout=60)
    assert run.returncode not in (0, 8) and says in run.stderr, run.stderr
