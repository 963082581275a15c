# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# make install-test: what `make install` and `make uninstall` do, in $O/install-test.
# make clang-build: user code with clang, which warns of other things, in $O/clang.
CHECKS += install-test clang-build
CHECK_DEPS += clang

.PHONY: install-test clang-build
install-test: all
	$(Q)MAKE="$(MAKE)" selftests/install-test $(abspath $O)

clang-build:
	$(Q)passed=0; failed=0; for t in spand spanctl; do \
		if $(MAKE) --no-print-directory O=$O/clang CC="$(CLANG)" $O/clang/$$t; \
		then passed=$$((passed + 1)); else echo "FAIL clang-build $$t"; failed=$$((failed + 1)); fi; \
	done; echo "clang-build: $$passed passed, $$failed failed, 0 skipped"; [ $$failed = 0 ]
