#!/bin/bash
# scripts/bench.sh [OPTION]...: build the benchmark guest and compare machines on it. The options are
# those of bench/run.py (--help); results: a table here and in $BUILD/bench/results.md.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
out=${BUILD:-build}/bench
guest=${GUEST_DIR:-guest}
mkdir -p "$out"
tree=$(realpath "$out")/tree

# The compiler of the compile row: Debian's tcc with the libraries it is linked to and the headers
# that the workload includes, found by having it compile those.
make_tree() {
	local all=$guest/compiler lib=lib/x86_64-linux-gnu file
	[ -e "$all" ] || scripts/guest.sh tree "$all" tcc libc6 libc6-dev || return 1
	all=$(realpath "$all")
	rm -rf "$tree"
	mkdir -p "$tree"/{lib64,$lib,usr/bin}
	cp "$all/usr/bin/tcc" "$tree/usr/bin/"
	for file in libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 ld-linux-x86-64.so.2; do
		cp -L "$(find "$all" -path "*/$lib/$file" | head -1)" "$tree/$lib/" || return 1
	done
	mv "$tree/$lib/ld-linux-x86-64.so.2" "$tree/lib64/"
	grep -o '#include <[a-z]*\.h>\\n' bench/guest/compile.c | sed 's/\\n//' >"$out/headers.c"
	"$tree/lib64/ld-linux-x86-64.so.2" --library-path "$tree/$lib" "$tree/usr/bin/tcc" -nostdinc \
		-I"$all/usr/$lib/tcc/include" -I"$all/usr/include/x86_64-linux-gnu" -I"$all/usr/include" \
		-MD -MF "$out/headers.d" -c "$out/headers.c" -o "$out/headers.o" || return 1
	tr -d '\\' <"$out/headers.d" | tr -s ' ' '\n' | sed -n "s|^$all/||p" |
		(cd "$all" && xargs cp --parents -t "$tree")
}

newest=$(ls -t bench/guest/*.[ch] scripts/bench.sh | head -1)
if [ ! -e "$out/initrd.img" ] || [ "$newest" -nt "$out/initrd.img" ]; then
	say "building the benchmark guest"
	make_tree || { say "no compiler to be had for the guest: the compile row is left out"; rm -rf "$tree"; }
	# The least CPU, so that every machine can run it, the C library taking what CPUID offers; no
	# vectorizing, which would make the integer rows rows about vectors; nothing fused, so that all
	# compute the same bits.
	gcc -O2 -static -march=x86-64 -fno-tree-vectorize -ffp-contract=off -Wall -Wextra \
		-o "$out/bench" bench/guest/*.c -lm
	[ -d "$tree" ] || tree=
	scripts/guest.sh initrd-of "$out/initrd.img" "$out/bench" $tree
fi
exec "$(find_python json)" bench/run.py --build "${BUILD:-build}" --guest "$guest" "$@"
