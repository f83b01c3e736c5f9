"""The doppel command on small hostile guests, flat boot images built from the .S files here: however
a guest misbehaves it is modelled or reported, and the user can always quit."""

import os
import signal
import subprocess
import time

import pexpect
import pytest

DOPPEL = os.environ["DOPPEL"]
IMAGES = os.environ["IMAGES"]
ENGINE = os.environ.get("DOPPEL_TEST_ENGINE", "interpret")
if ENGINE not in subprocess.run([DOPPEL, "__complete", "engine"], capture_output=True, text=True,
                                timeout=120).stdout.split():
    os._exit(77)  # what meson takes for skipped; pytest has no status for it while it collects


def command(guest, *args):
    return [DOPPEL, "run", "--quiet", "--engine", ENGINE, "--memory", "64M",
            "--kernel", os.path.join(IMAGES, guest), *args]


def run(guest, *args):
    return subprocess.run(command(guest, *args), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120)


@pytest.mark.parametrize("clock", ["real", "counted"])
def test_consoles_and_status(clock):
    r = run("status", "--clock", clock)
    assert (r.returncode, r.stdout, r.stderr) == (43, "a", "d")


@pytest.mark.parametrize("cpus", ["1", "2", "64"])
def test_the_least_code_cache(cpus):
    r = run("status", "--cpus", cpus, "--code-cache", f"{cpus}M")
    assert (r.returncode, r.stderr) == (43, "d")


def test_crash_report():
    r = run("triple", "--cpus", "2")
    assert (r.returncode, r.stdout) == (6, "t")
    assert "triple fault on CPU 0" in r.stderr
    assert "RBX=0000000012345678" in r.stderr
    assert "code: 0f 0b" in r.stderr
    assert "ud2" in r.stderr


@pytest.mark.parametrize("guest,status", [("ports", 3), ("msrs", 5), ("outside", 7)])
def test_wild_accesses_are_modelled(guest, status):
    r = run(guest)
    assert (r.returncode, r.stdout, r.stderr) == (status, "", "")


@pytest.mark.parametrize("clock", ["real", "counted"])
@pytest.mark.parametrize("cpus", ["1", "4"])
@pytest.mark.parametrize("guest", ["spin", "flood", "dead", "reset"])
def test_quitting(guest, cpus, clock):
    for how in ["key", "signal", "hangup"] if cpus == "4" else ["key"]:
        argv = command(guest, "--cpus", cpus, "--clock", clock)
        child = pexpect.spawn(argv[0], argv[1:], timeout=90)
        child.delaybeforesend = None
        child.expect(guest[0] if guest != "dead" else "h")
        begin = time.monotonic()
        if how == "key":
            child.send("\x01x")
        elif how == "signal":
            child.kill(signal.SIGTERM)
        else:
            child.ptyproc.fileobj.close()
            child.ptyproc.closed = True
        if how == "hangup":
            status = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
        else:
            child.expect(pexpect.EOF)
            child.wait()
            status = child.exitstatus
        assert status == 8
        # It takes some 10 ms; the limit is for busy hosts.
        assert time.monotonic() - begin < 30


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_halted_machines_cost_nothing():
    for clock in ["real", "counted"]:
        p = subprocess.Popen(command("dead", "--clock", clock), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE)
        assert p.stdout.read(1) == b"h"
        before = cpu_ticks(p.pid)
        time.sleep(1)
        ticks = cpu_ticks(p.pid) - before
        p.terminate()
        assert p.wait(90) == 8
        p.stdout.close()
        assert ticks < 0.1 * os.sysconf("SC_CLK_TCK")


def test_counted_runs_of_hostile_guests_repeat():
    for guest in ["ports", "msrs"]:
        stats = set()
        for _ in range(2):
            r = run(guest, "--clock", "counted", "--cpus", "2", "--stats")
            stats.add("\n".join(line for line in r.stderr.splitlines()
                                if not line.startswith(("host_time", "mips", "translate_ns",
                                                         "translate_host_bytes"))))
        assert len(stats) == 1
        assert "memory_hash" in stats.pop()
