"""A machine that was booted with the guest of workloads: runs one when told to, so that machines can
take turns row by row."""

import re
import time

from console import Problem

LINE = re.compile(rb"bench: (up|row|ready|begin|end|skip|done)(?: (\S+))?(?: (\S+))?(?: (\d+))?\s*$")


class Session:
    def __init__(self, machine, directory, timeout, cpus=1):
        """Boots it. self.boot is the time from its start to the first line of user space, or None
        where nothing was booted; self.groups has the workloads it offers."""
        self.machine, self.timeout, self.groups = machine, timeout, {}
        start = time.monotonic()
        self.console = machine.start(directory, cpus, "session=1")
        try:
            up = self.expect(b"up", start + timeout)[1]
            self.expect(b"ready", start + timeout)
        except Problem:
            self.console.stop()
            raise
        self.boot = None if machine.own_clock else up - start

    def expect(self, word, deadline):
        """The fields of the next line of the workloads that begins with the word, and its time."""
        while True:
            text, now = self.console.line(deadline)
            m = LINE.search(text)
            if m and m[1] == b"row":
                self.groups[m[2].decode()] = m[3].decode()
            elif m and m[1] == b"skip":
                return None, now
            elif m and m[1] == word:
                return [f.decode() if f else None for f in m.groups()[1:]], now

    def run(self, row, percent):
        """Seconds and checksum; None if this guest cannot run the row."""
        deadline = time.monotonic() + self.timeout
        self.console.send(f"run {row} {percent}\n")
        fields, begun = self.expect(b"begin", deadline)
        if not fields:
            return None
        fields, ended = self.expect(b"end", deadline)
        # Trust the guest's clock where there is no console in between.
        return int(fields[2]) / 1e9 if self.machine.own_clock else ended - begun, fields[1]

    def end(self):
        """Power off. Returns None, or what was wrong."""
        if self.console.problem:
            self.console.stop()
            return self.console.problem
        try:
            self.console.send("quit\n")
            self.expect(b"done", time.monotonic() + 30)
        except (OSError, Problem) as problem:
            self.console.stop()
            return str(problem)
        return None if self.console.stop(30) else "did not power off"


def run_batch(machine, directory, timeout, rows, percent):
    """A machine that cannot be talked to: one boot with all rows. Returns boot time, {row: (seconds,
    checksum)} and None or a problem."""
    start = time.monotonic()
    console = machine.start(directory, 1, f"rows={','.join(rows)} percent={percent}")
    boot, found, begun = None, {}, 0
    try:
        while True:
            text, now = console.line(start + timeout)
            m = LINE.search(text)
            if m and m[1] == b"up":
                boot = now - start
            elif m and m[1] == b"begin":
                begun = now
            elif m and m[1] == b"end":
                found[m[2].decode()] = (now - begun, m[3].decode())
            elif m and m[1] == b"done":
                return boot, found, None if console.stop(30) else "did not power off"
    except Problem as problem:
        console.stop()
        return boot, found, str(problem)
