"""A kernel that patches its own text under load, on four CPUs: the function tracer, probes, trace events and
static keys go on and off, each by breakpoints and messages to all CPUs, while processes come and go."""

import os
import re

import pytest

# How long the guest does that.
SECONDS = int(os.environ.get("DOPPEL_PATCH_SECONDS", "180"))

# Typed into the guest's shell, a line each. What work() computes is known; whoever counts in /tmp/count
# must have got somewhere.
SCRIPT = r"""
cd /sys/kernel/tracing
sum() { seq 1 300 | sort -rn | sort -n | sha256sum | cut -c1-16; }
bad() { echo $* >>/tmp/bad; }
until_stop() { n=0; while [ ! -e /tmp/stop ]; do $*; n=$((n + 1)); done; echo $* $n >>/tmp/count; }
work() { [ $(sum) = $want ] || bad sum; ( exit 7 ); [ $? = 7 ] || bad exit; cat /proc/self/stat | grep -q cat || bad cat; }
set_to() { echo $1 >$2 || bad $1 $2; }
tracer() { set_to function current_tracer; head -n 100 trace >/dev/null; set_to nop current_tracer; set_to '*vfs*' set_ftrace_filter; set_to function_graph current_tracer; set_to nop current_tracer; echo >set_ftrace_filter; }
probe() { for o in 0 4 5 6 7 8 9 10 11 12; do echo p:k$o vfs_read+$o; done | while read p; do echo $p >>kprobe_events; done 2>/dev/null; echo r:ret vfs_write >>kprobe_events || bad ret; set_to 1 events/kprobes/enable; ls /bin >/dev/null; set_to 0 events/kprobes/enable; echo >kprobe_events || bad kprobe_events; }
keys() { for v in 1 0; do for k in sched_schedstats bpf_stats_enabled task_delayacct; do set_to $v /proc/sys/kernel/$k; done; for e in sched syscalls irq kmem; do set_to $v events/$e/enable; done; done; }
want=$(sum)
"""


def complaints(guest):
    """What of the kernel's messages means that something went wrong."""
    return guest.command(r"dmesg -r | grep -E '^<[0-3]>|W[A]RNING|B[U]G|O[o]ps|s[t]all|l[o]ckup' | head -n 20")


def run(guest, cpus, seconds):
    guest.shell()
    guest.command("stty cols 2000")  # lines are not broken
    # A busy host must not look like a guest that is stuck; one that is stays so for longer.
    guest.command("echo 150 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout")
    guest.command("echo 60 >/proc/sys/kernel/watchdog_thresh")
    assert guest.command("mount -t tracefs trace /sys/kernel/tracing") == ""
    for line in SCRIPT.strip().splitlines():
        assert guest.command(line) == ""
    guest.command("set +m")
    for job in ["work"] * cpus + ["tracer", "probe", "keys"]:
        guest.command(f"until_stop {job} &")
    guest.command(f"sleep {seconds}; touch /tmp/stop; wait")
    counts = dict(re.findall(r"(tracer|probe|keys) (\d+)", guest.command("cat /tmp/count")))
    works = re.findall(r"work (\d+)", guest.command("cat /tmp/count"))
    print("done:", counts, "work:", works)
    assert guest.command("cat /tmp/bad 2>/dev/null") == ""
    assert complaints(guest) == ""
    assert len(counts) == 3 and all(int(n) > 0 for n in counts.values())
    assert len(works) == cpus and all(int(n) > 0 for n in works)
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["vmlinuz", "vmlinuz-amd64"])
def test_patching_its_own_text(start, kernel):
    run(start("--engine", "translate", kernel=kernel, cpus=4, memory="1G"), 4, SECONDS)


@pytest.mark.slow
def test_patching_its_own_text_interpreted(start):
    run(start("--engine", "interpret", cpus=4, memory="1G"), 4, SECONDS // 4)
