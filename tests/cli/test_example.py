"""examples/boot.c does what it says; completion is a script that works."""

import os
import subprocess

IMAGES = os.environ["IMAGES"]
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def boot(*args):
    return subprocess.run([os.environ["BOOT"], *args], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)


def auto_engine():
    """What `doppel doctor` says that --engine auto takes."""
    r = subprocess.run([os.environ["DOPPEL"], "doctor"], capture_output=True, text=True, timeout=90)
    above = r.stdout.split("--engine auto takes this one")[0]
    return [line.split()[1] for line in above.splitlines() if line.startswith("works")][-1]


def test_example():
    r = boot(os.path.join(IMAGES, "status"))
    assert (r.returncode, r.stdout) == (1, "a")
    assert r.stderr == f"boot: engine {auto_engine()}\nboot: the guest said 21\n"
    r = boot(os.path.join(IMAGES, "triple"))
    assert (r.returncode, r.stdout) == (1, "t")
    assert "triple fault" in r.stderr
    assert boot().returncode == 2
    r = boot("/nonexistent/kernel")
    assert (r.returncode, r.stderr) == (1, "boot: kernel /nonexistent/kernel: no such file\n")


def complete(*words):
    script = f"""
        PATH={os.path.dirname(os.environ["DOPPEL"])}:$PATH
        . {TOP}/src/cli/doppel.bash
        COMP_WORDS=(doppel {" ".join(repr(w) for w in words)}) COMP_CWORD={len(words)}
        compopt() {{ :; }}
        _doppel
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True,
                          timeout=90).stdout.split()


def test_completion():
    assert complete("r") == ["run"]
    assert complete("run", "--me") == ["--memory"]
    assert complete("run", "--engine", "i") == ["interpret"]
    assert complete("run", "--trace", "uart,ir") == ["uart,irq"]
    assert complete("run", "--clock", "") == ["real", "counted"]
    assert complete("run", "--dump", "") == ["guest", "ir", "opt", "host"]
