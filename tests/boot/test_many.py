"""Many machines on one host at the same time: each is reached at its own forwarded port and answers
as itself, whatever ends of the others; a machine that has nothing to do takes next to no CPU time.

DOPPEL_TEST_MACHINES: how many (20)."""

import os
import time
import urllib.request

import pytest
from test_net import MODULES, free_port, lease

MACHINES = max(4, int(os.environ.get("DOPPEL_TEST_MACHINES", "20")))
IDLE_SECONDS = 20
IDLE_CPU = 0.01
pytestmark = pytest.mark.slow


def serve(guest, name):
    guest.shell()
    guest.command("stty columns 1000")  # or long commands come back wrapped
    assert lease(guest)[0] == "10.0.2.15"
    guest.command(f"mkdir /tmp/www; echo {name} >/tmp/www/name; httpd -p 8000 -h /tmp/www")


def ask(port):
    """Who answers; a server that was started just now may need a moment."""
    for _ in range(50):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/name", timeout=60).read().decode().strip()
        except OSError as error:
            why = error
            time.sleep(0.2)
    pytest.fail(f"nobody answers at port {port}: {why}")


def all_answer(machines):
    for name, (guest, port) in machines.items():
        assert guest.process.poll() is None, guest.transcript()
        assert ask(port) == name


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        user, system = f.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def idle_shares(machines):
    """How much of a CPU each takes, by name."""
    before = {name: cpu_seconds(guest.process.pid) for name, (guest, _) in machines.items()}
    begin = time.monotonic()
    time.sleep(IDLE_SECONDS)
    passed = time.monotonic() - begin
    return {name: (cpu_seconds(guest.process.pid) - before[name]) / passed
            for name, (guest, _) in machines.items()}


def idle_enough(machines):
    """On a busy host more than once; machines may still have something to do at first."""
    for _ in range(4):
        shares = idle_shares(machines)
        print("idle, percent of a CPU:", {name: round(100 * share, 2) for name, share in shares.items()})
        if max(shares.values()) < IDLE_CPU:
            return
    pytest.fail(f"not idle: {shares}")


def test_many(start):
    machines = {}
    for i in range(MACHINES):
        port = free_port()
        net = f"user,forward=tcp:127.0.0.1:{port}:8000"
        machines[f"machine-{i}"] = (start("--net", net, initrd=MODULES, memory="128M"), port)
    for name, (guest, _) in machines.items():
        serve(guest, name)
    all_answer(machines)
    idle_enough(machines)

    killed, _ = machines.pop("machine-0")
    killed.process.kill()
    killed.process.wait()
    all_answer(machines)

    reset = machines.pop("machine-1")
    reset[0].console.send("reboot\r")
    all_answer(machines)
    serve(reset[0], "machine-1 again")
    machines["machine-1 again"] = reset
    all_answer(machines)

    off, _ = machines.pop("machine-2")
    off.console.send("poweroff\r")
    assert off.wait() == 0, off.transcript()
    all_answer(machines)
    idle_enough(machines)
