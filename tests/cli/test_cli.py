"""The doppel command on the fake machine of tests/unit/vm_fake.c: the guest is a program of
one-letter instructions (o: output, p: power off, d: debug exit, c: crash, h: halt, e: echo)."""

import os
import signal
import socket
import subprocess
import time

import pexpect
import pytest

DOPPEL = os.environ["DOPPEL"]


def doppel(*args, stdin=subprocess.DEVNULL, env=None, **kw):
    return subprocess.run([DOPPEL, *args], stdin=stdin, capture_output=True, text=True, timeout=90,
                          env={**os.environ, **(env or {})}, **kw)


@pytest.fixture
def guest(tmp_path):
    """Makes a guest image of a program; returns its path."""
    def make(program, name="guest"):
        path = tmp_path / name
        path.write_text(program)
        return str(path)
    return make


# ---- help

def test_help_is_what_no_arguments_give():
    r = doppel()
    assert r.returncode == 0
    assert "usage: doppel" in r.stdout
    assert doppel("--help").stdout == r.stdout
    assert doppel("help").stdout == r.stdout


@pytest.mark.parametrize("command", ["run", "disk", "doctor", "explain", "help"])
def test_help_of_each_command(command):
    r = doppel("help", command)
    assert r.returncode == 0
    assert f"usage: doppel {command}" in r.stdout
    if command != "help":
        assert doppel(command, "--help").stdout == r.stdout


def test_version():
    r = doppel("--version")
    assert r.returncode == 0
    assert r.stdout.startswith("doppel 0.")


# ---- usage errors: status 2, nearest match

@pytest.mark.parametrize("args,words", [
    (["rnu"], "did you mean run?"),
    (["xyzzy-nothing"], "unknown command"),
    (["--verison"], "did you mean --version?"),
    (["help", "docter"], "did you mean doctor?"),
    (["run", "--kernle", "x"], "did you mean --kernel?"),
    (["run", "--memroy=64M"], "did you mean --memory?"),
    (["run", "--kernel"], "needs a value"),
    (["run", "--stats=3"], "takes no value"),
    (["run", "-k", "x"], "unknown option -k"),
    (["run", "bzImage"], "--kernel"),
    (["run", "--memory", "lots"], "--memory lots"),
    (["run", "--memory", "12X"], "--memory 12X"),
    (["run", "--memory", "-5"], "--memory -5"),
    (["run", "--memory", "99999999999999G"], "--memory"),
    (["run", "--code-cache", "0"], "--code-cache 0"),
    (["run", "--code-cache", "big"], "--code-cache big"),
    (["run", "--cpus", "two"], "--cpus two"),
    (["run", "--serial", "printer"], "stdio, none or file"),
    (["run", "--serial", "file="], "stdio, none or file"),
    (["run", "--clock", "sun"], "real or counted"),
    (["explain"], "no bytes"),
    (["explain", "4"], "hex"),
    (["explain", "zz"], "hex"),
    (["explain", "90", "--engine"], "needs a value"),
    (["explain", "90", "--mode", "8"], "16, 32 or 64"),
    (["explain", "90", "--mod", "64", "--sett"], "did you mean --set?"),
    (["doctor", "please"], "unexpected"),
])
def test_usage_errors(args, words):
    r = doppel(*args)
    assert r.returncode == 2, r.stderr
    assert words in r.stderr
    assert len(r.stderr.splitlines()) == 1
    assert r.stdout == ""


def test_lockstep_difference(guest):
    r = doppel("run", "--kernel", guest("..x"), "--engine", "lockstep=interpret,auto", "--clock", "counted")
    assert r.returncode == 10, r.stderr
    assert r.stderr.splitlines()[1:] == ["the fakes differ", "in all they do",
                                         "doppel: lockstep: the fakes differ"]


# ---- configuration errors: status 4

@pytest.mark.parametrize("args,words", [
    (["--engine", "interprt"], "did you mean"),
    (["--engine", "lockstep=interpret,interpret"], "--clock counted"),
    (["--engine", "lockstep=interpret", "--clock", "counted"], "lockstep=A,B"),
    (["--engine", "lockstep=a,b,c", "--clock", "counted"], "there is no \"a\""),
    (["--engine", "lockstep=interpret,interprt", "--clock", "counted"], "did you mean"),
    (["--engine", "lockstep=interpret,lockstep", "--clock", "counted"], "compare itself"),
    (["--engine", "lockstep=interpret,interpret,auto", "--clock", "counted"], "not more"),
    (["--machine", "pcc"], "did you mean"),
    (["--trace", "uart,ikr"], "did you mean"),
    (["--dump", "irr"], "did you mean"),
    (["--dump", "host:xyz"], "not an address in hex"),
    (["--stress", "no-chian"], "did you mean"),
    (["--stress", "hot=0"], "must be 1 to"),
    (["--code-cache", "64K"], "code-cache: 65536 bytes are out of range: 1024K to"),
    (["--code-cache", "2M", "--cpus", "64"], "65536K to 1024M for 64 CPUs"),
    (["--no-pass", "nonsense-pass"], "nonsense-pass"),
    (["--cpu", "maxx"], "max"),
    (["--cpu", "max,+noneatall"], "noneatall"),
    (["--cpus", "0"], "cpus"),
    (["--cpus", "65"], "1 to 64"),
    (["--memory", "0"], "memory"),
    (["--memory", "16K"], "too few"),
    (["--memory", "1000000G"], "this host has"),
    (["--initrd", "/nonexistent/x"], "initrd /nonexistent/x: no such file"),
    (["--serial", "file=/nonexistent/log"], "/nonexistent/log"),
    (["--config", "/nonexistent/conf"], "/nonexistent/conf"),
])
def test_configuration_errors(guest, args, words):
    r = doppel("run", "--kernel", guest("p"), *args)
    assert r.returncode == 4, r.stderr
    assert words in r.stderr
    assert len(r.stderr.splitlines()) == 1


def test_kernel_missing():
    r = doppel("run", "--kernel", "/nonexistent/k")
    assert r.returncode == 4
    assert "kernel /nonexistent/k: no such file" in r.stderr


def test_default_guest(guest, tmp_path):
    env = {"XDG_DATA_HOME": str(tmp_path), "DOPPEL_GUEST_DIR": ""}
    r = doppel("run", env=env)
    assert r.returncode == 4
    assert "make guest" in r.stderr
    (tmp_path / "doppel").mkdir()
    guest("oap", "doppel/vmlinuz")
    guest("x", "doppel/initrd.img")
    r = doppel("run", env=env)
    assert (r.returncode, r.stdout) == (0, "a")
    assert str(tmp_path / "doppel/vmlinuz") in doppel("doctor", env=env).stdout
    r = doppel("run", env={**env, "DOPPEL_GUEST_DIR": "/nonexistent"})
    assert r.returncode == 4


# ---- how the guest ends

@pytest.mark.parametrize("clock", ["real", "counted"])
@pytest.mark.parametrize("program,status", [("oxp", 0), ("oxd0", 1), ("oxd3", 7), ("oxc", 6)])
def test_exit_status(guest, clock, program, status):
    r = doppel("run", "--kernel", guest(program), "--clock", clock)
    assert r.returncode == status
    assert r.stdout == "x"
    assert ("triple fault" in r.stderr) == (status == 6)


def test_engine_is_said_once(guest):
    r = doppel("run", "--kernel", guest("p"))
    assert r.stderr.count("\n") == 1
    assert "engine interpret: " in r.stderr
    assert doppel("run", "--kernel", guest("p"), "--quiet").stderr == ""


def test_stats(guest):
    r = doppel("run", "--kernel", guest("...p"), "--stats", "--quiet")
    names = [line.split()[0] for line in r.stderr.splitlines()]
    assert "insns" in names and "host_time" in names and "memory_hash" not in names
    r = doppel("run", "--kernel", guest("...p"), "--stats", "--quiet", "--cpus", "3")
    insns = next(line for line in r.stderr.splitlines() if line.startswith("insns"))
    assert sum(map(int, insns.split(":")[1].split())) == int(insns.split()[1])
    hashes = set()
    for _ in range(2):
        r = doppel("run", "--kernel", guest("...p"), "--stats", "--quiet", "--clock", "counted")
        hashes |= {line for line in r.stderr.splitlines() if line.startswith("memory_hash")}
    assert len(hashes) == 1


def test_perf_map(guest):
    p = subprocess.Popen([DOPPEL, "run", "--kernel", guest("p"), "--perf-map", "--gdb-jit"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    assert p.wait(20) == 0
    os.unlink(f"/tmp/perf-{p.pid}.map")  # it is there for perf, which comes later


# ---- config file

def test_config_file(guest, tmp_path):
    conf = tmp_path / "conf"
    log = tmp_path / "log"
    conf.write_text(f"# a machine\n\nkernel = {guest('oap')}\n  memory=2M # not a comment\n")
    r = doppel("run", "--config", str(conf))
    assert r.returncode == 4
    assert "line 4" in r.stderr
    conf.write_text(f"# a machine\n\n  kernel = {guest('oap')}\nmemory=2M\r\nquiet = yes\n"
                    f"serial = file={log}\n")
    r = doppel("run", "--config", str(conf))
    assert (r.returncode, r.stdout, r.stderr) == (0, "", "")
    assert log.read_text() == "a"
    # the command line overrides it, wherever it stands
    r = doppel("run", "--serial", "stdio", "--config", str(conf), "--kernel", guest("obp", "b"))
    assert (r.returncode, r.stdout) == (0, "b")


@pytest.mark.parametrize("line,words", [
    ("disk = {tmp}/d,format=raw,serial=abc\nnet = none,model=e1000\nshare = {tmp}:tag:ro\nvsock = 9:{tmp}/v\n"
     "rng = yes\nballoon = yes\ndisk = {tmp}/d,readonly,overlay,foo=1\n", "unknown key foo"),
    ("net = usr\n", "must begin with user, tap=IF"),
    ("disk = {tmp}/none\n", "no such file"),
    ("share = {tmp}/none:tag\n", "no such folder"),
    ("vsock = 2\n", "a guest's CID"),
])
def test_devices_in_a_config_file(guest, tmp_path, line, words):
    """As on the command line: the same keys, and the last one is wrong."""
    (tmp_path / "d").write_bytes(bytes(1 << 20))
    conf = tmp_path / "conf"
    conf.write_text(f"kernel = {guest('oap')}\n" + line.format(tmp=tmp_path))
    r = doppel("run", "--config", str(conf))
    assert r.returncode == 4
    assert words in r.stderr


@pytest.mark.parametrize("text,words", [
    ("kernle = x\n", "line 1: unknown key kernle; did you mean kernel?"),
    ("\n\nfoo\n", "line 3"),
    ("stats = maybe\n", "yes or no"),
    ("cpus = many\n", "cpus = many"),
    ("config = x\n", "command line only"),
    ("append = " + "x" * 5000 + "\n", "line 1: longer"),
])
def test_config_file_errors(tmp_path, text, words):
    conf = tmp_path / "conf"
    conf.write_text(text)
    r = doppel("run", "--config", str(conf))
    assert r.returncode == 4
    assert words in r.stderr


# ---- standard input that is no terminal

def test_pipe_is_passed_on_whole(guest):
    p = subprocess.run([DOPPEL, "run", "--kernel", guest("t2ehj"), "--quiet"], timeout=90,
                       input=b"\x01xhello\x01!", stdout=subprocess.PIPE)
    assert p.returncode == 0
    assert p.stdout == b"\x01xhello\x01!"


def test_closed_and_ended_input_do_not_stop_the_machine(guest):
    slow = guest("t9h" * 300 + "oap")
    assert doppel("run", "--kernel", slow).stdout == "a"
    r = subprocess.run(["/bin/sh", "-c", f"exec {DOPPEL} run --quiet --kernel {slow} <&-"],
                       capture_output=True, timeout=90)
    assert (r.returncode, r.stdout) == (0, b"a")


def test_input_from_a_file_repeats(guest, tmp_path):
    (tmp_path / "in").write_text("abcdefghijklm!")
    runs = set()
    for _ in range(5):
        with open(tmp_path / "in") as f:
            r = doppel("run", "--clock", "counted", "--quiet", "--kernel", guest("Tt2ehj"), stdin=f)
        assert r.returncode == 0
        runs.add(r.stdout)
    assert len(runs) == 1


def test_nobody_reads_the_output(guest):
    p = subprocess.Popen([DOPPEL, "run", "--kernel", guest("oaj")], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert p.stdout.read(1) == b"a"
    time.sleep(0.2)  # the pipe is full by now
    p.terminate()
    assert p.wait(90) == 8
    p.stdout.close()


def test_output_that_cannot_be_written_stops_the_machine(guest):
    r = doppel("run", "--kernel", guest("oaj"), "--quiet", "--serial", "file=/dev/full")
    assert r.returncode == 4
    assert r.stderr == "doppel: serial /dev/full: cannot write: No space left on device\n"
    p = subprocess.Popen([DOPPEL, "run", "--kernel", guest("oaj"), "--quiet"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert p.stdout.read(1) == b"a"
    p.stdout.close()
    assert p.wait(90) == 4
    assert b"cannot write: Broken pipe" in p.stderr.read()
    p.stderr.close()


def test_ignored_signals_stay_ignored(guest):
    p = subprocess.Popen(["/usr/bin/nohup", DOPPEL, "run", "--kernel", guest("oah"), "--quiet"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    assert p.stdout.read(1) == b"a"
    p.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert p.poll() is None
    p.terminate()
    assert p.wait(90) == 8
    p.stdout.close()


def default_signals():
    for sig in [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT]:
        signal.signal(sig, signal.SIG_DFL)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_signals_stop_the_machine(guest, sig):
    p = subprocess.Popen([DOPPEL, "run", "--kernel", guest("oah"), "--stats"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         preexec_fn=default_signals)
    assert p.stdout.read(1) == b"a"
    p.send_signal(sig)
    _, err = p.communicate(timeout=90)
    assert p.returncode == 8
    assert b"insns" in err


# ---- a terminal

def stty(child):
    import termios
    return termios.tcgetattr(child.child_fd)


def on_terminal(program_path, *args):
    child = pexpect.spawn(DOPPEL, ["run", "--kernel", program_path, *args], timeout=90)
    child.expect("engine")
    child.delaybeforesend = None
    return child


def ended(child):
    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus


def wait_raw(child):
    import termios
    for _ in range(6000):
        if not stty(child)[3] & termios.ICANON:
            return
        time.sleep(0.01)
    raise AssertionError("the terminal never became raw")


def test_terminal_is_raw_and_given_back(guest):
    import termios
    child = on_terminal(guest("t2ehj"))
    wait_raw(child)
    assert not stty(child)[3] & (termios.ECHO | termios.ISIG)
    assert not stty(child)[1] & termios.OPOST
    child.send("a\x03\x01\x01b")
    child.expect_exact("a\x03\x01b")
    child.send("\x01h")
    child.expect_exact("Ctrl-A x       quit: stop the machine\r\n")
    assert b"\r\r\n" not in child.before
    child.send("\x01x")
    assert ended(child) == 8


@pytest.mark.parametrize("how", ["guest", "key", "term", "segv", "abrt"])
def test_terminal_is_restored_on_every_way_out(guest, tmp_path, how):
    # A shell holds the terminal, so that its modes can be read after doppel is gone.
    script = tmp_path / "script"
    script.write_text(f"stty -g > {tmp_path}/before\n"
                      f"{DOPPEL} run --kernel {guest('t2ehj')} & echo $! > {tmp_path}/pid\n"
                      "fg %1 > /dev/null\n"
                      f"stty -g > {tmp_path}/after\necho done\n")
    child = pexpect.spawn("/bin/bash", ["-m", str(script)], timeout=90)
    child.delaybeforesend = None
    child.expect("engine")
    pid = int((tmp_path / "pid").read_text())
    wait_raw(child)
    if how == "guest":
        child.send("!")
    elif how == "key":
        child.send("\x01x")
    else:
        os.kill(pid, getattr(signal, "SIG" + how.upper()))
    child.expect("done")
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()


# ---- completion

def test_completion_names():
    assert set(doppel("__complete", "command").stdout.split()) == {"run", "disk", "doctor", "explain",
                                                                   "help"}
    assert "--kernel" in doppel("__complete", "option").stdout.split()
    for kind in ["machine", "engine", "cpu", "feature", "trace", "dump", "pass", "stress"]:
        assert doppel("__complete", kind).stdout
    assert doppel("__complete", "nonsense").stdout == ""


# ---- disks

def test_a_disk_is_not_booted_from_yet(tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(1 << 20))
    r = doppel("run", "--disk", str(disk), env={"DOPPEL_GUEST_DIR": str(tmp_path)})
    assert r.returncode == 4
    assert "--kernel" in r.stderr and r.stderr.count("\n") == 1


@pytest.mark.parametrize("spec,words", [
    ("missing", "no such file"),
    ("", "no file is named"),
    ("missing,fromat=raw", "did you mean format?"),
    ("missing,format=vmdk", "raw or qcow2"),
    ("missing,queues=99", "1 to 16"),
    ("missing,overlay,readonly", "readonly forbids it"),
    ("missing,serial=123456789012345678901", "at most 20"),
])
def test_disk_that_cannot_be_had(guest, tmp_path, spec, words):
    r = doppel("run", "--kernel", guest("p"), "--disk", spec, cwd=tmp_path)
    assert r.returncode == 4
    assert words in r.stderr and r.stderr.count("\n") == 1


@pytest.mark.parametrize("spec,words", [
    ("usr", "must begin with user, tap=IF, socket=PATH or none"),
    ("user,forwad=tcp:1:2", "did you mean forward?"),
    ("user,forward=tcp:22", "too short"),
    ("user,model=ne2000", "virtio or e1000"),
    ("tap", "tap=IF|tap=fd:N"),
    ("tap=fd:0", "no TAP interface"),
    ("socket=/nonexistent/cable", "cannot listen at /nonexistent/cable"),
    ("none,mac=01:00:00:00:00:01", "six bytes in hex"),
    ("none,queues=0", "1 to 8"),
])
def test_network_that_cannot_be_had(guest, spec, words):
    r = doppel("run", "--kernel", guest("p"), "--net", spec)
    assert r.returncode == 4
    assert words in r.stderr and r.stderr.count("\n") == 1


def test_port_that_is_taken(guest):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        r = doppel("run", "--kernel", guest("p"), "--net", f"user,forward=tcp:{port}:22")
    assert r.returncode == 4
    assert f"cannot listen on tcp port {port}: Address already in use" in r.stderr


# ---- what the user who runs it may not do, and what others are doing

def without_rights(*args):
    """As a user without privileges; root keeps its files, but none of its capabilities."""
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    return subprocess.run([*drop, DOPPEL, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60)


def test_tap_without_permission(guest):
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        pytest.skip(f"/dev/net/tun: {error.strerror}")
    r = without_rights("run", "--kernel", guest("p"), "--net", "tap=doppel-none")
    assert r.returncode == 4
    assert "net tap: no permission for doppel-none" in r.stderr and "ip tuntap add dev doppel-none" in r.stderr


def test_port_without_permission(guest):
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
        port = int(f.read()) - 1
    if port < 1:
        pytest.skip("this host lets everybody listen at every port")
    r = without_rights("run", "--kernel", guest("p"), "--net", f"user,forward=tcp:127.0.0.1:{port}:22")
    assert r.returncode == 4
    assert f"cannot listen on tcp port {port} of 127.0.0.1: Permission denied" in r.stderr


@pytest.mark.parametrize("option,words", [
    ("--share", "share {}: this user may not read it"),
    ("--disk", "disk {}: no permission to write; see readonly and overlay")])
def test_files_without_permission(guest, tmp_path, option, words):
    path = tmp_path / "closed"
    if option == "--share":
        path.mkdir()
        path.chmod(0)
    else:
        path.write_bytes(bytes(4096))
        path.chmod(0o444)
    r = without_rights("run", "--kernel", guest("p"), option, f"{path}:tag" if option == "--share" else str(path))
    path.chmod(0o700)
    assert r.returncode == 4
    assert words.format(path) in r.stderr and r.stderr.count("\n") == 1


def test_backing_file_is_missing(guest, tmp_path):
    base, top = tmp_path / "base", tmp_path / "top"
    assert doppel("disk", "create", str(base), "1M").returncode == 0
    assert doppel("disk", "create", str(top), "--backing", "base").returncode == 0
    base.unlink()
    for args in (["run", "--kernel", guest("p"), "--disk", str(top)], ["disk", "convert", str(top), "x"]):
        r = doppel(*args)
        assert r.returncode == 4
        assert f"disk {base}: no such file, backing {top}" in r.stderr and r.stderr.count("\n") == 1


def test_two_machines_on_one_image(guest, tmp_path):
    disk = tmp_path / "disk"
    assert doppel("disk", "create", str(disk), "1M").returncode == 0
    argv = [DOPPEL, "run", "--kernel", guest("oah"), "--disk", str(disk)]
    first = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             text=True)
    assert "engine" in first.stderr.readline()  # the image is open by then
    for args in (argv[1:], ["disk", "check", "--repair", str(disk)]):
        r = doppel(*args)
        assert r.returncode == 4
        assert f"disk {disk}: in use by another process" in r.stderr
    assert doppel("run", "--kernel", guest("p", "p"), "--disk", f"{disk},overlay").returncode == 4
    first.terminate()
    assert first.wait(60) == 8
    assert doppel("run", "--kernel", guest("p", "p"), "--disk", str(disk)).returncode == 0
