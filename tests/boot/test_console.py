"""Several virtio consoles in one boot, of each kind; the size of the terminal in the guest."""

import fcntl
import os
import re
import socket
import struct
import termios
import time
import tty

import pexpect.fdpexpect
from conftest import TIMEOUT

MODULES = "initrd-modules.img"


def resize(guest, columns, rows):
    """As a terminal does when its window changes; the kernel sends SIGWINCH."""
    fcntl.ioctl(guest.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def end_of(fd):
    return pexpect.fdpexpect.fdspawn(fd, timeout=TIMEOUT, encoding="utf-8", codec_errors="replace")


def contains(path, text):
    end = time.monotonic() + TIMEOUT
    while text not in path.read_text():
        assert time.monotonic() < end, path.read_text()
        time.sleep(0.1)


def test_all_kinds_at_once(boot, tmp_path):
    """The shell on hvc0 is this terminal's; others are written to and read from by their ends. What a
    pseudo-terminal gets goes to the socket through the guest, and back."""
    out, link, path = tmp_path / "out", tmp_path / "pty", tmp_path / "socket"
    guest = boot("--console", "stdio", "--console", f"pty={link}", "--console", f"file={out}",
                 "--console", f"socket={path}", "--console", f"socket={path}2,name=org.doppel.test",
                 initrd=MODULES, append="quiet console=hvc0")
    guest.shell()
    guest.command("stty columns 1000")
    assert guest.command("tty; ls /dev | grep -c '^hvc'; cat /sys/class/virtio-ports/*/name").split() == \
        ["/dev/hvc0", "8", "org.doppel.test"]
    pty = os.open(link, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(pty)
    pty = end_of(pty)
    with socket.socket(socket.AF_UNIX) as third, socket.socket(socket.AF_UNIX) as port:
        third.connect(str(path))
        port.connect(str(path) + "2")
        three, named = end_of(third.fileno()), end_of(port.fileno())
        guest.command("raw() { stty raw -echo; cat; }; raw </dev/hvc1 >/dev/hvc3 & raw </dev/hvc3 >/dev/hvc1 &")
        guest.command("until stty -a </dev/hvc1 | grep -q -e -icanon; do sleep 0.1; done")
        guest.command("until stty -a </dev/hvc3 | grep -q -e -icanon; do sleep 0.1; done")
        guest.command("while read x; do echo got $x >&0; done <>/dev/vport0p4 &")
        text = "".join(f"{i} squared is {i * i}." for i in range(500))
        for write, read in ((pty, three), (three, pty)):
            write.send(text + "end\n")
            read.expect_exact("end\n")
            assert read.before == text
        named.send("hello port\n")
        named.expect_exact("got hello port")
    guest.command("echo for the file >/dev/hvc2; seq 400 >/dev/hvc2")
    contains(out, "\n400\n")
    assert out.read_text() == "for the file\n" + "".join(f"{i + 1}\n" for i in range(400))
    with socket.socket(socket.AF_UNIX) as third:  # the next one at the same socket
        third.connect(str(path))
        pty.send("still there\n")
        end_of(third.fileno()).expect_exact("still there")
    said = guest.errors
    said.seek(0)
    assert re.search(r"^doppel: console: /dev/pts/\d+$", said.read(), re.M)
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()
    assert not path.exists() and not os.path.lexists(link)


def size_is(guest, rows, columns):
    end = time.monotonic() + TIMEOUT
    while (said := guest.command("stty size")) != f"{rows} {columns}":
        assert time.monotonic() < end, f"{said}, not {rows} {columns}"
        time.sleep(0.2)


def test_size_of_the_terminal(boot):
    guest = boot("--console", "stdio", initrd=MODULES, append="quiet console=hvc0", size=(33, 111))
    guest.shell()
    size_is(guest, 33, 111)
    resize(guest, 97, 44)
    size_is(guest, 44, 97)
    guest.command("(trap 'echo winch >/tmp/winch' WINCH; while [ ! -e /tmp/winch ]; do sleep 0.1; done) &")
    resize(guest, 140, 50)
    size_is(guest, 50, 140)
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()
