# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# check-run: every check, one after the other; the fast ones first, those that boot machines last.
CHECK_ORDER = build unit $(filter-out unit $(KERNEL_CHECKS),$(CHECKS)) $(KERNEL_CHECKS)
CHECK_JOBS ?= $(shell nproc)

check-run:
	$(Q)MAKE="$(MAKE) -j$(CHECK_JOBS)" NEED="native $(VM_CHECKS)" \
		selftests/run-checks $O/logs $(CHECK_ORDER)

.PHONY: build
build: all
