"""The checks of check.py find what they are for."""

import check


def first(breaches):
    return next(iter(breaches), None)


def tree(tmp, **files):
    for name, text in files.items():
        path = tmp / name.replace("__", "/").replace("_c", ".c").replace("_h", ".h")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp


def test_layers():
    assert check.include_breach("mem", '"', "base/bits.h") is None
    assert check.include_breach("mem", "<", "string.h") is None
    assert check.include_breach("cli", '"', "doppel/doppel.h") is None
    for layer, name in [("base", "mem/space.h"), ("isa", "device/device.h"), ("device", "isa/x86/cpu.h"),
                        ("cli", "base/bits.h"), ("mem", "host/linux/memory.h"), ("ir", "ir.h"),
                        ("machine", "doppel/doppel.h"), ("isa", "engine/engine.h")]:
        assert check.include_breach(layer, '"', name), (layer, name)


def test_names_and_layers_in_files(tmp):
    root = tree(tmp, src__mem__a_c='#include "vm/vm.h"\n#define X(a) a##_row\n/* a ## b */\n')
    assert len(list(check.check_layers(root))) == 1
    assert len(list(check.check_names(root))) == 1


def test_symbols(tmp):
    root = tree(tmp, src__host__host_h="void *host_alloc(size_t n);\n")
    core = [("a.o", "own", "T", ".text"), ("a.o", "own", "U", ""), ("a.o", "memcpy", "U", ""),
            ("a.o", "host_alloc", "U", ""), ("a.o", "__udivti3", "U", ""), ("a.o", "__memcpy_chk", "U", "")]
    assert first(check.check_symbols(root, core)) is None
    for name in ["malloc", "printf", "host_other", "sin", "__errno_location", "pthread_create", "sprintf"]:
        assert first(check.check_symbols(root, core + [("a.o", name, "U", "")])), name


def test_globals():
    assert first(check.check_globals([("a.o", "t", "d", ".data.rel.ro.local")])) is None
    assert first(check.check_globals([("a.o", "t", "r", ".rodata")])) is None
    for section in [".data", ".bss", ".data.x", ".tbss", "*COM*"]:
        assert first(check.check_globals([("a.o", "t", "d", section)])), section
        assert first(check.check_globals([("a.o", "gdb_lock", "d", section)])), section
    assert first(check.check_globals([(check.GLOBAL_IN, "gdb_lock", "d", ".data")])) is None


def test_documents(tmp):
    root = tree(tmp, docs__x="", src__a_c="")
    (root / "docs/how.md").write_text("see `src/a.c`\nand `src/b.c` and `make`\n")
    assert len(list(check.check_documents(root))) == 1


def main():
    import inspect
    import pathlib
    import tempfile
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            with tempfile.TemporaryDirectory() as tmp:
                test(*[pathlib.Path(tmp)] * len(inspect.signature(test).parameters))


main()
