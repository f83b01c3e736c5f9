"""Rules of the house that a program can check. check.py SOURCE_ROOT BUILD_DIR NM; prints every breach
and fails if there is one.

  layers     a file includes only its own layer and lower ones
  symbols    the core calls only itself, host/host.h and a few plain C functions
  globals    nothing can be written that no machine owns
  names      no token pasting: what a table names can be found by grep
  documents  files that documents name exist
"""

import pathlib
import re
import subprocess
import sys

# Arrows point down: each may include those before it.
LAYERS = ["base", "host", "mem", "ir", "isa", "engine", "device", "backend", "machine", "vm", "user",
          "api", "cli"]
# What the order alone would allow.
FORBIDDEN = {
    "isa": {"engine", "device"},
    "device": {"isa", "engine"},
    # Clients of the library: its public header and nothing else.
    "cli": set(LAYERS) - {"cli"},
    "api": set(LAYERS) - {"api"},
}
CORE_DIRS = ["base", "mem", "ir", "isa", "engine/interpret", "engine/lockstep", "engine/translate", "device", "machine"]
# In the core beside those: the engines' registry and their shared set-up.
CORE_FILES = ["engine/blocks.c", "engine/dump.c", "engine/group.c", "engine/registry.c"]
PLAIN_C = re.compile(r"(__)?(mem[a-z]+|str[a-z]+|v?snprintf)(_chk)?$")
# The compiler's own: stack protector, position-independent code, wide and odd arithmetic.
COMPILER = re.compile(r"__stack_chk_fail$|_GLOBAL_OFFSET_TABLE_$|__[a-z]+(ti|di|si|xf|tf)[a-z]*[0-9]?$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# What another program's interface makes global: gdb finds these by name, in every process once.
GLOBAL = {"__jit_debug_descriptor", "gdb_lock"}
GLOBAL_IN = "src_host_linux_gdb.c.o"
WRITABLE = re.compile(r"^(\.data|\.bss|\.tdata|\.tbss|\*COM\*|COMMON)")


def sources(root):
    return sorted(p for p in (root / "src").rglob("*") if p.suffix in (".c", ".h"))


def included(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        m = INCLUDE.match(line)
        if m:
            yield number, m[1], m[2]


def include_breach(layer, form, name):
    """What is wrong with this include in this layer, or None."""
    other = name.split("/")[0]
    if form == "<":
        return None
    if name.startswith("doppel/"):
        return None if LAYERS.index(layer) >= LAYERS.index("vm") else "the public library is above it"
    if name == "host/host.h":
        return None  # what the monitor stands on; all of the core may call it
    if other not in LAYERS:
        return 'project headers are named from src/: "layer/file.h"'
    if LAYERS.index(other) > LAYERS.index(layer):
        return f"{other} is above {layer}"
    if other in FORBIDDEN.get(layer, ()):
        return f"{layer} must not know {other}"
    if other == "host" and layer != "host":
        return "only host/host.h is for other layers"
    return None


def check_layers(root):
    for path in sources(root):
        where = path.relative_to(root / "src")
        if where.parts[0] not in LAYERS:
            yield f"src/{where}: {where.parts[0]} is not a layer"
            continue
        for number, form, name in included(path):
            wrong = include_breach(where.parts[0], form, name)
            if wrong:
                yield f"src/{where}:{number}: includes {name}: {wrong}"


def check_names(root):
    for path in sources(root):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = re.sub(r'"(\\.|[^"\\])*"|/\*.*?\*/|//.*', "", line)
            if "##" in code and not line.lstrip().startswith(("*", "/*")):
                yield f"{path.relative_to(root)}:{number}: token pasting"


def check_core_is_listed(root, objects):
    """A source in a directory of the core belongs to the core library, and the other way round."""
    built = {name.replace("src_", "", 1) for name in objects}
    for path in sources(root):
        where = path.relative_to(root / "src")
        core = str(where) in CORE_FILES or any(where.is_relative_to(d) for d in CORE_DIRS)
        if path.suffix == ".c" and core and str(where).replace("/", "_") + ".o" not in built:
            yield f"src/{where}: in a directory of the core, but not in core_src"


def symbols(nm, archive):
    """(object, name, type letter, section) for each symbol of an archive's objects."""
    out = subprocess.run([nm, "--format=sysv", archive], check=True, capture_output=True, text=True)
    member = ""
    for line in out.stdout.splitlines():
        m = re.match(r".*from (?:.*\[)?([^\]]+?)\]?:$", line)
        if m:
            member = m[1].split("/")[-1]
        fields = [f.strip() for f in line.split("|")]
        if len(fields) == 7 and fields[0] != "Name":
            yield member, fields[0], fields[2], fields[6]


def check_symbols(root, core):
    defined = {name for _, name, kind, _ in core if kind != "U"}
    host = set(re.findall(r"\b(host_\w+)\s*\(", (root / "src/host/host.h").read_text()))
    for member, name, kind, _ in core:
        if kind == "U" and name not in defined | host and not PLAIN_C.match(name) \
                and not COMPILER.match(name):
            yield f"{member}: the core is freestanding, but calls {name}"


def check_globals(library):
    for member, name, kind, section in library:
        if member == GLOBAL_IN and name in GLOBAL:
            continue
        if WRITABLE.match(section) and not section.startswith(".data.rel.ro"):
            yield f"{member}: {name} is in {section}: state belongs to a machine (or is const)"


def check_documents(root):
    documents = sorted((root / "docs").rglob("*.md")) + [root / "README.md"]
    for doc in (d for d in documents if d.exists()):
        for number, line in enumerate(doc.read_text().splitlines(), 1):
            for name in re.findall(r"`([\w./-]+)`", line):
                local = name.startswith(("src/", "tests/", "docs/", "bench/", "scripts/", "include/",
                                         "examples/"))
                placeholder = re.search(r"[A-Z]{3,}\.|/[A-Z]{3,}", name)  # src/device/NAME.c
                if local and not placeholder and not (root / name).exists():
                    yield f"{doc.relative_to(root)}:{number}: there is no {name}"


def main():
    root, build, nm = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    core = list(symbols(nm, build / "libdoppel_core.a"))
    hosted = list(symbols(nm, build / "libdoppel_hosted.a"))
    if len(core) < 100:
        sys.exit(f"only {len(core)} symbols found in the core: nm's output is not understood")
    breaches = [*check_layers(root), *check_names(root), *check_documents(root),
                *check_core_is_listed(root, {member for member, *_ in core}),
                *check_symbols(root, core), *check_globals(core), *check_globals(hosted)]
    for breach in breaches:
        print(breach)
    print(f"{len(sources(root))} sources, {len(core) + len(hosted)} symbols, {len(breaches)} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
