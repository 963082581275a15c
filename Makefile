# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make            build/spand and build/spanctl
# make run        install what is missing, build, trace and show live spans
# make check      install what is missing, build, run every test
# make bench      the benchmark; make fuzz: longer fuzzing; make format: clang-format
# make install    PREFIX, DESTDIR; make uninstall
# V=1 shows commands, CLANG= and CC= choose compilers.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

O ?= build
V ?= 0
CC = gcc
CLANG ?= clang
LLVM_STRIP ?= $(patsubst %clang,%llvm-strip,$(firstword $(subst -, ,$(CLANG))))$(patsubst clang%,%,$(notdir $(CLANG)))
BPFTOOL ?= $(or $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool),bpftool)
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system

ifeq ($(V),0)
Q = @
say = @printf '  %-8s %s\n' $(1) $(2)
else
Q =
say =
endif

ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
WARN = -Wall -Wextra -Werror
BPF_CFLAGS = -O2 -g -std=gnu11 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) $(WARN) \
	-Wno-address-of-packed-member -Wno-missing-declarations -Wno-unused-parameter -Iinclude -I. -I$O/gen

# Evaluated when first used, after `deps` has had its chance to install them.
PKGS = libbpf libelf zlib libmicrohttpd jansson
CTL_PKGS = jansson libcurl
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(PKGS) $(CTL_PKGS))
PKG_LIBS = $(shell $(PKG_CONFIG) --libs $(PKGS))
CTL_LIBS = $(shell $(PKG_CONFIG) --libs $(CTL_PKGS)) -pthread -lm
CFLAGS ?= -O2 -g
USER_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARN) -pthread -Iinclude -Iuser -I$O/gen
LIBS = $(PKG_LIBS) -pthread -lm

# user/spanctl*.c belong to spanctl, user/main.c to the daemon; everything else is common.
USER_SRC := $(wildcard user/*.c) $(wildcard user/proto/*.c)
CTL_SRC := $(wildcard user/spanctl*.c)
COMMON_SRC := $(filter-out $(CTL_SRC) user/main.c,$(USER_SRC))
PROTO_HDR := $(wildcard include/proto/*.h)
GEN := $O/gen/proto_gen.h $O/gen/dispatch_gen.h $O/gen/spand.skel.h

SPAND_OBJ = $(COMMON_SRC:%.c=$O/%.o) $O/user/main.o
# spanctl needs no BPF: it shares only what has no kernel side.
CTL_COMMON := $(filter user/text.c,$(COMMON_SRC))
CTL_OBJ = $(CTL_SRC:%.c=$O/%.o) $(CTL_COMMON:%.c=$O/%.o)

.PHONY: all
all: $O/spand $O/spanctl

# First of all that is built: whatever follows needs it.
$O/gen/libbpf.ok:
	@mkdir -p $(@D)
	@$(PKG_CONFIG) --atleast-version=1.1 libbpf || { echo "spand needs libbpf 1.1 or newer," \
		"pkg-config finds $$($(PKG_CONFIG) --modversion libbpf 2>/dev/null || echo none):" \
		"try 'make deps'" >&2; exit 1; }
	@touch $@

$O/gen/proto_gen.h $O/gen/dispatch_gen.h &: tools/gen-protos $(PROTO_HDR) include/proto | $O/gen/libbpf.ok
	$(call say,GEN,"protocol tables")
	@mkdir -p $O/gen
	$(Q)tools/gen-protos $O/gen $(PROTO_HDR)

$O/%.bpf.o: %.bpf.c $O/gen/proto_gen.h vmlinux.h
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@
	$(Q)$(LLVM_STRIP) -g $@

$O/gen/%.skel.h: $O/kern/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf > $@

$O/%.o: %.c $(GEN)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(USER_CFLAGS) $(PKG_CFLAGS) -MMD -MP -c $< -o $@

$O/spand: $(SPAND_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $^ -o $@ $(LDFLAGS) $(LIBS)

$O/spanctl: $(CTL_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $^ -o $@ $(LDFLAGS) $(CTL_LIBS)

.SECONDARY: $O/gen/spand.skel.h
-include $(wildcard $O/*/*.d $O/*/*/*.d)

# ---- packages ----------------------------------------------------------------------------
BUILD_DEPS = make gcc libc6-dev clang llvm libbpf-dev libelf-dev zlib1g-dev bpftool pkg-config \
	libmicrohttpd-dev libjansson-dev libcurl4-openssl-dev
CHECK_DEPS =

.PHONY: deps deps-check
deps:
	@tools/deps $(BUILD_DEPS)
deps-check:
	@tools/deps $(BUILD_DEPS) $(CHECK_DEPS)

# ---- running, installing -----------------------------------------------------------------
.PHONY: run install uninstall clean format format-check
run: deps
	@$(MAKE) --no-print-directory all
	@exec $O/spand -c config/spand.toml --live

install: all
	install -D -m 755 $O/spand $(DESTDIR)$(PREFIX)/sbin/spand
	install -D -m 755 $O/spanctl $(DESTDIR)$(PREFIX)/bin/spanctl
	test -e $(DESTDIR)$(SYSCONFDIR)/spand/spand.toml || \
		install -D -m 644 config/spand.toml $(DESTDIR)$(SYSCONFDIR)/spand/spand.toml
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|@sbindir@|$(PREFIX)/sbin|; s|@sysconfdir@|$(SYSCONFDIR)|' config/spand.service.in \
		> $(DESTDIR)$(UNITDIR)/spand.service
	chmod 644 $(DESTDIR)$(UNITDIR)/spand.service

# The configuration is the user's: it stays.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/spand $(DESTDIR)$(PREFIX)/bin/spanctl
	rm -f $(DESTDIR)$(UNITDIR)/spand.service

clean:
	rm -rf $O

# Everything but what is generated. Versions of clang-format differ: version 14 decides.
FORMAT_SRC = $(shell find kern user include selftests -name '*.[ch]' | sort)
CLANG_FORMAT ?= clang-format
format:
	$(Q)$(CLANG_FORMAT) -i $(FORMAT_SRC)
format-check:
	$(Q)case "$$($(CLANG_FORMAT) --version 2>&1)" in \
	*" version 14."*) ;; \
	*) echo "SKIP format-check: needs clang-format 14"; \
	   echo "format-check: 0 passed, 0 failed, 1 skipped"; exit 0 ;; \
	esac; \
	if $(CLANG_FORMAT) --dry-run -Werror $(FORMAT_SRC); \
	then echo "format-check: 1 passed, 0 failed, 0 skipped"; \
	else echo "FAIL format-check: see make format"; \
	     echo "format-check: 0 passed, 1 failed, 0 skipped"; exit 1; fi

# ---- tests: selftests/*.mk add to CHECKS and CHECK_DEPS ----------------------------------
include $(wildcard selftests/*.mk)

.PHONY: check check-run
check: deps-check
	@$(MAKE) --no-print-directory check-run
