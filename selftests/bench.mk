# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# make bench: what tracing costs. Table on stdout, everything as JSON in $O/bench.json.
#	BENCH_ROUNDS=15    rounds of interleaved runs (applications: half as many)
#	BENCH_SECONDS=2    length of one run of redis-benchmark, wrk, the span generator
#	BENCH_ONLY=        syscalls, apps or reader: only that part (comma-separated)
#	HOOKS=auto         the hooks to measure: auto, socket, syscall, or "socket syscall"
BENCH_DEPS = python3 redis-server redis-tools nginx wrk
BENCH_ROUNDS ?= 15
BENCH_SECONDS ?= 2
BENCH_ONLY ?=
HOOKS ?= auto

BENCH_BIN = $O/bench/syscost $O/bench/spangen $O/bench/floor
BENCH_CFLAGS = -O2 -g -std=gnu11 -D_GNU_SOURCE $(WARN)

# By one rule from the source: these need none of what the daemon's objects wait for.
$O/bench/%: selftests/bench/%.c selftests/bench/pair.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BENCH_CFLAGS) $< -o $@ $(if $(filter floor,$*),$(shell $(PKG_CONFIG) --cflags --libs libbpf))

$O/bench/floor.bpf.o: selftests/bench/floor.bpf.c vmlinux.h
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

.PHONY: bench bench-run bench-build
bench:
	@tools/deps $(BUILD_DEPS) $(BENCH_DEPS)
	@$(MAKE) --no-print-directory all bench-build
	@$(MAKE) --no-print-directory bench-run

bench-build: $(BENCH_BIN) $O/bench/floor.bpf.o

bench-run:
	$(Q)PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 selftests/bench/bench.py --build $O \
		--rounds $(BENCH_ROUNDS) --seconds $(BENCH_SECONDS) --hooks "$(HOOKS)" \
		$(if $(BENCH_ONLY),--only $(BENCH_ONLY)) --json $O/bench.json
