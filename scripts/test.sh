#!/bin/bash
# scripts/test.sh quick|all: every test there is, on what `make test` has built and downloaded. The
# last line is `N passed, N failed`; the exit status is 1 if something failed or could not run.
#   1. meson's tests in the plain build;
#   2. the same with AddressSanitizer and UndefinedBehaviorSanitizer, the IR verified after each
#      pass, by clang where there is one, so that two compilers see the sources;
#   3. boot tests: real kernels from packages (tests/boot). `quick` leaves out those marked slow.
set -u
cd "$(dirname "$0")/.."
. scripts/common.sh
scope=${1:-quick}
build=${BUILD:-build}
san=${BUILD_SAN:-$build-sanitize}
jobs=${JOBS:-$(nproc)}
python=$(find_python pytest pexpect) || die "no Python with pytest and pexpect: run scripts/deps.sh test"
logs=$build/test-logs
mkdir -p "$logs"
rm -f "$logs"/*
begin=$SECONDS

# A step that has no results of its own failed.
broke() { echo "FAIL $1" | tee -a "$logs/results"; }

# meson_tests NAME DIR OPTION...
meson_tests() {
	local name=$1 dir=$2
	shift 2
	say "$name"
	rm -f "$dir/meson-logs/testlog.json"
	meson test -C "$dir" --no-rebuild --num-processes "$jobs" --print-errorlogs "$@"
	"$python" scripts/results.py meson "$dir/meson-logs/testlog.json" "$name" >>"$logs/results" ||
		broke "$name: no results"
}

sanitizer_build() {
	local cc=gcc
	command -v clang >/dev/null && cc=clang
	say "building with sanitizers ($cc) in $san"
	[ -e "$san/build.ninja" ] || CC=$cc meson setup "$san" -Db_sanitize=address,undefined \
		-Db_lundef=false -Db_ndebug=false >"$logs/sanitize-setup" || { cat "$logs/sanitize-setup"; return 1; }
	ninja -C "$san" -j "$jobs"
}

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}
export DOPPEL_TEST_SCOPE=$scope

# Timeouts end what hangs; a slow or busy host must not look like that.
meson_tests "plain" "$build" --timeout-multiplier 4
if sanitizer_build; then
	# Files and layers do not depend on the compiler; symbols do, so house is for the plain build.
	meson_tests "sanitized" "$san" --no-suite house --timeout-multiplier 10
else
	broke "sanitized: build"
fi

say "boot"
markers=()
[ "$scope" = all ] || markers=(-m "not slow")
DOPPEL=$PWD/$build/doppel BUILD_DIR=$PWD/$build "$python" -m pytest -p no:cacheprovider \
	-o junit_family=xunit2 --junitxml="$logs/boot.xml" --durations=5 -v "${markers[@]}" tests/boot
"$python" scripts/results.py junit "$logs/boot.xml" boot >>"$logs/results" || broke "boot: no results"

passed=$(grep -c ^PASS "$logs/results")
failed=$(grep -c ^FAIL "$logs/results")
grep -v ^PASS "$logs/results"
say "took $(((SECONDS - begin) / 60)) min $(((SECONDS - begin) % 60)) s"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
