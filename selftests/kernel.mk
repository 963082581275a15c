# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Tests of BPF programs: each selftests/prog_tests/*.c is one program, selftests/progs/*.bpf.c are
# the objects they load, built in as skeletons (X.test.skel.h, struct X_test_bpf).
PROG_TEST_SRC := $(wildcard selftests/prog_tests/*.c)
PROG_TEST_BIN := $(PROG_TEST_SRC:selftests/prog_tests/%.c=$O/prog_tests/%)
PROG_TEST_BPF := $(wildcard selftests/progs/*.bpf.c)
PROG_TEST_SKEL := $(PROG_TEST_BPF:selftests/progs/%.bpf.c=$O/gen/%.test.skel.h)

$O/gen/%.test.skel.h: $O/selftests/progs/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(notdir $*)_test_bpf > $@

$O/prog_tests/%: selftests/prog_tests/%.c $O/gen/dispatch_gen.h $(PROG_TEST_SKEL)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(USER_CFLAGS) $(PKG_CFLAGS) -MMD -MP -MF $@.d -MT $@ $< -o $@ $(LIBS)

.SECONDARY: $(PROG_TEST_SKEL) $(PROG_TEST_BPF:%.c=$O/%.o)

-include $(wildcard $O/prog_tests/*.d $O/selftests/progs/*.d)

# `make kernel`: on the running kernel; `make native` runs them too, with the end-to-end tests.
.PHONY: kernel
kernel: $(PROG_TEST_BIN)
	$(Q)fail=0; for t in $^; do $$t || fail=1; done; exit $$fail
