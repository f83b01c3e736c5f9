#!/bin/bash
# scripts/bench.sh: build the benchmark guest and compare machines on it; see bench/run.py for the
# variables. Results: a table here and in $BUILD/bench/results.md.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
out=${BUILD:-build}/bench
guest=${GUEST_DIR:-guest}
mkdir -p "$out"

newest=$(ls -t bench/guest/*.[ch] | head -1)
if [ ! -e "$out/initrd.img" ] || [ "$newest" -nt "$out/initrd.img" ]; then
	say "building the benchmark guest"
	# One level of the architecture for every machine; no vectorizing, which would make the integer
	# rows rows about vectors.
	gcc -O2 -static -march=x86-64-v2 -fno-tree-vectorize -Wall -Wextra -o "$out/bench" bench/guest/*.c -lm
	scripts/guest.sh initrd-of "$out/initrd.img" "$out/bench"
fi
exec "$(find_python json)" bench/run.py --doppel "${BUILD:-build}/doppel" --kernel "$guest/vmlinuz" \
	--initrd "$out/initrd.img" --native "$out/bench" --out "$out"
