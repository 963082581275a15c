# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Tests that need a kernel: on the running one if it lets BPF load, and in QEMU on a matrix of
# packaged kernels. SPAND_KERNELS=folder keeps the downloaded kernels elsewhere than in $O/kernels.
#	make vm-6.1; make native E2E_ARGS="-k redis"; tools/run-vm 6.12 sh -c 'uname -a'
#	make verifier-budget UPDATE=1	writes selftests/veristat.*.csv
VM_KERNELS = 6.1 6.12 newest
VM_CHECKS = $(VM_KERNELS:%=vm-%)
KERNEL_CHECKS = native $(VM_CHECKS) verifier-budget
CHECK_DEPS += qemu-system-x86 busybox-static kmod debian-archive-keyring python3

# What a test machine holds besides this tree and its build: programs, files by host path.
# Both come with the libraries that they load. A test that needs more adds to these.
GUEST_PROGRAMS += sh bash python3 ip ss iptables curl ab wrk nginx redis-server redis-cli \
	redis-benchmark bpftool setpriv unshare nsenter
GUEST_FILES += $(wildcard /usr/lib/python3.[0-9]* /usr/lib/*-linux-gnu/xtables /etc/nginx)
GUEST_TREE += selftests config include Makefile
E2E_ARGS ?=

ifdef SPAND_KERNELS
export SPAND_KERNELS
endif

$O/veristat: selftests/veristat.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -std=gnu11 -D_GNU_SOURCE $(WARN) $< -o $@ \
		$$($(PKG_CONFIG) --cflags --libs libbpf)

KERNEL_OBJ := $(patsubst %.bpf.c,$O/%.bpf.o,$(wildcard kern/*.bpf.c))

.PHONY: kernel-test-bin vm-guest native verifier-budget $(VM_CHECKS)
kernel-test-bin: $O/veristat $O/spand $O/spanctl $(KERNEL_OBJ) $(PROG_TEST_BIN) $(E2E_BIN)

# Always made anew, in two seconds: its content is not known before the programs are looked up.
vm-guest: kernel-test-bin
	@mkdir -p $O/vm
	$(Q)tools/mkinitramfs -o $O/vm/guest.cpio -O $O $(GUEST_PROGRAMS:%=-p %) \
		$(GUEST_FILES:%=-f %) $(GUEST_TREE:%=-t %)

# Where tracing programs can be preempted, cases that this disturbs are run again, which takes its
# time in emulation: only those with real servers, and what is likely to depend on the kernel.
vm-newest: VM_CASES = $(addprefix -k ,nginx. redis.c redis.p redis.resp3 redis.hello3 \
	redis.inline redis.multi redis.unix netns. http. syscalls.ten syscalls.dup \
	syscalls.sendfile hostile.reset hostile.never life.kill life.sigterm filters.sampling)

# 77: skipped, and said so.
$(VM_CHECKS): vm-%: $(if $(VM_GUEST_MADE),,vm-guest)
	$(Q)O=$(abspath $O) tools/run-vm -t 2700 -o $O/vm/$* $* selftests/kernel-tests vm-$* \
		--quick --default-hooks $(or $(E2E_ARGS),$(VM_CASES)); rc=$$?; [ $$rc = 77 ] || exit $$rc

native: kernel-test-bin
	$(Q)BUILD=$(abspath $O) selftests/kernel-tests native $(E2E_ARGS)

# Its machines need no more than the objects.
verifier-budget: $O/veristat $(KERNEL_OBJ)
	@mkdir -p $O/vm
	$(Q)tools/mkinitramfs -o $O/vm/budget.cpio -O $O -p sh
	$(Q)GUEST=$(abspath $O)/vm/budget.cpio /usr/bin/python3 selftests/verifier-budget \
		$(if $(UPDATE),--update) $O $(VM_KERNELS)
