"""Fixtures: guest images, and machines on a terminal of their own."""

import fcntl
import os
import pathlib
import pty
import struct
import subprocess
import tempfile
import termios
import time

import pexpect
import pexpect.fdpexpect
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", ROOT / "build"))
GUEST = (ROOT / (os.environ.get("GUEST_DIR") or os.environ.get("DOPPEL_GUEST_DIR", "guest"))).resolve()
DOPPEL = os.environ.get("DOPPEL", str(BUILD / "doppel"))
# A hang is found by waiting; a slow or busy host must not look like one.
TIMEOUT = float(os.environ.get("DOPPEL_TEST_TIMEOUT", "400"))
PROMPT = "guest:[^\r\n]*# "


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out of make test, part of make test-all")
    config.addinivalue_line("markers", "engines: part of make test under each engine")


def working_engines():
    """As `doppel doctor` lists them, best first; what --engine auto takes is among them. Lockstep is
    two of the others at once and has tests of its own."""
    said = subprocess.run([DOPPEL, "doctor"], capture_output=True, text=True, timeout=60).stdout
    names = [line.split()[1] for line in said.splitlines() if line.startswith("works")]
    return [name for name in names if name != "lockstep"]


ENGINES = working_engines()


def pytest_generate_tests(metafunc):
    """What boots, boots under the best engine; with the marker `engines` under each. All others of
    the combinations are slow."""
    if "engine" in metafunc.fixturenames:
        quick = ENGINES if metafunc.definition.get_closest_marker("engines") else ENGINES[:1]
        metafunc.parametrize("engine", [e if e in quick else pytest.param(e, marks=pytest.mark.slow)
                                        for e in ENGINES])


def image(name):
    path = GUEST / name
    if not path.exists():
        reason = f"no {path}: make guest-test downloads it"
        if os.environ.get("OFFLINE"):
            pytest.skip(reason)
        pytest.fail(reason + ", OFFLINE=1 leaves out what needs it")
    return str(path)


def own_terminal():
    """In the child: standard input is its controlling terminal, as it is a person's."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Guest:
    """`doppel run` on a terminal: pexpect's methods on its console."""

    def __init__(self, *options, kernel="vmlinuz", initrd="initrd.img", append="quiet", cpus=1,
                 memory="512M", size=None):
        argv = [DOPPEL, "run", "--kernel", image(kernel), "--cpus", str(cpus), "--memory", memory,
                "--append", f"console=ttyS0 {append}".strip(), *options]
        if initrd:
            argv += ["--initrd", image(initrd)]
        self.master, slave = pty.openpty()
        if size:  # rows, columns
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.before_run = termios.tcgetattr(self.master)
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=self.errors,
                                        start_new_session=True, preexec_fn=own_terminal)
        os.close(slave)
        self.console = pexpect.fdpexpect.fdspawn(self.master, timeout=TIMEOUT, encoding="utf-8",
                                                 codec_errors="replace")
        self.log = self.console.logfile_read = tempfile.TemporaryFile("w+")

    def expect(self, pattern, **kw):
        """Wait for it; a failure shows what the console said instead."""
        patterns = pattern if isinstance(pattern, list) else [pattern]
        deadline = time.monotonic() + kw.pop("timeout", TIMEOUT)
        while time.monotonic() < deadline:
            i = self.console.expect([*patterns, pexpect.TIMEOUT, pexpect.EOF], timeout=1)
            if i < len(patterns):
                return i
            if i > len(patterns) or self.process.poll() is not None:
                self.process.wait()
                pytest.fail(f"ended with status {self.process.returncode} before {pattern!r}\n"
                            f"{self.transcript()}")
        pytest.fail(f"no {pattern!r}\n{self.transcript()}")

    def shell(self):
        self.expect(r"doppel: guest is up: Linux (\S+) (\S+), (\d+) CPUs, (\d+) MiB")
        up = self.console.match.groups()
        self.expect(PROMPT)
        return up

    def command(self, text):
        """Type a command; returns what it printed."""
        self.console.send(text + "\r")
        self.expect(r"\n")
        self.expect(PROMPT)
        return self.console.before.replace("\r", "").replace("\x1b[6n", "").strip()

    def wait(self):
        """The exit status; reads on, so that the guest is never stuck on its console."""
        end = time.monotonic() + TIMEOUT
        while self.process.poll() is None and time.monotonic() < end:
            self.console.expect([pexpect.TIMEOUT, pexpect.EOF], timeout=0.05)
        assert self.process.poll() is not None, f"still running\n{self.transcript()}"
        assert termios.tcgetattr(self.master) == self.before_run, "the terminal was not restored"
        return self.process.returncode

    def transcript(self):
        self.errors.seek(0)
        self.log.seek(0)
        return f"--- console\n{self.log.read()[-4000:]}\n--- standard error\n{self.errors.read()[-4000:]}"

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


@pytest.fixture
def start():
    """Start a guest; all of them are ended with the test."""
    guests = []

    def make(*args, **kw):
        guests.append(Guest(*args, **kw))
        return guests[-1]
    yield make
    for guest in guests:
        guest.close()


@pytest.fixture
def boot(start, engine):
    """Start a guest under the engine of the test."""
    return lambda *options, **kw: start("--engine", engine, *options, **kw)
