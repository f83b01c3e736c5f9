"""A running machine: what it prints on its serial console, with the time of each line; what it is
sent; how much memory its process came to."""

import atexit
import os
import re
import select
import subprocess
import time


class Problem(Exception):
    """A machine that ended, hung or said something else than it should."""


class Console:
    def __init__(self, process, out, into=None, drain=None):
        """Read from the descriptor out, write to into; drain is read and forgotten."""
        self.process, self.out, self.into, self.drain = process, out, into, drain
        self.text, self.lines, self.problem = b"", [], None
        atexit.register(process.kill)  # no machine outlives the runner

    def fail(self, text):
        self.problem = text
        raise Problem(text)

    def receive(self, deadline):
        """One read, up to the deadline: appends to self.text. Returns the time of it."""
        while True:
            fds = [fd for fd in (self.out, self.drain) if fd is not None]
            ready = select.select(fds, [], [], max(0, min(1, deadline - time.monotonic())))[0]
            now = time.monotonic()
            if now > deadline:
                self.fail("out of time")
            if not ready and self.process.poll() is not None:
                self.fail(f"ended early with status {self.process.returncode}")
            for fd in ready:
                try:
                    data = os.read(fd, 65536)
                except OSError:
                    data = b""
                if fd == self.drain:
                    self.drain = self.drain if data else None
                elif not data:
                    self.fail(f"ended early with status {self.process.wait()}")
                else:
                    self.text += data
                    return now

    def line(self, deadline):
        """The next line and the time it was read."""
        while not self.lines:
            now = self.receive(deadline)
            *whole, self.text = self.text.split(b"\n")
            self.lines = [(line, now) for line in whole]
        return self.lines.pop(0)

    def wait_for(self, pattern, deadline):
        """Until it has printed this, a prompt perhaps, which ends no line."""
        while not re.search(pattern, self.text):
            self.receive(deadline)

    def send(self, text):
        os.write(self.into, text.encode())

    def peak_bytes(self):
        """The most memory the monitor's process had so far."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"VmHWM:\s*(\d+) kB", f.read())[1]) * 1024

    def stop(self, timeout=0):
        """Wait for it to end by itself, or end it. Returns whether it did by itself."""
        try:
            self.process.wait(timeout)
            clean = True
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            clean = False
        for fd in {self.out, self.into, self.drain} - {None}:
            os.close(fd)
        return clean
