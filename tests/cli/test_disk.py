"""doppel disk: what it makes, says, copies and repairs, with qemu-img as the other opinion."""

import json
import os
import random
import shutil
import subprocess

import pytest

DOPPEL = os.environ["DOPPEL"]
needs_qemu = pytest.mark.skipif(not shutil.which("qemu-img"), reason="no qemu-img")


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def disk(*args, status=0):
    r = subprocess.run([DOPPEL, "disk", *args], capture_output=True, text=True, timeout=120,
                       stdin=subprocess.DEVNULL)
    assert r.returncode == status, r.stderr + r.stdout
    assert status or not r.stderr
    return r.stderr if status in (2, 4) else r.stdout


def qemu(*args, status=0):
    r = subprocess.run(["qemu-img", *args], capture_output=True, text=True, timeout=120)
    assert r.returncode == status, r.stderr + r.stdout
    return r.stdout


def raw(name, size=5 << 20):
    """Text, noise and holes."""
    r = random.Random(1)
    with open(name, "wb") as f:
        for at in range(0, size, 1 << 18):
            f.seek(at)
            f.write(r.choice([b"some text " * 3000, r.randbytes(50000), b""]))
        f.truncate(size)


# ---- create and info

@needs_qemu
@pytest.mark.parametrize("size,options,says", [
    ("10M", "", {"cluster-size": 65536}),
    ("10M", "compat=v2", {"cluster-size": 65536}),
    ("100M", "cluster_size=512", {"cluster-size": 512}),
    ("3G", "cluster_size=2M,refcount_bits=64", {"cluster-size": 2 << 20}),
    ("1M", "cluster_size=4K,refcount_bits=1,lazy_refcounts", {"cluster-size": 4096}),
    ("1M", "compression_type=zstd", {}),
    ("900M", "extended_l2=on,cluster_size=16K", {"cluster-size": 16384}),
    ("64T", "", {"virtual-size": 64 << 40}),
])
def test_create(size, options, says):
    disk("create", "d", size, *(["--option", options] if options else []))
    assert "consistent" in disk("check", "d")
    qemu("check", "d")
    info = json.loads(qemu("info", "--output=json", "d"))
    assert info["format"] == "qcow2"
    for key, value in says.items():
        assert info[key] == value
    ours = json.loads(disk("info", "--json", "d"))
    assert ours["bytes"] == info["virtual-size"]
    assert ours["cluster_bytes"] == info["cluster-size"]
    data = info["format-specific"]["data"]
    assert ours["refcount_bits"] == data["refcount-bits"]
    assert ours["lazy_refcounts"] == data.get("lazy-refcounts", False)
    assert ours["extended_l2"] == data.get("extended-l2", False)
    assert ours["compression"] == data["compression-type"]


def test_options_are_listed():
    said = disk("create", "-o", "help")
    for name in ["cluster_size", "compat", "compression_type", "extended_l2", "lazy_refcounts", "refcount_bits"]:
        assert f"  {name}=<" in said


def test_create_raw():
    disk("create", "d", "10M", "--format", "raw")
    assert os.stat("d").st_size == 10 << 20
    assert os.stat("d").st_blocks == 0
    assert "raw" in disk("info", "d")


def test_create_on_a_backing_image():
    os.mkdir("sub")
    raw("sub/base.img")
    disk("create", "sub/top", "--backing", "base.img")
    info = json.loads(disk("info", "--json", "sub/top"))
    assert (info["backing"], info["backing_format"], info["bytes"]) == ("base.img", "raw", 5 << 20)
    disk("convert", "--format", "raw", "sub/top", "copy")
    assert open("copy", "rb").read() == open("sub/base.img", "rb").read()


@pytest.mark.parametrize("args,words", [
    (["create", "d", "0"], "size of 0"),
    (["create", "d", "1000"], "multiple of 512"),
    (["create", "there", "1M"], "is there already"),
    (["create", "d", "1M", "--format", "vmdk"], "no format vmdk"),
    (["create", "d", "1M", "--option", "cluster_size=3K"], "power of 2"),
    (["create", "d", "1M", "--option", "clutser_size=4K"], "did you mean cluster_size?"),
    (["create", "d", "1M", "--option", "compat=v2,compression_type=zstd"], "compat=v2"),
    (["create", "d", "1M", "-o", "extended_l2=on,cluster_size=8K"], "at least 16K"),
    (["create", "d", "1M", "-o", "extended_l2=on,compat=0.10"], "compat=v2"),
    (["create", "d", "1M", "--format", "raw", "--option", "compat=v2"], "only qcow2"),
    (["create", "d", "1M", "--format", "raw", "--backing", "there"], "no backing"),
    (["create", "d", "8000T", "--option", "cluster_size=512"], "take larger ones"),
    (["create", "d", "--backing", "nothing"], "no such file"),
    (["create", "there", "1M", "--force", "--backing", "there"], "its own backing"),
    (["info", "nothing"], "no such file"),
    (["info", "."], "directory"),
    (["check", "there"], "nothing to check"),
    (["convert", "nothing", "d"], "no such file"),
    (["convert", "there", "there"], "is there already"),
    (["convert", "there", "there", "--force"], "in use"),
    (["convert", "there", "d", "--format", "raw", "--compress"], "only qcow2"),
])
def test_what_cannot_be_done(args, words):
    raw("there")
    before = open("there", "rb").read()
    error = disk(*args, status=4)
    assert words in error and error.count("\n") == 1
    assert open("there", "rb").read() == before
    assert not os.path.exists("d")


@pytest.mark.parametrize("args,words", [
    ([], "create, info, convert or check"),
    (["craete"], "did you mean create?"),
    (["create"], "takes FILE [SIZE]"),
    (["create", "d"], "needs a size"),
    (["create", "d", "big"], "whole number"),
    (["create", "d", "1M", "--fromat", "raw"], "did you mean --format?"),
    (["info", "a", "b"], "takes FILE"),
    (["check", "d", "--json"], "unknown option --json"),
])
def test_usage(args, words):
    assert words in disk(*args, status=2)


def test_help():
    text = disk("--help")
    assert "usage: doppel disk create" in text
    assert disk("check", "--help") == text


# ---- convert

@needs_qemu
@pytest.mark.parametrize("options", ["", "cluster_size=512", "cluster_size=2M", "compat=v2", "extended_l2=on",
                                     "cluster_size=4K,refcount_bits=1", "compression_type=zstd"])
@pytest.mark.parametrize("compress", [False, True])
def test_convert(options, compress):
    raw("a")
    disk("convert", "a", "b", *(["--option", options] if options else []),
         *(["--compress"] if compress else []))
    qemu("check", "b")
    said = disk("check", "b")
    assert "consistent" in said
    assert ("used, 0 compressed" in said) == (not compress)
    qemu("compare", "-f", "raw", "-F", "qcow2", "a", "b")
    disk("convert", "--from", "qcow2", "--format", "raw", "b", "c")
    assert open("a", "rb").read() == open("c", "rb").read()
    assert os.stat("c").st_blocks * 512 < os.stat("c").st_size


@needs_qemu
def test_convert_what_others_wrote():
    raw("a")
    qemu("convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "compression_type=zstd", "a", "b")
    qemu("create", "-q", "-f", "qcow2", "-b", "b", "-F", "qcow2", "c", "6M")
    disk("convert", "c", "d")
    qemu("compare", "c", "d")
    qemu("convert", "-f", "raw", "-O", "qcow2", "-o", "extended_l2=on,cluster_size=128k", "a", "e")
    disk("convert", "e", "f")
    qemu("compare", "e", "f")


def test_convert_on_a_full_host():
    raw("a")
    r = subprocess.run(["bash", "-c", f"ulimit -f 200; {DOPPEL} disk convert --format raw a b"],
                       capture_output=True, text=True, timeout=120)
    assert r.returncode == 4
    assert "too large" in r.stderr and r.stderr.count("\n") == 1
    assert not os.path.exists("b")


# ---- check

def patch(name, at, data):
    with open(name, "r+b") as f:
        f.seek(at)
        f.write(data)


@needs_qemu
def test_check_finds_and_repairs():
    raw("a")
    disk("convert", "a", "b")
    header = open("b", "rb").read(104)
    table = int.from_bytes(header[48:56], "big")
    with open("b", "rb") as f:
        f.seek(table)
        block = int.from_bytes(f.read(8), "big")
    patch("b", block + 2 * 6, b"\0\0")  # used and not counted
    assert "counted as 0" in disk("check", "b", status=12)
    qemu("check", "b", status=2)
    assert "repaired" in disk("check", "b", "--repair")
    qemu("check", "b")
    qemu("compare", "-f", "raw", "-F", "qcow2", "a", "b")
    patch("b", os.stat("b").st_size + 65535, b"\0")
    header = open("b", "rb").read(104)
    table = int.from_bytes(header[48:56], "big")
    with open("b", "rb") as f:
        f.seek(table)
        block = int.from_bytes(f.read(8), "big")
    patch("b", block + 2 * (os.stat("b").st_size // 65536 - 1), b"\0\1")  # counted, not used
    disk("check", "b", status=14)
    disk("check", "b", "--repair")
    qemu("check", "b")


@needs_qemu
def test_marked_corrupt_is_not_written_to(tmp_path):
    disk("create", "d", "1M")
    patch("d", 72 + 7, b"\2")
    assert "marked corrupt" in disk("check", "d", status=12)
    assert "corrupt" in disk("info", "d")
    disk("check", "d", "--repair")
    disk("check", "d")
    qemu("check", "d")


@needs_qemu
def test_broken_refcounts_are_made_anew():
    raw("a")
    disk("convert", "a", "b")
    table = int.from_bytes(open("b", "rb").read(56)[48:], "big")
    patch("b", table, b"\xff" * 64)
    disk("check", "b", status=12)
    disk("check", "b", "--repair")
    qemu("check", "b")
    qemu("compare", "-f", "raw", "-F", "qcow2", "a", "b")


@needs_qemu
def test_snapshots_survive_a_repair():
    raw("a")
    disk("convert", "a", "b", "--option", "cluster_size=4K")
    qemu("snapshot", "-c", "one", "b")
    table = int.from_bytes(open("b", "rb").read(56)[48:], "big")
    patch("b", table, b"\0" * 8)
    disk("check", "b", "--repair")
    qemu("check", "b")
    qemu("convert", "-l", "one", "-O", "raw", "b", "c")
    assert open("a", "rb").read() == open("c", "rb").read()
