"""Boots the same kernel and the same initramfs of workloads on Doppel and on other emulators, and
compares the time each workload takes by the host's clock, between the line the guest prints before
and the line it prints after. Runs are interleaved; the table has medians.

Environment: BENCH_RUNS (3), BENCH_MACHINES (native,doppel,qemu,bochs), BENCH_ROWS (names or groups;
all), BENCH_PERCENT (100) of each workload's rounds, BENCH_TIMEOUT (900) seconds a boot.
"""

import argparse
import math
import os
import platform
import re
import select
import statistics
import subprocess
import sys
import time

import machines

GROUPS = ["boot", "integer", "float", "memory", "system"]
LINE = re.compile(rb"bench: (up|begin|end|done)(?: (\S+))?(?: (\S+))?(?: (\d+))?\s*$")


class Run:
    """What one boot of one machine gave."""

    def __init__(self, own_clock):
        self.own_clock = own_clock  # trust the guest's clock: there is no console in between
        self.seconds, self.groups, self.checksums, self.problem = {}, {}, {}, None
        self.begun = {}

    def line(self, text, now):
        m = LINE.search(text)
        if not m:
            return False
        word, name, third = (f.decode() if f else None for f in m.groups()[:3])
        if word == "up" and not self.own_clock:
            self.seconds["boot"], self.groups["boot"] = now - self.start, "boot"
        elif word == "begin":
            self.begun[name], self.groups[name] = now, third
        elif word == "end":
            self.checksums[name] = third
            self.seconds[name] = int(m[4]) / 1e9 if self.own_clock else now - self.begun[name]
        return word == "done"


def follow(run, console, deadline):
    """Read the console up to the last line or the deadline."""
    fds = [console.fd] + ([console.drain] if hasattr(console, "drain") else [])
    text = b""
    while True:
        ready = select.select(fds, [], [], max(0, min(1, deadline - time.monotonic())))[0]
        now = time.monotonic()
        if now > deadline:
            run.problem = "out of time"
            return
        if len(ready) == 0 and console.process.poll() is not None:
            run.problem = f"ended early with status {console.process.returncode}"
            return
        for fd in ready:
            try:
                data = os.read(fd, 65536)
            except OSError:
                data = b""
            if fd != console.fd:
                fds = fds if data else [console.fd]
                continue
            if not data:
                run.problem = f"ended early with status {console.process.wait()}"
                return
            *lines, text = (text + data).split(b"\n")
            for line in lines:
                if run.line(line, now):
                    return


def run_once(machine, out, timeout):
    run = Run(machine.own_clock)
    run.start = time.monotonic()
    console = machine.start(out)
    follow(run, console, run.start + timeout)
    if not console.stop(0 if run.problem else 30) and not run.problem:
        run.problem = "did not power off"
    return run


def chosen_machines(args, append):
    wanted = os.environ.get("BENCH_MACHINES", "native,doppel,qemu,bochs").split(",")
    found = []
    for name in wanted:
        if name == "doppel":
            found += [machines.Doppel(args, append, e) for e in doppel_engines(args.doppel)]
        else:
            kind = {"native": machines.Native, "qemu": machines.Qemu, "bochs": machines.Bochs}[name]
            found.append(kind(args, append))
    for m in found:
        if m.absent():
            print(f"{m.name} is left out: {m.absent()}")
    return [m for m in found if not m.absent()]


def doppel_engines(program):
    """Engines that work here, by doppel doctor."""
    asked = os.environ.get("BENCH_ENGINES")
    if asked:
        return asked.split(",")
    try:
        out = subprocess.run([program, "doctor"], capture_output=True, text=True).stdout
    except OSError:
        return []
    return re.findall(r"^works +(\S+)", out, re.M)


def median(runs, row):
    values = [r.seconds[row] for r in runs if row in r.seconds]
    return statistics.median(values) if values else None


def geometric(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def show_ms(seconds):
    return "-" if seconds is None else f"{seconds * 1e3:.0f}" if seconds >= 0.1 else f"{seconds * 1e3:.1f}"


def show_ratio(value):
    return "-" if value is None else f"{value:.2f}"


def ratio(table, row, slow, fast):
    a, b = table[slow].get(row), table[fast].get(row)
    return a / b if a and b else None


def markdown(table, rows, groups, notes):
    names = list(table)
    pairs = [(peer, own) for own in names if own.startswith("doppel")
             for peer in names if peer in ("bochs", "qemu tcg")]
    head = ["row", "group"] + [f"{n}, ms" for n in names] + [f"{own} vs {peer}" for peer, own in pairs]
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "---:|" * (len(head) - 2)]
    for row in rows:
        cells = [row, groups[row]] + [show_ms(table[n].get(row)) for n in names]
        cells += [show_ratio(ratio(table, row, peer, own)) for peer, own in pairs]
        lines.append("| " + " | ".join(cells) + " |")
    for group in GROUPS[1:]:
        of = [row for row in rows if groups[row] == group]
        if pairs and of:
            means = [geometric([r for r in (ratio(table, row, *pair) for row in of) if r]) for pair in pairs]
            lines.append(f"| geometric mean | {group} |" + " |" * len(names) + " " +
                         " | ".join(map(show_ratio, means)) + " |")
    return "\n".join(lines + ["", "A ratio above 1 says how many times as fast Doppel is.", ""] +
                     [f"- {note}" for note in notes]) + "\n"


def host_text():
    model = "unknown CPU"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}"


def version_text(program):
    """The version of the package a program comes from, where packages are known."""
    try:
        out = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", program],
                             capture_output=True, text=True).stdout
    except OSError:
        return ""
    return out.strip()


def check_sums(results):
    """Checksums that differ: some machine computes wrongly."""
    seen, wrong = {}, []
    for name, runs in results.items():
        for run in runs:
            for row, value in run.checksums.items():
                if seen.setdefault(row, (value, name))[0] != value:
                    wrong.append(f"{row}: {name} computed {value}, {seen[row][1]} {seen[row][0]}")
    return sorted(set(wrong))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    for option in ("doppel", "kernel", "initrd", "native", "out"):
        p.add_argument(f"--{option}", required=True)
    args = p.parse_args()
    runs = int(os.environ.get("BENCH_RUNS", "3"))
    timeout = float(os.environ.get("BENCH_TIMEOUT", "900"))
    append = " ".join(f"{key}={os.environ[name]}" for key, name in
                      (("rows", "BENCH_ROWS"), ("percent", "BENCH_PERCENT")) if name in os.environ)
    chosen = chosen_machines(args, append)
    results = {m.name: [] for m in chosen}
    for i in range(runs):
        for m in chosen:
            run = run_once(m, args.out, timeout)
            results[m.name].append(run)
            print(f"run {i + 1}/{runs} {m.name}: {len(run.seconds)} rows, "
                  f"{sum(run.seconds.values()):.1f} s{', ' + run.problem if run.problem else ''}", flush=True)
    groups = {row: group for rs in results.values() for r in rs for row, group in r.groups.items()}
    rows = sorted(groups, key=lambda row: GROUPS.index(groups[row]))
    table = {name: {row: median(rs, row) for row in rows} for name, rs in results.items()}
    wrong = check_sums(results)
    notes = [host_text(), f"medians of {runs} interleaved runs, host time between the guest's lines"]
    notes += [f"{m.name}: {m.about}" + (f"; {m.note()}" if hasattr(m, "note") else "") for m in chosen]
    notes += [v for v in map(version_text, ("qemu-system-x86", "bochs")) if v]
    notes += [f"WRONG RESULT: {w}" for w in wrong]
    notes += [f"{n}: {r.problem}" for n, rs in results.items() for r in rs if r.problem]
    text = markdown(table, rows, groups, notes)
    with open(os.path.join(args.out, "results.md"), "w") as f:
        f.write(text)
    print("\n" + text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
