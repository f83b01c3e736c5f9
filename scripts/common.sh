# Sourced by the other scripts: messages, rights, the Python that has what a step needs.

say() { printf '== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Run a command as root. Sudo may ask for a password only where somebody can answer.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif [ -t 0 ] && [ -t 2 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

can_be_root() {
	[ "$(id -u)" = 0 ] && return 0
	command -v sudo >/dev/null || return 1
	sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 2 ]; }
}

# find_python MODULE...: prints a Python that has them. The system's own comes first: another one
# earlier in PATH does not see the modules that come as packages.
find_python() {
	local p
	for p in /usr/bin/python3 python3; do
		"$p" -c "import $(IFS=,; echo "$*")" 2>/dev/null && { echo "$p"; return 0; }
	done
	return 1
}
