"""The machines `make bench` compares: how each is started on the same kernel and initramfs, and where
its serial console is."""

import os
import pty
import shutil
import subprocess

from console import Console

# As the default guest is booted, but for mitigations: they cost differently on machines that claim
# different CPUs, and nobody has them here.
APPEND = "console=ttyS0 quiet cryptomgr.notests mitigations=off panic=-1"
MEMORY_MIB = 512


class Machine:
    own_clock = False    # whether times are the guest's
    interactive = True   # whether its serial port can be written to
    kind = program = name = about = ""

    def __init__(self, args):
        self.args = args

    def absent(self):
        """None, or why this machine cannot run here."""
        return None if shutil.which(self.program) else f"no {self.program}"

    def append(self, words):
        return f"{APPEND} {words}".strip()

    def spawn(self, argv, **kw):
        """With the console on standard input and output."""
        kw.setdefault("stderr", subprocess.DEVNULL)
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **kw)
        console = Console(process, os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno()))
        process.stdin.close()
        process.stdout.close()
        return console

    def start(self, directory, cpus, words, initrd=None):
        """Start it with the words on the kernel's command line; the initramfs is that of workloads
        unless another is given. Returns its console."""
        raise NotImplementedError

    def note(self):
        """What to say about it after the runs."""
        return ""


class Native(Machine):
    kind, name, program, own_clock = "native", "native", "env", True
    about = "the same program on this host, without a machine"

    def start(self, directory, cpus, words, initrd=None):
        """On as many of the host's CPUs as this may use."""
        mine = sorted(os.sched_getaffinity(0))[:cpus]
        return self.spawn(["env", *words.split(), self.args.native],
                          preexec_fn=lambda: os.sched_setaffinity(0, mine))


class Doppel(Machine):
    kind = "doppel"

    def __init__(self, args, engine):
        super().__init__(args)
        self.engine, self.program, self.log = engine, args.doppel, None
        self.name = "doppel" if engine == "auto" else f"doppel {engine}"
        self.about = f"doppel run --engine {engine} --cpu {args.cpu}"

    def start(self, directory, cpus, words, initrd=None):
        self.log = os.path.join(directory, f"{self.name}.log".replace(" ", "-"))
        with open(self.log, "w") as log:
            return self.spawn([self.program, "run", "--engine", self.engine, "--cpu", self.args.cpu,
                               "--cpus", str(cpus), "--memory", f"{MEMORY_MIB}M", "--kernel",
                               self.args.kernel, "--initrd", initrd or self.args.initrd, "--append",
                               self.append(words), "--stats", *self.args.doppel_options.split()],
                              stderr=log)

    def note(self):
        """Which engine was chosen, and the speed it says it had."""
        if not self.log:
            return ""
        with open(self.log) as log:
            lines = log.read().splitlines()
        found = [line for line in lines if line.startswith("mips") or "engine" in line]
        return "; ".join(" ".join(line.split()) for line in found[:3])


class Qemu(Machine):
    """The pc machine with nothing in it but a serial port, which starts fastest."""
    kind, program = "qemu", "qemu-system-x86_64"

    def __init__(self, args, model):
        super().__init__(args)
        self.model, self.name = model, f"qemu {model}"
        self.about = f"{self.program} {' '.join(self.options())}"

    def machine(self):
        return ["-M", "pc"]

    def options(self):
        return [*self.machine(), "-accel", self.args.qemu_accel, "-cpu", self.model, "-nodefaults",
                "-no-user-config", "-display", "none", "-no-reboot"]

    def start(self, directory, cpus, words, initrd=None):
        return self.spawn([self.program, *self.options(), "-smp", str(cpus), "-m", str(MEMORY_MIB),
                           "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                           "-kernel", self.args.kernel, "-initrd", initrd or self.args.initrd,
                           "-append", self.append(words)])


class Microvm(Qemu):
    """QEMU's machine for fast starts, with the firmware made for that. With its ACPI tables the guest
    would look for no PIT, and without one this kernel finds no clock to measure the others by."""
    kind = "microvm"

    def __init__(self, args, model):
        super().__init__(args, model)
        self.name = "qemu microvm"

    def machine(self):
        return ["-M", "microvm,acpi=off,x-option-roms=off,isa-serial=on,rtc=on,pic=on,pit=on",
                "-bios", "qboot.rom"]


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
    nobody sees; its serial port a named pipe, which it only writes to."""
    kind, name, program, interactive = "bochs", "bochs", "bochs-bin", False
    about = "Bochs, cpu model corei5_lynnfield_750; boots through its BIOS and GRUB"

    def absent(self):
        for program in (self.program, "grub-mkrescue", "xorriso"):
            if not shutil.which(program):
                return f"no {program}"
        return None

    def prepare(self, directory, words, initrd):
        iso = os.path.join(directory, "bochs.iso")
        tree = os.path.join(directory, "iso")
        os.makedirs(os.path.join(tree, "boot/grub"), exist_ok=True)
        shutil.copy(self.args.kernel, os.path.join(tree, "boot/vmlinuz"))
        shutil.copy(initrd, os.path.join(tree, "boot/initrd.img"))
        with open(os.path.join(tree, "boot/grub/grub.cfg"), "w") as f:
            f.write(GRUB_CFG.format(append=self.append(words)))
        subprocess.run(["grub-mkrescue", "-o", iso, tree, "--install-modules=linux normal iso9660 biosdisk"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return iso

    def start(self, directory, cpus, words, initrd=None):
        iso = self.prepare(directory, words, initrd or self.args.initrd)
        path = {name: os.path.join(directory, f"bochs.{name}") for name in ("fifo", "rc", "conf", "log")}
        if not os.path.exists(path["fifo"]):
            os.mkfifo(path["fifo"])
        with open(path["conf"], "w") as f:
            f.write(BOCHSRC.format(memory=MEMORY_MIB, iso=iso, **{k: path[k] for k in ("fifo", "log")}))
        with open(path["rc"], "w") as f:
            f.write("c\n")  # Debian's Bochs has its debugger built in, and waits for it
        # Opened for both ways: neither side waits for the other, and no end of file comes between.
        fifo = os.open(path["fifo"], os.O_RDWR | os.O_NONBLOCK)
        screen, terminal = pty.openpty()
        process = subprocess.Popen([self.program, "-q", "-f", path["conf"], "-rc", path["rc"]],
                                   stdin=terminal, stdout=terminal, stderr=terminal,
                                   env={**os.environ, "TERM": "vt100"})
        os.close(terminal)
        return Console(process, fifo, drain=screen)
