# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# README's "Add a protocol": its example, added to a copy of this tree, built and tested there.
CHECKS += example
CHECK_DEPS += libcmocka-dev python3 curl

.PHONY: example
example:
	@MAKE="$(MAKE)" selftests/example/run $O/example
