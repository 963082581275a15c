# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Host unit tests: each selftests/unit/test_*.c is one cmocka program, built with ASan and UBSan
# and linked with whatever it needs of user/.
CHECK_DEPS += libcmocka-dev

SAN = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
UNIT_SRC := $(wildcard selftests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:selftests/unit/%.c=$O/unit/%)
UNIT_LIB_OBJ := $(COMMON_SRC:%.c=$O/asan/%.o) $(patsubst %.c,$O/asan/%.o,$(CTL_SRC))

$O/asan/%.o: %.c $(GEN)
	$(call say,CC-SAN,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -O1 -g $(SAN) $(USER_CFLAGS) -DSPAND_UNIT $(PKG_CFLAGS) -MMD -MP -c $< -o $@

$O/asan/libspand.a: $(UNIT_LIB_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

$O/unit/%: $O/asan/selftests/unit/%.o $O/asan/libspand.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SAN) $^ -o $@ -lcmocka $(LIBS) $(CTL_LIBS)

-include $(wildcard $O/asan/*/*.d $O/asan/*/*/*.d)
.SECONDARY: $(UNIT_LIB_OBJ) $(UNIT_SRC:%.c=$O/asan/%.o)

.PHONY: unit
unit: $(UNIT_BIN)
	$(Q)fail=0; for t in $^; do $$t || fail=1; done; exit $$fail
