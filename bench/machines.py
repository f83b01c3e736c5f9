"""The machines `make bench` compares: how each is started on the same kernel and initramfs, and
where its serial console can be read. A machine is (process, console file descriptor, what to call
afterwards to end it)."""

import os
import pty
import shutil
import subprocess

# Mitigations cost differently on machines that claim different CPUs; nobody has them here.
APPEND = "console=ttyS0 quiet mitigations=off panic=-1"
MEMORY_MIB = 512


class Console:
    """A running machine: read() its serial console through fd; stop() it."""

    def __init__(self, process, fd, cleanup=()):
        self.process, self.fd, self.cleanup = process, fd, cleanup

    def stop(self, timeout):
        """Wait for it to end by itself, or end it. Returns whether it did by itself."""
        try:
            self.process.wait(timeout)
            clean = True
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            clean = False
        for fd in {self.fd, *self.cleanup}:
            os.close(fd)
        return clean


class Machine:
    own_clock = False

    def __init__(self, args, append):
        self.args, self.append = args, f"{APPEND} {append}".strip()

    def absent(self):
        """None, or why this machine cannot run here."""
        return None if shutil.which(self.program) else f"no {self.program}"

    def spawn(self, argv, **kw):
        """With the console on standard output."""
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **kw)
        return Console(process, os.dup(process.stdout.fileno()))


class Native(Machine):
    name, program, own_clock = "native", "env", True
    about = "the same program on this host, without a machine"

    def start(self, directory):
        options = [word for word in self.append.split() if word.startswith(("rows=", "percent="))]
        return self.spawn(["env", *options, self.args.native])


class Doppel(Machine):
    def __init__(self, args, append, engine):
        super().__init__(args, append)
        self.engine, self.program, self.name = engine, args.doppel, f"doppel {engine}"
        self.about = f"doppel run --engine {engine} --cpu x86-64-v2"

    def start(self, directory):
        self.log = os.path.join(directory, f"{self.name}.log".replace(" ", "-"))
        with open(self.log, "w") as log:
            return self.spawn([self.program, "run", "--engine", self.engine, "--cpu", "x86-64-v2",
                               "--memory", f"{MEMORY_MIB}M", "--kernel", self.args.kernel,
                               "--initrd", self.args.initrd, "--append", self.append, "--stats"],
                              stderr=log)

    def note(self):
        """Instructions a second over the whole run, from --stats."""
        with open(self.log) as log:
            for line in log:
                if line.startswith("mips"):
                    return f"{float(line.split()[1]):.0f} million guest instructions a second"
        return ""


class Qemu(Machine):
    name, program = "qemu tcg", "qemu-system-x86_64"
    about = "qemu-system-x86_64 -accel tcg -cpu Nehalem-v1"

    def start(self, directory):
        return self.spawn([self.program, "-accel", "tcg", "-cpu", "Nehalem-v1", "-display", "none",
                           "-monitor", "none", "-nic", "none", "-no-reboot", "-serial", "stdio",
                           "-m", str(MEMORY_MIB), "-kernel", self.args.kernel, "-initrd",
                           self.args.initrd, "-append", self.append], stderr=subprocess.DEVNULL)


BOCHSRC = """\
display_library: term
config_interface: textconfig
megs: {memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model=corei5_lynnfield_750, count=1, ips=50000000, reset_on_triple_fault=0
clock: sync=none
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={fifo}
log: {log}
panic: action=fatal
error: action=ignore
info: action=ignore
"""

GRUB_CFG = """\
linux /boot/vmlinuz {append}
initrd /boot/initrd.img
boot
"""


class Bochs(Machine):
    """Bochs loads no kernel by itself: GRUB does, from a CD image. Its display is a terminal that
    nobody sees; its serial port a named pipe."""
    name, program = "bochs", "bochs-bin"
    about = "Bochs, cpu model corei5_lynnfield_750; boots through its BIOS and GRUB"

    def absent(self):
        for program in (self.program, "grub-mkrescue", "xorriso"):
            if not shutil.which(program):
                return f"no {program}"
        return None

    def prepare(self, directory):
        self.iso = os.path.join(directory, "bochs.iso")
        tree = os.path.join(directory, "iso")
        os.makedirs(os.path.join(tree, "boot/grub"), exist_ok=True)
        shutil.copy(self.args.kernel, os.path.join(tree, "boot/vmlinuz"))
        shutil.copy(self.args.initrd, os.path.join(tree, "boot/initrd.img"))
        with open(os.path.join(tree, "boot/grub/grub.cfg"), "w") as f:
            f.write(GRUB_CFG.format(append=self.append))
        subprocess.run(["grub-mkrescue", "-o", self.iso, tree, "--install-modules=linux normal iso9660 biosdisk"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self, directory):
        self.prepare(directory)
        path = {name: os.path.join(directory, f"bochs.{name}") for name in ("fifo", "rc", "conf", "log")}
        if not os.path.exists(path["fifo"]):
            os.mkfifo(path["fifo"])
        with open(path["conf"], "w") as f:
            f.write(BOCHSRC.format(memory=MEMORY_MIB, iso=self.iso, **{k: path[k] for k in ("fifo", "log")}))
        with open(path["rc"], "w") as f:
            f.write("c\n")  # Debian's Bochs has its debugger built in, and waits for it
        # Opened for both ways: neither side waits for the other, and no end of file comes between.
        fifo = os.open(path["fifo"], os.O_RDWR | os.O_NONBLOCK)
        screen, terminal = pty.openpty()
        process = subprocess.Popen([self.program, "-q", "-f", path["conf"], "-rc", path["rc"]],
                                   stdin=terminal, stdout=terminal, stderr=terminal,
                                   env={**os.environ, "TERM": "vt100"})
        os.close(terminal)
        console = Console(process, fifo, [screen])
        console.drain = screen
        return console
