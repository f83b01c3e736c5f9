#!/bin/bash
# scripts/debian.sh OUT_DIR: a Debian image that boots under `doppel run --kernel`:
#
#   OUT_DIR/debian.img    root file system, ext4 on the whole disk (raw, sparse)
#   OUT_DIR/vmlinuz       its kernel           OUT_DIR/initrd.img   its initramfs
#   OUT_DIR/id            the ssh key that logs in as user and root
#
# systemd, networkd, ssh, sudo, apt. User "user", password "doppel". Needs mmdebstrap and mke2fs; runs
# as root, or as anyone with user namespaces. DEBIAN_MIRROR: the mirror to build from and to leave in the
# image (default: mmdebstrap's); DEBIAN_SIZE: of the disk (default 4G); DEBIAN_PACKAGES: more
# packages, separated by commas.
set -eu -o pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
export PATH=$PATH:/usr/sbin:/sbin # mke2fs
out=${1:?usage: scripts/debian.sh OUT_DIR}
suite=${DEBIAN_SUITE:-bookworm}
size=${DEBIAN_SIZE:-4G}
packages=linux-image-amd64,initramfs-tools,zstd,systemd-sysv,systemd-resolved,udev,dbus,kmod,openssh-server
packages=$packages,sudo,iproute2,iputils-ping,ca-certificates,less,nano,procps,${DEBIAN_PACKAGES-}
mkdir -p "$out"
work=$(mktemp -d "${TMPDIR:-/tmp}/doppel-debian.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# ---- what goes into the image beside its packages
root=$work/files
mkdir -p "$root"/etc/{initramfs-tools/conf.d,systemd/network,systemd/system,sudoers.d,ssh/sshd_config.d}
mkdir -p "$root"/{root,home/user}/.ssh "$root/mnt/share"
[ -e "$out/id" ] || ssh-keygen -q -t ed25519 -N '' -C doppel -f "$out/id"
install -m 600 "$out/id.pub" "$root/root/.ssh/authorized_keys"
install -m 600 "$out/id.pub" "$root/home/user/.ssh/authorized_keys"
echo debian >"$root/etc/hostname"
printf '127.0.0.1 localhost debian\n::1 localhost\n' >"$root/etc/hosts"
echo '/dev/root / ext4 rw,noatime 0 0' >"$root/etc/fstab"
echo 'share /mnt/share 9p trans=virtio,version=9p2000.L,msize=262144,nofail,x-systemd.automount 0 0' >>"$root/etc/fstab"
echo 'user ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/user"
chmod 440 "$root/etc/sudoers.d/user"
cat >"$root/etc/systemd/network/lan.network" <<'EOF'
[Match]
Type=ether

[Network]
DHCP=yes
EOF
# Only what a machine of Doppel or of another monitor has: a small initramfs is unpacked quickly.
cat >"$root/etc/initramfs-tools/conf.d/doppel" <<'EOF'
MODULES=list
COMPRESS=zstd
RUNSIZE=10%
EOF
printf '%s\n' virtio_pci virtio_mmio virtio_blk ata_piix sd_mod ext4 >"$root/etc/initramfs-tools/modules"

# ---- build
cat >"$work/setup" <<'EOF'
#!/bin/sh
# In the image's namespace: $1 is its root.
set -e
chroot "$1" useradd -m -s /bin/bash -G sudo user
echo user:doppel | chroot "$1" chpasswd
chroot "$1" chown -R user:user /home/user
chroot "$1" systemctl -q enable systemd-networkd ssh serial-getty@ttyS0
chroot "$1" systemctl -q disable apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap fstrim.timer || true
chroot "$1" systemctl -q mask systemd-networkd-wait-online.service
rm -f "$1"/etc/resolv.conf
ln -s ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"
EOF
cat >"$work/make-image" <<EOF
#!/bin/sh
# The same, without what is mounted in it.
set -e
mkdir "$work/view"
mount --bind "\$1" "$work/view"
truncate -s $size "$work/debian.img"
mke2fs -q -F -t ext4 -L root -d "$work/view" "$work/debian.img"
umount "$work/view"
EOF
chmod 755 "$work/setup" "$work/make-image"

say "building Debian $suite: some minutes"
mmdebstrap --format=null --variant=minbase --include="${packages%,}" \
	--essential-hook="cp -a --no-preserve=ownership '$root/.' \"\$1\"" \
	--customize-hook="'$work/setup' \"\$1\"" \
	--customize-hook="cp -L \"\$1/vmlinuz\" '$work/vmlinuz'; cp -L \"\$1/initrd.img\" '$work/initrd.img'" \
	--customize-hook="rm -rf \"\$1\"/var/cache/apt/archives/*.deb" \
	--customize-hook="'$work/make-image' \"\$1\"" \
	"$suite" /dev/null ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} </dev/null 2>&1 |
	sed -u "s/^I: /   /"
for f in vmlinuz initrd.img; do
	cp "$work/$f" "$out/$f.new"
	mv "$out/$f.new" "$out/$f"
done
cp --sparse=always "$work/debian.img" "$out/debian.img.new"
mv "$out/debian.img.new" "$out/debian.img"
say "$out/debian.img: $(du -h "$out/debian.img" | cut -f1) of $size; make run-debian boots it"
