"""What came out: a table of all machines, and the verdict, which sets each row of one of our engines
against QEMU's best and against what is aimed at."""

import math
import os
import platform
import statistics
import subprocess

GROUPS = ["boot", "integer", "float", "memory", "system", "compile", "cpus", "ssh", "disk", "net", "peak"]

# (row, group, how its ratio comes from the group's rows, what is aimed at)
MEANS = [("integer, geometric mean", "integer", "mean", 2.5),
         ("integer, lowest row", "integer", "min", 1.0),
         ("float, geometric mean", "float", "mean", 6.0),
         ("memory, geometric mean", "memory", "mean", 6.0)]
TARGETS = {"syscall": 1.5, "pipe": 1.5, "fork": 2.0, "exec": 2.0, "pages": 2.0, "boot-pc": 3.0,
           "boot-microvm": 2.0, "compile": 2.5, "peak-shell": 1.0, "peak-end": 1.0, "ssh": 2.5}
GROUP_TARGETS = {"disk": 2.0, "net": 2.0}  # of each row
TWO_CPUS_TARGET = 1.8


class Results:
    def __init__(self):
        self.values = {}     # machine: {row: [seconds, or bytes in the group peak]}
        self.groups = {}     # row: group
        self.checksums = []  # (machine, row, checksum)
        self.problems = []

    def add(self, machine, row, group, value, checksum=None):
        self.values.setdefault(machine, {}).setdefault(row, []).append(value)
        self.groups[row] = group
        if checksum:
            self.checksums.append((machine, row, checksum))

    def median(self, machine, row):
        values = self.values.get(machine, {}).get(row)
        return statistics.median(values) if values else None

    def rows(self, group=None):
        """In the order of the groups, within one in that of the guest."""
        rows = [row for row in self.groups if group in (None, self.groups[row])]
        return sorted(rows, key=lambda row: GROUPS.index(self.groups[row]))

    def wrong(self):
        """Checksums that differ: some machine computes wrongly."""
        seen, wrong = {}, set()
        for machine, row, value in self.checksums:
            first = seen.setdefault(row, (value, machine))
            if first[0] != value:
                wrong.add(f"{row}: {machine} computed {value}, {first[1]} {first[0]}")
        return sorted(wrong)


def geometric(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def show(value, group):
    if value is None:
        return "-"
    if group == "peak":
        return f"{value / 2**20:.1f} MiB"
    return f"{value * 1e3:.0f}" if value >= 0.1 else f"{value * 1e3:.1f}"


def show_ratio(value):
    return "-" if value is None else f"{value:.2f}"


def markdown(head, lines):
    """Columns to the same width, so that a terminal shows a table too."""
    width = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    rule = ["-" * width[0]] + ["-" * (w - 1) + ":" for w in width[1:]]
    rows = [[line[0].ljust(width[0])] + [cell.rjust(w) for cell, w in zip(line[1:], width[1:])]
            for line in [head, rule, *lines]]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def all_machines(results):
    names = list(results.values)
    lines = [[row, results.groups[row]] +
             [show(results.median(name, row), results.groups[row]) for name in names]
             for row in results.rows()]
    return markdown(["row", "group", *(f"{name}, ms" for name in names)], lines)


def best_peer(results, group, names):
    """The peer that is fastest (or smallest) in the geometric mean of the group's rows, of those
    that have them all."""
    best = (None, None)
    for name in names:
        values = [results.median(name, row) for row in results.rows(group) if row != "boot-microvm"]
        if values and all(values):
            mean = geometric(values)
            best = min(best, (mean, name), key=lambda pair: pair[0] or math.inf)
    return best[1]


class Verdict:
    def __init__(self, results, own, peers):
        self.results, self.own = results, own
        self.best = {group: best_peer(results, group, peers) for group in GROUPS}
        self.lines, self.reached, self.aimed = [], 0, 0

    def ratio(self, row):
        peer = "qemu microvm" if row == "boot-microvm" else self.best[self.results.groups[row]]
        slow, fast = self.results.median(peer, row), self.results.median(self.own, row)
        return slow / fast if slow and fast else None

    def line(self, row, peer, peer_text, own_text, ratio, target):
        met = ""
        if target and ratio is not None:
            self.aimed += 1
            self.reached += ratio >= target
            met = "yes" if ratio >= target else "no"
        self.lines.append([row, peer or "", peer_text, own_text, show_ratio(ratio),
                           f"{target:.1f}" if target else "", met])

    def one_row(self, row):
        group = self.results.groups[row]
        peer = "qemu microvm" if row == "boot-microvm" else self.best[group]
        values = [show(self.results.median(name, row), group) for name in (peer, self.own)]
        self.line(row, peer, *values, self.ratio(row), TARGETS.get(row, GROUP_TARGETS.get(group)))

    def two_cpus(self):
        def speedup(name):
            one, two = self.results.median(name, "two-on-1"), self.results.median(name, "two-on-2")
            return one / two if one and two else None
        peer, own, host = speedup(self.best["cpus"]), speedup(self.own), speedup("native")
        self.line("two CPUs against one of one's own", self.best["cpus"],
                  f"{show_ratio(peer)} x", f"{show_ratio(own)} x", own, TWO_CPUS_TARGET)
        if own and host:
            self.line("and as a share of the host's own", "native", f"{show_ratio(host)} x",
                      f"{show_ratio(own)} x", own / host, None)

    def table(self):
        for group in GROUPS:
            for row in self.results.rows(group):
                self.one_row(row)
            for name, of, how, target in MEANS:
                ratios = [r for r in map(self.ratio, self.results.rows(group)) if r] if of == group else []
                if ratios:
                    value = geometric(ratios) if how == "mean" else min(ratios)
                    self.line(name, self.best[group], "", "", value, target)
            if group == "cpus" and self.results.rows(group):
                self.two_cpus()
        head = ["row", "against", "qemu, ms", f"{self.own}, ms", "ratio", "target", "reached"]
        return (markdown(head, self.lines) + f"\nA ratio is QEMU's time (or memory) to {self.own}'s. "
                f"{self.reached} of {self.aimed} targets reached.\n")


def host_text():
    model = "unknown CPU"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}"


def version_text(package):
    """The version of a package, where packages are known."""
    try:
        out = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", package],
                             capture_output=True, text=True).stdout
    except OSError:
        return ""
    return out.strip()
