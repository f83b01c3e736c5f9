#!/bin/bash
# scripts/deps.sh SECTION...: install what the sections of scripts/packages.txt name and this
# system lacks. Does nothing, quickly, when all is there. Without apt or rights it says what is
# missing and fails.
set -u
cd "$(dirname "$0")/.."
. scripts/common.sh

probe() {
	case $1 in
	cmd:*) command -v "${1#*:}" >/dev/null ;;
	pc:*) pkg-config --exists "${1#*:}" 2>/dev/null ;;
	hdr:*) echo "#include <${1#*:}>" | gcc -E - >/dev/null 2>&1 ;;
	py:*) find_python "${1#*:}" >/dev/null ;;
	file:*) [ -e "${1#*:}" ] ;;
	san:*) echo "int main(void){return 0;}" |
		"${1#*:}" -x c - -fsanitize=address,undefined -o /dev/null 2>/dev/null ;;
	*) die "scripts/packages.txt: what is $1?" ;;
	esac
}

probe_all() {
	local p
	for p in ${1//,/ }; do
		probe "$p" || return 1
	done
}

# Prints the packages of the sections whose probe fails.
find_missing() {
	local section="" package how
	while read -r package how; do
		case $package in
		'' | '#'*) ;;
		'['*) section=${package//[\[\]]/} ;;
		*) [[ " $* " = *" $section "* ]] && ! probe_all "$how" && echo "$package" ;;
		esac
	done <scripts/packages.txt | sort -u
}

install() {
	local apt="env DEBIAN_FRONTEND=noninteractive apt-get"
	if ! apt-cache show --no-all-versions "$@" >/dev/null 2>&1; then
		say "apt-get update"
		as_root $apt -q update || say "apt-get update failed; going on with the lists that are there"
	fi
	say "apt-get install $*"
	as_root $apt -q install -y --no-install-recommends "$@" && return 0
	say "that failed; once more with fresh package lists"
	as_root $apt -q update && as_root $apt -q install -y --no-install-recommends "$@"
}

missing=$(find_missing "$@")
[ -z "$missing" ] && exit 0
missing=$(echo $missing)

{
	if ! command -v apt-get >/dev/null; then
		why="there is no apt-get here; install what these Debian packages hold"
	elif ! can_be_root; then
		why="installing needs root: run as root or with sudo, or have somebody run: apt-get install $missing"
	fi
}
if [ -n "${why-}" ]; then
	echo "error: missing: $missing" >&2
	echo "       $why" >&2
	echo "       (README.md lists everything, scripts/packages.txt says what each is for)" >&2
	exit 1
fi
say "missing here: $missing"
install $missing || die "could not install: $missing"
missing=$(find_missing "$@")
[ -z "$missing" ] || die "installed, but still not to be found: $(echo $missing)"
