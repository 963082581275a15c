# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What selftests/e2e needs: the servers and clients it drives, and its C helpers.
CHECK_DEPS += nginx-light redis-server redis-tools curl apache2-utils wrk python3 iproute2 \
	iptables util-linux

E2E_BIN := $(patsubst selftests/e2e/%.c,$O/e2e/%,$(wildcard selftests/e2e/*.c))

$O/e2e/%: selftests/e2e/%.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g $(WARN) $< -o $@

.PHONY: e2e-bin
e2e-bin: $(E2E_BIN)
