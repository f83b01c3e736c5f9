#!/bin/bash
# Guest images from Debian packages, by package name, unpacked and not installed.
#
#   scripts/guest.sh file PACKAGE[:ARCH] PATH OUT        one file of a package (PATH may have * and ?)
#   scripts/guest.sh depends PACKAGE[:ARCH] GLOB PATH OUT   the same, of the newest package among
#                                                        PACKAGE's dependencies that matches GLOB
#   scripts/guest.sh kernel PACKAGE GLOB OUT MODULES     the kernel of such a dependency, and a tar file
#                                                        of those modules that guest-modules.txt names
#   scripts/guest.sh initrd-modules OUT BUSYBOX INIT MODULES...   an initramfs with them
#   scripts/guest.sh initrd OUT BUSYBOX INIT [FILE...]   an initramfs; FILEs go to its root
#   scripts/guest.sh initrd-of OUT PROGRAM [TREE]        an initramfs of one static program, and the
#                                                        files of the directory TREE
#   scripts/guest.sh tree OUT PACKAGE...                 all files of packages, in the directory OUT
#
# Other architectures, and systems without package lists or rights, use package lists of their own
# in $GUEST_DIR/.apt: the system's configuration is never touched and no rights are needed.
set -eu -o pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
guest=${GUEST_DIR:-guest}
private=$PWD/$guest/.apt
[ "${guest#/}" = "$guest" ] || private=$guest/.apt

# Options that make apt use its own lists, for this architecture and i386.
private_options() {
	printf '%s\n' -o "Dir::State=$private/state" -o "Dir::Cache=$private/cache" \
		-o "Dir::State::status=$private/status" -o APT::Architecture=amd64 \
		-o APT::Architectures::=amd64 -o APT::Architectures::=i386 \
		-o Acquire::Languages=none -o APT::Sandbox::User=root
}

private_update() {
	mkdir -p "$private"/{state/lists/partial,cache/archives/partial}
	: >"$private/status"
	say "package lists of our own in $guest/.apt"
	apt-get -q "${options[@]}" update || say "some package lists could not be had; going on"
	touch "$private/updated"
}

# Sets options to the private lists, fetching them if they are not there or "fresh" is asked for.
use_private() {
	mapfile -t options < <(private_options)
	if [ "${1-}" = fresh ] || [ ! -e "$private/updated" ]; then
		private_update
	fi
}

known() { apt-cache "${options[@]}" show --no-all-versions "$1" >/dev/null 2>&1; }

choose_lists() {
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || die \
		"guest images come from Debian packages, and there is no apt-get or dpkg-deb here." \
		"Put a kernel at $guest/vmlinuz and a static busybox at $guest/busybox yourself," \
		"or use doppel run --kernel FILE --initrd FILE"
	options=(-o APT::Sandbox::User=root)
	case $1 in
	*:*) use_private ;;
	*) known "$1" || use_private ;;
	esac
	known "$1" || use_private fresh
	known "$1" || die "no package $1 in the package lists (offline?)"
}

# The newest among the dependencies of $1 that match the pattern $2.
newest_dependency() {
	apt-cache "${options[@]}" depends --important "$1" | sed -n 's/^ *|\?Depends: *<\?\([^ >]*\)>\?$/\1/p' |
		while read -r p; do
			# shellcheck disable=SC2053
			if [[ ${p%:*} = $2 ]]; then echo "$p"; fi
		done | sort -V | tail -1
}

# Download package $1 to $work/*.deb.
download() {
	say "downloading $1"
	(cd "$work" && apt-get -q "${options[@]}" download "$1") && return 0
	use_private fresh # lists may be older than the archive
	(cd "$work" && apt-get -q "${options[@]}" download "$1") || die "cannot download $1"
}

# Take file $1 out of $work/*.deb into $2.
unpack() {
	local found
	dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work" --wildcards ".$1" ||
		die "the package has no file $1"
	found=$(cd "$work" && ls -d .$1 | sort -V | tail -1)
	mkdir -p "$(dirname "$2")"
	case $found in
	*.gz) gzip -dc "$work/$found" >"$2.new" ;;
	*) cp -L "$work/$found" "$2.new" ;;
	esac
	mv "$2.new" "$2"
	echo "   $2: ${found#.}, $(wc -c <"$2") bytes"
}

get_file() {
	choose_lists "$1"
	download "$1"
	unpack "$2" "$3"
}

download_depends() {
	local dependency
	choose_lists "$1"
	dependency=$(newest_dependency "$1" "$2")
	[ -n "$dependency" ] || die "$1 depends on nothing like $2"
	case $1 in
	*:*) dependency=${dependency%:*}:${1#*:} ;;
	esac
	download "$dependency"
}

get_depends() {
	download_depends "$1" "$2"
	unpack "$3" "$4"
}

# A kernel and its modules, of one package so that they fit each other. No kernel has all the modules.
get_kernel() {
	download_depends "$1" "$2"
	mkdir "$work/modules"
	dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work/modules" --wildcards \
		./lib/modules/*/modules.order ./lib/modules/*/modules.builtin \
		$(sed 's|.*|./lib/modules/*/&.ko*|' scripts/guest-modules.txt) 2>/dev/null || true
	[ -n "$(find "$work/modules" -name '*.ko*')" ] || die "the package has none of the modules"
	tar -c -C "$work/modules" -f "$4.new" --sort=name --owner=0 --group=0 --mtime=@0 lib
	mv "$4.new" "$4"
	unpack '/boot/vmlinuz-*' "$3"
}

get_tree() {
	local out=$1 package file
	shift
	for package in "$@"; do
		choose_lists "$package"
		download "$package"
	done
	mkdir "$work/tree"
	for file in "$work"/*.deb; do
		dpkg-deb --fsys-tarfile "$file" | tar -x --no-same-owner -C "$work/tree"
	done
	rm -rf "$out"
	mv "$work/tree" "$out"
}

# The same inputs give the same bytes: sorted names, no owners, no times. Not compressed: the
# archive is small, and copying it costs a guest less than unpacking it.
archive() {
	find "$2" -exec touch -h -d @0 {} +
	(cd "$2" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible) >"$1.new"
	mv "$1.new" "$1"
	echo "   $1: $(wc -c <"$1") bytes"
}

# An initramfs of one static program, and what it may want.
make_initrd_of() {
	mkdir -p "$work"/root/{dev,proc,tmp}
	[ -z "${3-}" ] || cp -r "$3/." "$work/root"
	cp "$2" "$work/root/init"
	chmod 755 "$work/root/init"
	archive "$1" "$work/root"
}

# What a root file system of busybox and an init program has.
populate() {
	local busybox=$1 init=$2 root=$work/root applet
	mkdir -p "$root"/{bin,dev,proc,sys,tmp,root}
	cp "$busybox" "$root/bin/busybox"
	cp "$init" "$root/init"
	chmod 755 "$root/bin/busybox" "$root/init"
	for applet in $(cat scripts/guest-applets.txt); do
		ln -s busybox "$root/bin/$applet"
	done
}

make_initrd() {
	local out=$1 file
	populate "$2" "$3"
	shift 3
	for file in "$@"; do
		cp "$file" "$work/root/"
	done
	archive "$out" "$work/root"
}

# Kernels look for /sbin/modprobe when a file system or protocol is asked for.
make_initrd_modules() {
	local out=$1 busybox tar dir
	busybox=$(realpath "$guest/busybox") # BUSYBOX may be of another architecture
	populate "$2" "$3"
	shift 3
	mkdir "$work/root/sbin"
	ln -s ../bin/busybox "$work/root/sbin/modprobe"
	for tar in "$@"; do
		tar -x -C "$work/root" -f "$tar"
	done
	for dir in "$work"/root/lib/modules/*; do
		"$busybox" depmod -b "$work/root" "${dir##*/}"
	done
	archive "$out" "$work/root"
}

mkdir -p "$guest"
work=$(mktemp -d "${TMPDIR:-/tmp}/doppel-guest.XXXXXX")
trap 'rm -rf "$work"' EXIT
command=${1-}
shift || true
case $command in
file) get_file "$@" ;;
depends) get_depends "$@" ;;
kernel) get_kernel "$@" ;;
initrd) make_initrd "$@" ;;
initrd-modules) make_initrd_modules "$@" ;;
initrd-of) make_initrd_of "$@" ;;
tree) get_tree "$@" ;;
*) sed -n '2,17s/^# \?//p' "$0"; exit 2 ;;
esac
