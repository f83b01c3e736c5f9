"""Shared folders: Linux mounts them, both sides see the same, and there is no way out."""

import os
import stat
import subprocess

import pytest
from conftest import DOPPEL, image

slow = pytest.mark.slow
MOUNT = "mount -t 9p -o trans=virtio,version=9p2000.L"


@pytest.fixture
def folder(tmp_path):
    share = tmp_path / "share"
    share.mkdir()
    (tmp_path / "secret").write_text("out of reach")
    (share / "hello").write_text("hello from the host\n")
    (share / "sub").mkdir()
    return share


@pytest.fixture
def guest(boot, folder):
    def start(suffix="", options=",msize=512000"):
        guest = boot("--share", f"{folder}:work{suffix}", kernel="vmlinuz-amd64",
                     initrd="initrd-modules.img")
        guest.shell()
        guest.command("stty columns 1000")  # or long commands come back wrapped
        assert guest.command(f"mkdir -p /mnt && {MOUNT}{options} work /mnt; echo $?") == "0"
        return guest
    return start


def test_both_sides_see_the_same(guest, folder):
    guest = guest()
    assert guest.command("cat /mnt/hello") == "hello from the host"
    guest.command("echo from the guest >/mnt/new && chmod 640 /mnt/new && mv /mnt/new /mnt/sub/moved")
    moved = folder / "sub/moved"
    assert moved.read_text() == "from the guest\n"
    assert stat.S_IMODE(moved.stat().st_mode) == 0o640
    guest.command("ln -s sub/moved /mnt/link; ln /mnt/sub/moved /mnt/hard; mkfifo /mnt/fifo")
    assert os.readlink(folder / "link") == "sub/moved"
    assert (folder / "hard").stat().st_ino == moved.stat().st_ino
    assert stat.S_ISFIFO((folder / "fifo").stat().st_mode)
    assert guest.command("cat /mnt/link") == "from the guest"
    moved.write_text("changed by the host\n")
    assert guest.command("cat /mnt/hard") == "changed by the host"
    assert guest.command("touch -d @1000000000 /mnt/hello; stat -c %Y /mnt/hello") == "1000000000"
    assert (folder / "hello").stat().st_mtime == 1000000000
    guest.command("rm -r /mnt/sub /mnt/fifo")
    assert sorted(p.name for p in folder.iterdir()) == ["hard", "hello", "link"]
    guest.console.send("poweroff\r")
    assert guest.wait() == 0, guest.transcript()


@pytest.mark.parametrize("options", [
    ",msize=512000", pytest.param("", marks=slow), pytest.param(",cache=mmap", marks=slow)])
def test_much_data(guest, folder, options):
    guest = guest(options=options)
    data = os.urandom(1 << 20) * 5 + b"tail"
    (folder / "large").write_bytes(data)
    (folder / "many").mkdir()
    for i in range(500):
        (folder / "many" / f"file-{i}").write_text(str(i))
    guest.command("cp /mnt/large /mnt/copy; sync")
    assert (folder / "copy").read_bytes() == data
    assert guest.command("dd if=/mnt/large of=/mnt/odd bs=12345 conv=fsync 2>/dev/null; "
                         "cmp /mnt/odd /mnt/large; echo $?") == "0"
    assert guest.command("ls /mnt/many | wc -l; cat /mnt/many/* | wc -c").split() == ["500", "1390"]
    assert guest.command("for i in $(seq 8); do (cat /mnt/large | md5sum) & done | sort -u | wc -l; wait") == "1"


def test_read_only(guest, folder):
    guest = guest(":ro")
    assert guest.command("cat /mnt/hello") == "hello from the host"
    for attempt in ["echo x >/mnt/hello", "echo x >/mnt/new", "rm /mnt/hello", "mkdir /mnt/d",
                    "mv /mnt/hello /mnt/sub", "chmod 777 /mnt/hello", "ln -s x /mnt/l"]:
        assert "Read-only file system" in guest.command(attempt), attempt
    assert [p.name for p in sorted(folder.iterdir())] == ["hello", "sub"]


def test_no_way_out(guest, folder):
    guest = guest()
    (folder / "up").symlink_to("../secret")
    (folder / "abs").symlink_to(folder.parent)
    (folder / "root").symlink_to("/proc/self/root")
    os.mkfifo(folder / "fifo")
    for path in ["../secret", "up", "abs/secret", "sub/../../secret", f"root{folder.parent}/secret"]:
        said = guest.command(f"cat '/mnt/{path}'")
        assert "out of reach" not in said and "No such file" in said, path
    # In the guest these lead to what is the guest's own.
    assert guest.command("ls -di /mnt/.. | tr -d ' a-z/.'") == guest.command("ls -di / | tr -d ' a-z/.'")
    guest.command("ln -s ../secret /mnt/mine; echo overwritten >/mnt/mine; echo overwritten >/secret")
    assert "not permitted" in guest.command("mknod /mnt/null c 1 3")
    guest.command("cp /bin/busybox /mnt/b; chmod 6755 /mnt/b")
    assert stat.S_IMODE((folder / "b").stat().st_mode) == 0o755
    assert (folder.parent / "secret").read_text() == "out of reach"
    assert sorted(p.name for p in folder.parent.iterdir()) == ["secret", "share"]


@pytest.mark.parametrize("spec,says", [
    ("/no/such:work", "share /no/such: no such folder"),
    ("/etc/passwd:work", "share /etc/passwd: not a folder"),
    ("/tmp", "there is no tag"), ("/tmp:", "there is no tag"), (":work", "there is no folder"),
    ("/tmp:ro", "there is no tag"), ("/tmp:" + "x" * 200, "at most 128 bytes"),
])
def test_what_cannot_be_shared(spec, says):
    run = subprocess.run([DOPPEL, "run", "--kernel", image("vmlinuz"), "--share", spec],
                         capture_output=True, text=True, timeout=60)
    assert run.returncode not in (0, 8) and says in run.stderr, run.stderr
