# A thin front for Meson: installs what is missing, builds, gets guest images, runs and tests.
#
#   make run        the default guest, to its shell           make bench    compare with other emulators
#   make test       build and test; `N passed, N failed`      make install  into PREFIX (/usr/local)
#   make test-all   and all the slow tests; builds Debian     make format   clang-format the sources
#   make golden     tests/unit/golden-host-code.txt anew, after a change of generated code
#   make guest      only the default guest's images           make clean    remove build directories
#   make debian     a Debian image with systemd and ssh       make run-debian   boot it: network, ssh at
#                                                             SSH_PORT, this directory at /mnt/share
#
# Variables: BUILD (build directory), GUEST (images), ARGS (options for doppel run), PREFIX, JOBS,
# SSH_PORT (2222); DEBIAN_MIRROR, DEBIAN_SIZE, DEBIAN_PACKAGES (see scripts/debian.sh).

BUILD ?= build
BUILD_SAN ?= $(BUILD)-sanitize
GUEST ?= guest
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
SSH_PORT ?= 2222
export GUEST_DIR := $(GUEST)
export BUILD BUILD_SAN JOBS
S := scripts/guest.sh

.PHONY: all run guest test test-all golden bench install format clean deps-build deps-guest deps-test \
	deps-bench guest-test debian run-debian deps-debian

all: deps-build $(BUILD)/build.ninja
	ninja -C $(BUILD) -j $(JOBS)

run: all guest
	@echo "== doppel run: Ctrl-A x quits, so does poweroff in the guest"
	@DOPPEL_GUEST_DIR=$(GUEST) $(BUILD)/doppel run $(ARGS)

# OFFLINE=1 goes on without the images that only tests need; their tests are left out, and named.
ifdef OFFLINE
export OFFLINE
TEST_IMAGES :=
TEST_ALL_IMAGES :=
else
TEST_IMAGES := guest-test
TEST_ALL_IMAGES := guest-test debian
endif

test: deps-test all guest $(TEST_IMAGES)
	@scripts/test.sh quick

test-all: deps-test all guest $(TEST_ALL_IMAGES)
	@scripts/test.sh all

golden: deps-build $(BUILD)/build.ninja
	ninja -C $(BUILD) -j $(JOBS) tests/unit/unit-golden
	$(BUILD)/tests/unit/unit-golden --write tests/unit/golden-host-code.txt

deps-build:
	@scripts/deps.sh build

deps-guest:
	@scripts/deps.sh guest

deps-test:
	@scripts/deps.sh build guest test

deps-bench:
	@scripts/deps.sh build guest debian bench

$(BUILD)/build.ninja: | deps-build
	meson setup $(BUILD)

# Images. Each is made once; remove it to get it anew.
guest: deps-guest $(GUEST)/vmlinuz $(GUEST)/initrd.img

guest-test: deps-guest $(GUEST)/vmlinuz-amd64 $(GUEST)/vmlinuz-686 $(GUEST)/initrd-686.img \
	$(GUEST)/initrd-686-modules.img $(GUEST)/initrd-modules.img $(GUEST)/xen

$(GUEST)/vmlinuz $(GUEST)/modules-cloud.tar &: | deps-guest
	@$(S) kernel linux-image-cloud-amd64 'linux-image-[0-9]*' $(GUEST)/vmlinuz \
		$(GUEST)/modules-cloud.tar

$(GUEST)/busybox: | deps-guest
	@$(S) file busybox-static /bin/busybox $@

$(GUEST)/initrd.img: $(GUEST)/busybox scripts/guest-init scripts/guest-applets.txt
	@$(S) initrd $@ $(GUEST)/busybox scripts/guest-init

$(GUEST)/vmlinuz-amd64 $(GUEST)/modules-amd64.tar &: | deps-guest
	@$(S) kernel linux-image-amd64 'linux-image-[0-9]*' $(GUEST)/vmlinuz-amd64 \
		$(GUEST)/modules-amd64.tar

# The default guest with the drivers that its kernel and the general one have as modules.
$(GUEST)/initrd-modules.img: $(GUEST)/busybox $(GUEST)/modules-cloud.tar $(GUEST)/modules-amd64.tar \
		scripts/guest-init scripts/guest-applets.txt
	@$(S) initrd-modules $@ $(GUEST)/busybox scripts/guest-init $(GUEST)/modules-cloud.tar \
		$(GUEST)/modules-amd64.tar

$(GUEST)/vmlinuz-686 $(GUEST)/modules-686.tar &: | deps-guest
	@$(S) kernel linux-image-686-pae:i386 'linux-image-[0-9]*' $(GUEST)/vmlinuz-686 \
		$(GUEST)/modules-686.tar

$(GUEST)/busybox-686: | deps-guest
	@$(S) file busybox-static:i386 /bin/busybox $@

$(GUEST)/initrd-686.img: $(GUEST)/busybox-686 scripts/guest-init scripts/guest-applets.txt
	@$(S) initrd $@ $(GUEST)/busybox-686 scripts/guest-init

$(GUEST)/initrd-686-modules.img: $(GUEST)/busybox-686 $(GUEST)/modules-686.tar $(GUEST)/busybox \
		scripts/guest-init scripts/guest-applets.txt
	@$(S) initrd-modules $@ $(GUEST)/busybox-686 scripts/guest-init $(GUEST)/modules-686.tar

# A Multiboot image that is a package's own: the Xen hypervisor.
$(GUEST)/xen: | deps-guest
	@$(S) depends xen-system-amd64 'xen-hypervisor-[0-9]*' '/boot/xen-*.gz' $@

debian: $(GUEST)/debian/debian.img

$(GUEST)/debian/debian.img: | deps-debian
	@scripts/debian.sh $(GUEST)/debian

run-debian: all debian
	@echo "== user \"user\", password \"doppel\"; ssh -p $(SSH_PORT) -i $(GUEST)/debian/id user@localhost"
	@echo "== Ctrl-A x quits, so does poweroff in the guest"
	@$(BUILD)/doppel run --memory 1G --kernel $(GUEST)/debian/vmlinuz --initrd $(GUEST)/debian/initrd.img \
		--append "root=/dev/vda rw console=ttyS0" --disk $(GUEST)/debian/debian.img,format=raw \
		--net user,forward=tcp:$(SSH_PORT):22 --share .:share --rng --balloon $(ARGS)

deps-debian:
	@scripts/deps.sh guest debian

# fio and iperf3 measure disks and networks in the guest.
$(GUEST)/debian-bench/debian.img: | deps-bench
	@DEBIAN_PACKAGES=fio,iperf3 scripts/debian.sh $(GUEST)/debian-bench

bench: deps-bench all guest $(GUEST)/debian-bench/debian.img
	@scripts/bench.sh

install: all
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	meson install -C $(BUILD)

format:
	@scripts/deps.sh format
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf $(BUILD) $(BUILD_SAN)
