# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# check-run: every check, one after the other; the fast ones first, those that boot machines last.
# The machines run side by side: emulated tests wait more than they compute.
empty =
CHECK_ORDER = build unit $(filter-out unit $(KERNEL_CHECKS),$(CHECKS)) native vm-guest \
	$(subst $(empty) $(empty),+,$(VM_CHECKS)) verifier-budget
CHECK_JOBS ?= $(shell nproc)

check-run:
	$(Q)MAKE="$(MAKE) -j$(CHECK_JOBS) VM_GUEST_MADE=1" NEED="native $(VM_CHECKS)" \
		selftests/run-checks $O/logs $(CHECK_ORDER)

.PHONY: build
build: all
