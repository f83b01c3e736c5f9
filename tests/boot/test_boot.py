"""Real systems from packages, booted as people boot them: to a shell that answers, and off."""

import os
import signal
import subprocess
import time

import pexpect
import pytest
from conftest import BUILD, ENGINES, TIMEOUT, image

slow = pytest.mark.slow


def answer_and_power_off(guest, cpus, machine="x86_64"):
    _, arch, up_cpus, up_mib = guest.shell()
    assert (arch, int(up_cpus)) == (machine, cpus)
    assert guest.command("echo $((6 * 7))-$(uname -m)") == f"42-{machine}"
    assert guest.command("nproc") == str(cpus)
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()
    return int(up_mib)


# ---- kernels, CPUs, memory

@pytest.mark.engines
@pytest.mark.parametrize("cpus", [1, pytest.param(2, marks=slow)])
def test_each_engine(boot, cpus):
    answer_and_power_off(boot(cpus=cpus), cpus)


@pytest.mark.parametrize("cpus,memory", [
    (2, 128), (4, 4096), pytest.param(1, 512, marks=slow),
    pytest.param(1, 128, marks=slow), pytest.param(1, 4096, marks=slow),
    pytest.param(2, 512, marks=slow), pytest.param(2, 4096, marks=slow),
    pytest.param(4, 128, marks=slow), pytest.param(4, 512, marks=slow),
])
def test_cloud_kernel(boot, cpus, memory):
    mib = answer_and_power_off(boot(cpus=cpus, memory=f"{memory}M"), cpus)
    assert memory * 0.6 < mib <= memory


@pytest.mark.parametrize("cpus", [1, pytest.param(2, marks=slow), pytest.param(4, marks=slow)])
def test_general_kernel(boot, cpus):
    answer_and_power_off(boot(kernel="vmlinuz-amd64", cpus=cpus), cpus)


@pytest.mark.parametrize("cpus", [1, pytest.param(2, marks=slow), pytest.param(4, marks=slow)])
def test_32_bit_kernel(boot, cpus):
    answer_and_power_off(boot(kernel="vmlinuz-686", initrd="initrd-686.img", cpus=cpus), cpus, "i686")


def test_multiboot_image(boot):
    """The Xen hypervisor without a first domain: it comes up on its own page tables, in long mode,
    from the 32-bit start of Multiboot, and stops where it wants that domain."""
    guest = boot(kernel="xen", initrd=None, append="com1=115200,8n1 console=com1 noreboot")
    guest.expect(r"\(XEN\) Xen version 4")
    guest.expect(r"dom0 kernel not specified")
    guest.console.send("\x01x")
    assert guest.wait() == 8


# ---- choices an engine makes badly on purpose

@pytest.mark.skipif("translate" not in ENGINES, reason="no engine translates")
@pytest.mark.parametrize("cpus", [1, pytest.param(2, marks=slow)])
@pytest.mark.parametrize("options", [
    "--stress=translate-all", "--stress=tiny-cache",
    *[pytest.param(o, marks=slow) for o in [
        "--no-pass=all", "--stress=one-insn", "--stress=no-chain", "--stress=random-regs=1",
        "--stress=random-regs=2", "--stress=no-trace", "--stress=hot=2", "--code-cache=2M",
        "--stress=tiny-cache,no-chain,random-regs=3,no-trace,translate-all"]],
])
def test_stress(start, cpus, options):
    answer_and_power_off(start("--engine", "translate", options, cpus=cpus), cpus)


# ---- the shell

def press(guest, key, until):
    """Again and again: what it is for may not have begun yet."""
    for _ in range(int(TIMEOUT)):
        time.sleep(0.5)
        guest.console.send(key)
        if guest.console.expect([until, pexpect.TIMEOUT], timeout=1) == 0:
            return
    pytest.fail(f"{key!r} does not bring {until!r}\n{guest.transcript()}")


def test_job_control_and_leaving_the_shell(boot):
    guest = boot()
    guest.shell()
    guest.console.send("sleep 1000\r")
    press(guest, "\x03", "guest:")
    guest.console.send("\rsleep 1000\r")
    press(guest, "\x1a", "Stopped")
    guest.console.send("\rkill %1; exit\r")
    guest.expect("exit")
    guest.console.send("exit\r")  # the first one warns about the stopped job
    assert guest.wait() == 0, guest.transcript()


@pytest.mark.parametrize("command, says", [('"echo it ran; false"', "it ran.*exit 1"), ("true", "exit 0")])
def test_command_on_the_kernel_command_line(boot, command, says):
    guest = boot(append=f"doppel.run={command} quiet")
    guest.expect(f"(?s)doppel: guest is up.*{says}")
    assert guest.wait() == 0, guest.transcript()


def test_no_kernel_complaints(boot):
    """Nothing the kernel itself calls a failure of this machine."""
    guest = boot(append='doppel.run="dmesg -r | grep \'^<[0-3]>\'; dmesg | grep -c W[A]RNING:"')
    guest.expect("doppel: guest is up")
    guest.expect(r"doppel: exit \d")
    said = guest.console.before.split("MiB", 1)[-1].replace("\r", "").strip().splitlines()
    assert said == ["0"], said
    assert guest.wait() == 0


# ---- ending it from outside; what it costs

def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("cpus", [1, pytest.param(4, marks=slow)])
def test_idle_costs_little_and_ctrl_a_x_quits(boot, cpus):
    guest = boot(cpus=cpus)
    guest.shell()
    for _ in range(20):  # on a busy host it may still have something to do
        begin, used = time.monotonic(), cpu_seconds(guest.process.pid)
        time.sleep(2)
        share = (cpu_seconds(guest.process.pid) - used) / (time.monotonic() - begin)
        if share < 0.10 * cpus:
            break
    assert share < 0.10 * cpus, f"an idle guest used {share:.0%} of a CPU"
    guest.console.send("\x01x")
    assert guest.wait() == 8


def test_sigterm_ends_it(boot):
    guest = boot(append="")
    guest.expect("Linux version")
    guest.process.send_signal(signal.SIGTERM)
    assert guest.wait() == 8


def test_two_at_once(boot):
    guests = [boot(append=f'quiet doppel.run="echo I am {i}"') for i in range(2)]
    for i, guest in enumerate(guests):
        guest.expect(f"I am {i}")
    assert [guest.wait() for guest in guests] == [0, 0]


# ---- the counted clock

@pytest.mark.parametrize("cpus", [1, pytest.param(2, marks=slow)])
def test_counted_runs_are_identical(engine, cpus):
    argv = [BUILD / "tests/boot/boot-repeat", image("vmlinuz"), image("initrd.img"),
            'console=ttyS0 doppel.run="cat /proc/uptime /proc/interrupts; date"', str(cpus), "256", engine]
    runs = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [run.communicate(timeout=TIMEOUT)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert "memory" in outputs[0]
    assert outputs[0].splitlines() == outputs[1].splitlines()


def ending(output, cpus):
    """What of boot-repeat's output does not depend on the engine."""
    same = ("console", "time", "memory", *(f"cpu {c} {r} " for c in range(cpus)
                                           for r in ["insns", "interrupts", "rip", "rsp", "rax", "rflags"]))
    return [line for line in output.splitlines() if line.startswith(same)]


@pytest.mark.parametrize("cpus", [1, pytest.param(2, marks=slow)])
def test_counted_runs_do_not_depend_on_the_engine(cpus):
    argv = [BUILD / "tests/boot/boot-repeat", image("vmlinuz"), image("initrd.img"),
            'console=ttyS0 doppel.run="cat /proc/uptime /proc/interrupts; date"', str(cpus), "256"]
    runs = [subprocess.Popen([*argv, e], stdout=subprocess.PIPE, text=True) for e in ["interpret", "translate"]]
    outputs = [run.communicate(timeout=2 * TIMEOUT)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    one, other = (ending(out, cpus) for out in outputs)
    assert len(one) > 8 and one == other


@slow
@pytest.mark.parametrize("pair", ["interpret,interpret", "interpret,translate"])
@pytest.mark.parametrize("cpus", [1, 2])
def test_lockstep_agrees_and_changes_nothing(cpus, pair):
    """Both engines of lockstep, the first without passes, agree on a whole boot; and the run is that of
    one engine alone, but for counters of its own doings."""
    argv = [BUILD / "tests/boot/boot-repeat", image("vmlinuz"), image("initrd.img"),
            'console=ttyS0 doppel.run="cat /proc/uptime /proc/interrupts; date"', str(cpus), "256"]
    runs = [subprocess.Popen([*argv, engine], stdout=subprocess.PIPE, text=True)
            for engine in ["interpret", "lockstep=" + pair]]
    outputs = [run.communicate(timeout=4 * TIMEOUT)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    alone, both = (ending(out, cpus) for out in outputs)
    assert len(alone) > 8 and alone == both


@slow
@pytest.mark.skipif("translate" not in ENGINES, reason="no engine translates")
@pytest.mark.parametrize("cpus,stress", [
    (1, "translate-all"), (1, "one-insn"), (1, "no-chain"), (1, "tiny-cache"),
    (2, "translate-all"), (2, "random-regs=1"),
])
def test_lockstep_agrees_when_choices_are_bad(start, cpus, stress):
    """Whatever the translator chooses, a boot is that of the interpreter, instruction by instruction."""
    guest = start("--engine", "lockstep=interpret,translate", "--clock", "counted", "--stress", stress,
                  append='doppel.run="cat /proc/interrupts"', cpus=cpus, memory="256M")
    guest.expect("doppel: exit 0", timeout=4 * TIMEOUT)
    assert guest.wait() == 0, guest.transcript()
