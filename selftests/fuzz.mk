# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# libFuzzer. One target for each protocol, from fuzz_proto.c, and one for each other
# selftests/fuzz/fuzz_X.c, linked with user/X*.c.
#	make fuzz-short		a bounded number of runs each, in `make check`
#	make fuzz FUZZ_SECONDS=600	each for so long; what it finds stays in $O/fuzz/X
CHECKS += fuzz-short
CHECK_DEPS += clang libclang-rt-dev

FUZZ_CC ?= $(CLANG)
FUZZ_RUNS ?= 20000
FUZZ_SECONDS ?= 300
FUZZ_FLAGS = -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
# A header that registers a protocol; the others are parts of one.
FUZZ_PROTOS := $(notdir $(basename $(shell grep -l '^PROTO_REGISTER' $(PROTO_HDR))))
FUZZ_OTHERS := $(patsubst selftests/fuzz/fuzz_%.c,%,$(filter-out %/fuzz_proto.c,$(wildcard selftests/fuzz/fuzz_*.c)))
FUZZ_BIN := $(FUZZ_PROTOS:%=$O/fuzz/fuzz_%) $(FUZZ_OTHERS:%=$O/fuzz/fuzz_%)
FUZZ_VEC_HDR := $(wildcard selftests/vectors/*.h include/*.h)

$(FUZZ_PROTOS:%=$O/fuzz/fuzz_%): $O/fuzz/fuzz_%: selftests/fuzz/fuzz_proto.c $(PROTO_HDR) $(FUZZ_VEC_HDR) \
		$O/gen/dispatch_gen.h
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) $(USER_CFLAGS) -DFUZZ_PROTO=$* $< -o $@

.SECONDEXPANSION:
$(FUZZ_OTHERS:%=$O/fuzz/fuzz_%): $O/fuzz/fuzz_%: selftests/fuzz/fuzz_%.c $$(wildcard user/$$*.h user/$$**.c)
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) $(USER_CFLAGS) $(PKG_CFLAGS) $(filter %.c,$^) -o $@ $(LIBS)

$O/fuzz/make_seeds: selftests/fuzz/make_seeds.c selftests/vectors/vec_load.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(USER_CFLAGS) $< -o $@

# $(call fuzz_run,options): every target with its own corpus; seeds are laid anew.
fuzz_run = fail=0; for t in $(FUZZ_PROTOS); do mkdir -p $O/fuzz/$$t; \
	$O/fuzz/make_seeds $O/fuzz/$$t $$t || exit 1; done; \
	for t in $(FUZZ_PROTOS) $(FUZZ_OTHERS); do mkdir -p $O/fuzz/$$t; \
	if $O/fuzz/fuzz_$$t $(1) -artifact_prefix=$O/fuzz/crash-$$t- $O/fuzz/$$t > $O/fuzz/$$t.log 2>&1; \
	then echo "fuzz $$t: `grep -a '^Done' $O/fuzz/$$t.log`"; \
	else echo "FAIL fuzz $$t:"; tail -n 30 $O/fuzz/$$t.log; fail=$$((fail + 1)); fi; done; \
	echo "fuzz: $$(($(words $(FUZZ_BIN)) - fail)) passed, $$fail failed, 0 skipped"; [ $$fail = 0 ]

.PHONY: fuzz fuzz-short
fuzz-short: $(FUZZ_BIN) $O/fuzz/make_seeds
	$(Q)$(call fuzz_run,-seed=1 -runs=$(FUZZ_RUNS))
fuzz: $(FUZZ_BIN) $O/fuzz/make_seeds
	$(Q)$(call fuzz_run,-max_total_time=$(FUZZ_SECONDS))
