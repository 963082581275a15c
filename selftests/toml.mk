# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The public toml-test suite, version 1.0.0 of the language, against user/toml*.c.
# The runner is a Go module; v2.2.0 builds with Debian 12's Go 1.19 and newer.
CHECKS += toml-suite
CHECK_DEPS += $(if $(shell command -v go),,golang-go)

TOML_TEST = github.com/toml-lang/toml-test/v2/cmd/toml-test@v2.2.0
TOML_DIR = $O/toml
TOML_SRC := $(wildcard user/toml*.c) selftests/toml/adapter.c

$(TOML_DIR)/adapter: $(TOML_SRC) $(wildcard user/toml*.h)
	$(call say,CC-SAN,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
		-std=gnu11 -D_GNU_SOURCE $(WARN) -Iuser $(PKG_CFLAGS) $(TOML_SRC) -o $@ \
		$$($(PKG_CONFIG) --libs jansson) -lm

# Everything that Go fetches or builds stays below the output folder and can be deleted.
$(TOML_DIR)/bin/toml-test:
	$(call say,GO,$(TOML_TEST))
	@mkdir -p $(TOML_DIR)
	$(Q)cd $(TOML_DIR) && GOBIN=$$PWD/bin GOPATH=$$PWD/go GOCACHE=$$PWD/cache \
		GOFLAGS=-modcacherw GOTOOLCHAIN=local go install $(TOML_TEST) > fetch.log 2>&1

.PHONY: toml-suite
toml-suite: $(TOML_DIR)/adapter
	@selftests/toml/run $(TOML_DIR) "$(MAKE) --no-print-directory O=$O $(TOML_DIR)/bin/toml-test"
