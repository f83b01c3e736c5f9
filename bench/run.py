"""Boots the same kernel and the same initramfs of workloads on Doppel and on other emulators, and
compares the time each workload takes by the host's clock, between the line the guest prints before
and the line it prints after. All machines of a run are up at once, idle but for the one whose turn it
is: each row goes round the machines before the next begins. Every option has a variable BENCH_OPTION
in the environment, which is its default.
"""

import argparse
import os
import signal
import sys
import time

import machines
from console import Problem
from io_rows import DISK, NET, IoRows
from report import GROUPS, Results, Verdict, all_machines, host_text, version_text
from session import Session, run_batch

# Rows that have boots of their own, by what they may be asked for.
APART = {"two", "cpus", "peak-shell", "ssh", "disk", "net", *DISK, *NET}
SHELL_PROMPT = rb"# (\x1b\[6n)?$"  # the shell may ask the terminal where its cursor is


def parse_options():
    def option(name, default, text, **kw):
        default = os.environ.get("BENCH_" + name.upper().replace("-", "_"), default)
        p.add_argument(f"--{name}", default=default, help=f"{text} (default: {default})", **kw)

    p = argparse.ArgumentParser(description=__doc__)
    option("rows", "all", f"names of rows, or groups: {', '.join(GROUPS)}")
    option("runs", "3", "how often; the table has medians", type=int)
    option("machines", "native,doppel,qemu,bochs", "what to compare")
    p.add_argument("--peer", help="short for --machines doppel,PEER")
    option("engine", "auto", "Doppel's engine, or several with commas")
    option("cpu", "max", "Doppel's CPU model")
    option("doppel-options", "", "further options for doppel run")
    option("qemu-cpus", "EPYC,Nehalem-v1,qemu64", "QEMU's CPU models; each group is judged by the best for it")
    option("qemu-microvm-cpu", "EPYC", "the model for its machine microvm")
    option("qemu-accel", "tcg,thread=multi", "QEMU's accelerator")
    option("percent", "100", "how much of each workload's work", type=int)
    option("timeout", "900", "seconds for a boot, and for a row", type=float)
    p.add_argument("--fast", action="store_true", default=bool(os.environ.get("BENCH_FAST")),
                   help="boot each machine once, for all runs")
    p.add_argument("--build", default=os.environ.get("BUILD", "build"), help="build directory (%(default)s)")
    p.add_argument("--guest", default=os.environ.get("GUEST_DIR", "guest"), help="images (%(default)s)")
    args = p.parse_args()
    args.out = os.path.join(args.build, "bench")
    args.doppel, args.kernel = f"{args.build}/doppel", f"{args.guest}/vmlinuz"
    args.initrd, args.native = f"{args.out}/initrd.img", f"{args.out}/bench"
    args.shell_initrd = f"{args.guest}/initrd.img"
    args.debian = f"{args.guest}/debian-bench"
    args.wanted = None if args.rows == "all" else set(args.rows.split(","))
    if args.peer:
        args.machines = f"doppel,{args.peer}"
    for path in (args.doppel, args.kernel, args.initrd):
        if not os.path.exists(path):
            sys.exit(f"there is no {path}: scripts/bench.sh makes what is missing (after make all guest)")
    return args


class Bench:
    def __init__(self, args):
        self.args, self.results = args, Results()
        self.machines = [m for m in self.chosen() if not self.left_out(m)]

    def wants(self, *names):
        """Whether any of these rows or groups is asked for."""
        return self.args.wanted is None or bool(self.args.wanted.intersection(names))

    def chosen(self):
        for name in self.args.machines.split(","):
            if name == "doppel":
                yield from (machines.Doppel(self.args, e) for e in self.args.engine.split(","))
            elif name == "qemu":
                yield from (machines.Qemu(self.args, m) for m in self.args.qemu_cpus.split(","))
                if self.wants("boot-microvm", "boot"):
                    yield machines.Microvm(self.args, self.args.qemu_microvm_cpu)
            elif name in ("native", "bochs"):
                yield {"native": machines.Native, "bochs": machines.Bochs}[name](self.args)
            else:
                sys.exit(f"--machines: {name} is not native, doppel, qemu or bochs")

    def left_out(self, machine):
        why = machine.absent()
        if why:
            print(f"{machine.name} is left out: {why}")
        return why

    def of_kind(self, *kinds):
        return [m for m in self.machines if m.kind in kinds]

    def problem(self, machine, text):
        self.results.problems.append(f"{machine.name}: {text}")
        print(f"  {machine.name}: {text}", flush=True)

    # ---- rows

    def boot(self, machine, cpus=1):
        """A session, or None."""
        try:
            session = Session(machine, self.args.out, self.args.timeout, cpus)
        except (OSError, Problem) as problem:
            self.problem(machine, problem)
            return None
        return session

    def boot_rows(self, session):
        """Our own machine is set against both of QEMU's."""
        kind, rows = session.machine.kind, []
        if kind != "microvm":
            rows.append("boot-pc")
        if kind in ("microvm", "doppel"):
            rows.append("boot-microvm")
        for row in rows:
            if session.boot and self.wants(row, "boot"):
                self.results.add(session.machine.name, row, "boot", session.boot)

    def turn(self, session, row, group, name=None):
        """One row on one machine. Returns whether the machine is still good."""
        try:
            found = session.run(row, self.args.percent)
        except (OSError, Problem) as problem:
            self.problem(session.machine, f"{row}: {problem}")
            return False
        if found:
            self.results.add(session.machine.name, name or row, group, *found)
        return True

    def end(self, session, peak=False):
        if peak and not session.console.problem and self.wants("peak-end", "peak"):
            self.results.add(session.machine.name, "peak-end", "peak", session.console.peak_bytes())
        problem = session.end()
        if problem and problem not in " ".join(self.results.problems):
            self.problem(session.machine, problem)

    def listed(self, session):
        return {row: group for row, group in session.groups.items()
                if row not in APART and self.wants(row, group)}

    def run_rows(self, times):
        """Boot every machine; then times over, each row on each machine."""
        sessions, rows = [], {}
        for machine in self.machines:
            session = self.boot(machine) if machine.interactive else None
            if session:
                self.boot_rows(session)
                sessions.append(session)
        for session in [s for s in sessions if s.machine.kind == "microvm"]:
            session.console.stop()
            sessions.remove(session)
        for session in sessions:
            rows.update(self.listed(session))
        for _ in range(times):
            for row, group in rows.items():
                sessions = [s for s in sessions if self.turn(s, row, group) or self.end(s)]
        for session in sessions:
            self.end(session, peak=session.machine.kind != "native")
        for machine in self.machines:
            if not machine.interactive:
                self.run_batch(machine, rows)

    def run_batch(self, machine, rows):
        boot, found, problem = run_batch(machine, self.args.out, self.args.timeout, rows or ["none"],
                                         self.args.percent)
        if boot and self.wants("boot-pc", "boot"):
            self.results.add(machine.name, "boot-pc", "boot", boot)
        for row, (seconds, checksum) in found.items():
            self.results.add(machine.name, row, rows.get(row, "system"), seconds, checksum)
        if problem:
            self.problem(machine, problem)

    # ---- what has boots of its own

    def run_cpus(self, times):
        """Two busy processes on one CPU and on two, taking turns. One model for each peer. The same
        without a machine is always among them: it says what this host's CPUs can give two at once."""
        native = self.of_kind("native") or [machines.Native(self.args)]
        chosen = native + self.of_kind("doppel") + self.of_kind("qemu")[:1]
        sessions = [(self.boot(m, cpus), cpus) for m in chosen for cpus in (1, 2)]
        sessions = [(s, cpus) for s, cpus in sessions if s]
        for _ in range(times):
            for session, cpus in sessions:
                if not session.console.problem:
                    self.turn(session, "two", "cpus", f"two-on-{cpus}")
        for session, _ in sessions:
            self.end(session)

    def run_shell(self):
        """The memory of a machine that was booted to the shell of the default guest."""
        for machine in self.of_kind("doppel") + self.of_kind("qemu")[:1]:
            console = machine.start(self.args.out, 1, "", self.args.shell_initrd)
            try:
                console.wait_for(SHELL_PROMPT, time.monotonic() + self.args.timeout)
                time.sleep(0.5)  # the shell goes on to wait for input
                self.results.add(machine.name, "peak-shell", "peak", console.peak_bytes())
            except (OSError, Problem) as problem:
                self.problem(machine, f"peak-shell: {problem}")
            console.stop()

    def run(self):
        runs, sessions = self.args.runs, 1 if self.args.fast else self.args.runs
        for i in range(sessions):
            start = time.monotonic()
            if self.args.wanted is None or self.args.wanted - APART:
                self.run_rows(runs // sessions)
            if self.wants("two", "cpus"):
                self.run_cpus(runs // sessions)
            if self.wants("peak-shell", "peak"):
                self.run_shell()
            io = IoRows(self, self.args.debian)
            if io.wanted():
                io.run(runs // sessions)
            print(f"session {i + 1}/{sessions}: {time.monotonic() - start:.0f} s", flush=True)

    # ---- what came out

    def notes(self):
        runs = self.args.runs
        yield host_text()
        yield (f"medians of {runs} interleaved runs, " + ("one boot" if self.args.fast else "a boot each") +
               "; host time between the guest's lines")
        for m in self.machines:
            note = m.note()
            yield f"{m.name}: {m.about}" + (f"; {note}" if note else "")
        yield from (v for v in map(version_text, ("qemu-system-x86", "bochs")) if v)
        yield from (f"WRONG RESULT: {w}" for w in self.results.wrong())
        yield from self.results.problems

    def text(self):
        peers = [m.name for m in self.of_kind("qemu")]
        parts = [all_machines(self.results), "\n".join(f"- {note}" for note in self.notes()) + "\n"]
        if peers:
            parts += [Verdict(self.results, m.name, peers).table() for m in self.of_kind("doppel")]
        return "\n".join(parts)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(parse_options())
    bench.run()
    if not bench.results.groups:
        sys.exit("no row was run: " + ("; ".join(bench.results.problems) or "--rows names none"))
    text = bench.text()
    with open(os.path.join(bench.args.out, "results.md"), "w") as f:
        f.write(text)
    print("\n" + text)
    return 1 if bench.results.wrong() else 0


if __name__ == "__main__":
    sys.exit(main())
