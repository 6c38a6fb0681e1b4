# SPDX-License-Identifier: Apache-2.0
# Every target of Firn; `make help` lists them. One make for the whole tree, nothing recursive but the targets that build
# again with other flags. What is built goes to $(O). Sources are found by their place:
#
#     agent/*/*.c, agent/main.c   ->  $(O)/firn            (all but main.o also in $(O)/libagent.a, for the tests)
#     agent/core/*.c              ->  $(O)/libcore.a       (what a plugin of this tree may link)
#     plugins/NAME/*.c            ->  $(O)/plugins/NAME.so (plugins/NAME/libs.mk: PLUGIN_LIBS_NAME := pkg-config names)
#     plugins/NAME/TASK_main.c    ->  $(O)/plugins/NAME-TASK, a program that the plugin starts, with what it needs of it
#     tests/unit/test_*.c         ->  $(O)/tests/unit/     (tests/unit/PLUGIN/test_*.c: with the objects of that plugin)
#     tests/component/*.c         ->  $(O)/tests/component/
#     tests/bench/*.c             ->  $(O)/tests/bench/    (for `make bench`)
#     tests/fuzz/fuzz_*.c         ->  $(O)/tests/fuzz/     (replays a corpus; `make fuzz` builds the searching kind)

O       ?= build
VERSION := 0.1.0

prefix     ?= /usr/local
bindir     ?= $(prefix)/bin
libdir     ?= $(prefix)/lib
includedir ?= $(prefix)/include
mandir     ?= $(prefix)/share/man
plugindir  ?= $(libdir)/firn/plugins
completiondir ?= $(prefix)/share/bash-completion/completions

PKG_CONFIG ?= pkg-config
CFLAGS     ?= -O2 -g
WERROR     ?=
SANITIZE   ?=
COVERAGE   ?=
FUZZ_TIME  ?= 60

MAKEFLAGS += --no-builtin-rules --no-print-directory
# One short line a step; V=1 shows the commands.
V       ?=
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-6s %s\n' $1 '$(patsubst $(O)/%,%,$@)')
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# ---------------------------------------------------------------------------------------------------------------- flags

WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
            -Wcast-qual -Wundef $(if $(WERROR),-Werror)
HARDEN   := -fstack-protector-strong $(if $(filter x86_64,$(shell uname -m)),-fcf-protection)
INSTRUMENT :=
ifneq ($(SANITIZE),)
INSTRUMENT += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer -O1
else ifneq ($(COVERAGE),)
INSTRUMENT += --coverage -O0
else
HARDEN   += -D_FORTIFY_SOURCE=2
endif
DEFINES  := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFIRN_VERSION='"$(VERSION)"' -DFIRN_PLUGIN_DIRECTORY='"$(plugindir)"'

# pkg-config runs when a recipe first needs it, and once: never before `deps` has installed it.
once = $(eval $1 := $(shell $2))$($1)
LIBS       := libcurl json-c libzstd yaml-0.1 libcrypto libisal libxml-2.0 libmicrohttpd
CORE_LIBS  := json-c yaml-0.1
LIBS_CFLAGS    = $(call once,LIBS_CFLAGS,$(PKG_CONFIG) --cflags $(LIBS))
LIBS_LDLIBS    = $(call once,LIBS_LDLIBS,$(PKG_CONFIG) --libs $(LIBS)) -lm
CORE_LDLIBS    = $(call once,CORE_LDLIBS,$(PKG_CONFIG) --libs $(CORE_LIBS))
CUNIT_LDLIBS   = $(call once,CUNIT_LDLIBS,$(PKG_CONFIG) --libs cunit)

BASE_CFLAGS = -std=gnu17 $(CFLAGS) $(WARNINGS) $(HARDEN) $(INSTRUMENT) -fvisibility=hidden -pthread $(DEFINES) \
              -Iinclude -Iagent
COMPILE     = $(Q)$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(LIBS_CFLAGS) -MMD -MP -c -o $@ $<
BASE_LDFLAGS = $(CFLAGS) $(INSTRUMENT) -pthread -Wl,--as-needed -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)

# -------------------------------------------------------------------------------------------------------------- sources

FOLDERS     := core net kube store repo host control cli
CORE_SRC    := $(wildcard agent/core/*.c)
AGENT_SRC   := $(wildcard $(FOLDERS:%=agent/%/*.c))
MAIN_SRC    := $(wildcard agent/main.c)
PLUGINS     := $(sort $(patsubst plugins/%/,%,$(dir $(wildcard plugins/*/*.c))))
UNIT_SRC    := $(wildcard tests/unit/test_*.c tests/unit/*/test_*.c)
COMPONENT_SRC := $(wildcard tests/component/*.c)
BENCH_SRC   := $(wildcard tests/bench/*.c)
FUZZ_SRC    := $(wildcard tests/fuzz/fuzz_*.c tests/fuzz/*/fuzz_*.c)

obj          = $(patsubst %.c,$(O)/obj/%.o,$1)
program      = $(patsubst %.c,$(O)/%,$1)
AGENT_OBJ   := $(call obj,$(AGENT_SRC))
PROGRAM     := $(if $(MAIN_SRC),$(O)/firn)
PLUGIN_SO   := $(PLUGINS:%=$(O)/plugins/%.so)
PLUGIN_MAIN := $(wildcard plugins/*/*_main.c)
plugin_program = $(patsubst %_main.c,$(O)/plugins/%,$(subst /,-,$(1:plugins/%=%)))
PLUGIN_PROGRAMS := $(foreach src,$(PLUGIN_MAIN),$(call plugin_program,$(src)))
TEST_PROGRAMS := $(call program,$(UNIT_SRC) $(COMPONENT_SRC) $(FUZZ_SRC))
-include $(wildcard plugins/*/libs.mk)

all: $(PROGRAM) $(O)/libagent.a $(O)/libcore.a $(PLUGIN_SO) $(PLUGIN_PROGRAMS) ## builds firn and the plugins (O=build, CC, CFLAGS)
tests: all $(TEST_PROGRAMS) ## builds the test programs as well

# Objects are made anew when the flags change.
$(O)/flags: always
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(CFLAGS) $(INSTRUMENT) $(CPPFLAGS) $(plugindir) $(VERSION)' | cmp -s - $@ || \
	 printf '%s\n' '$(CC) $(CFLAGS) $(INSTRUMENT) $(CPPFLAGS) $(plugindir) $(VERSION)' > $@
always:

$(O)/obj/agent/core/%.o: agent/core/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(COMPILE) -fPIC
$(O)/obj/agent/%.o: agent/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(COMPILE) -fPIE
$(O)/obj/tests/%.o: tests/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(COMPILE) -fPIE -Itests -Iplugins $(PLUGIN_CFLAGS)

$(O)/libcore.a: $(call obj,$(CORE_SRC))
$(O)/libagent.a: $(AGENT_OBJ)
$(O)/lib%.a:
	@mkdir -p $(@D); rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $^

# No -rdynamic: the agent shows no symbol to what it loads.
$(O)/firn: $(call obj,$(MAIN_SRC)) $(O)/libagent.a
	$(call say,LINK)
	$(Q)$(CC) $(BASE_LDFLAGS) -pie -o $@ $^ $(LIBS_LDLIBS)

# A plugin imports nothing but from the libraries that it names. (Sanitizers of clang leave symbols to the program.)
define plugin
PLUGIN_OBJ_$1 := $$(call obj,$$(filter-out $$(PLUGIN_MAIN),$$(wildcard plugins/$1/*.c)))
PLUGIN_CFLAGS_$1 = $$(if $$(PLUGIN_LIBS_$1),$$(call once,PLUGIN_CFLAGS_$1,$$(PKG_CONFIG) --cflags $$(PLUGIN_LIBS_$1)))
PLUGIN_LDLIBS_$1 = $$(if $$(PLUGIN_LIBS_$1),$$(call once,PLUGIN_LDLIBS_$1,$$(PKG_CONFIG) --libs $$(PLUGIN_LIBS_$1)))
$$(O)/obj/plugins/$1/%.o: plugins/$1/%.c $$(O)/flags
	@mkdir -p $$(@D)
	$$(call say,CC)
	$$(COMPILE) -fPIC $$(PLUGIN_CFLAGS_$1)
$$(O)/plugins/$1.so: $$(PLUGIN_OBJ_$1) $$(O)/libcore.a
	@mkdir -p $$(@D)
	$$(call say,LINK)
	$$(Q)$$(CC) $$(BASE_LDFLAGS) -shared $$(if $$(SANITIZE),,-Wl,--no-undefined) -o $$@ $$^ $$(PLUGIN_LDLIBS_$1) $$(CORE_LDLIBS)
endef
$(foreach name,$(PLUGINS),$(eval $(call plugin,$(name))))

# Such a program takes of the plugin's objects those that it needs, from an archive.
define plugin_program_rule
$(O)/obj/plugins/$2.a: $$(PLUGIN_OBJ_$2)
$(call plugin_program,$1): $(call obj,$1) $(O)/obj/plugins/$2.a $(O)/libcore.a
	@mkdir -p $$(@D)
	$$(call say,LINK)
	$$(Q)$$(CC) $$(BASE_LDFLAGS) -pie -o $$@ $$^ $$(PLUGIN_LDLIBS_$2) $$(CORE_LDLIBS)
endef
$(foreach src,$(PLUGIN_MAIN),$(eval $(call plugin_program_rule,$(src),$(notdir $(patsubst %/,%,$(dir $(src)))))))
$(O)/obj/plugins/%.a:
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $^

# The plugin whose folder under tests/unit or tests/fuzz a test lies in, if any; it links that plugin's objects.
plugin_of = $(filter $(PLUGINS),$(notdir $(patsubst %/,%,$(dir $1))))
define test_program
$(call program,$1): PLUGIN_CFLAGS = $$(PLUGIN_CFLAGS_$(call plugin_of,$1))
$(call program,$1): $(call obj,$1 $2) $(if $(call plugin_of,$1),$(PLUGIN_OBJ_$(call plugin_of,$1))) $(O)/libagent.a
	@mkdir -p $$(@D)
	$$(call say,LINK)
	$$(Q)$$(CC) $$(BASE_LDFLAGS) -pie -o $$@ $$^ $3 $$(PLUGIN_LDLIBS_$(call plugin_of,$1)) $$(LIBS_LDLIBS)
endef
$(foreach src,$(UNIT_SRC),$(eval $(call test_program,$(src),,$$(CUNIT_LDLIBS))))
$(foreach src,$(COMPONENT_SRC),$(eval $(call test_program,$(src),,-ldl)))
$(foreach src,$(BENCH_SRC),$(eval $(call test_program,$(src),,)))
$(foreach src,$(FUZZ_SRC),$(eval $(call test_program,$(src),tests/fuzz/replay.c,)))

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)

# --------------------------------------------------------------------------------------------------------------- checks

again = +@$(MAKE) O=$(O)

deps: ## installs what building and testing need (Debian; root, when something is missing)
	@tests/lab/deps tests/lab/packages.txt
deps-bench: ## installs the programs that the bench compares with
	@tests/lab/deps tests/lab/packages.txt tests/bench/packages.txt

check: ## everything that a laptop can check; T=NAME: only those
	$(again) deps
	$(again) WERROR=1 tests
	$(if $(T),,$(again) check-clang)
	@O=$(O) tests/run $(T)
check-clang: ## builds with clang, warnings are errors
	$(again)/clang CC=clang WERROR=1 tests
check-asan: ## the tests with AddressSanitizer and UndefinedBehaviorSanitizer; T=NAME: only those
	$(again) deps
	$(again)/asan SANITIZE=address,undefined tests
	@O=$(O)/asan tests/run --dynamic $(T)
check-tsan: ## the tests with ThreadSanitizer; T=NAME: only those
	$(again) deps
	$(again)/tsan SANITIZE=thread tests
	@O=$(O)/tsan tests/run --dynamic $(T)
check-valgrind: ## the tests under valgrind; T=NAME: only those
	$(again) deps
	$(again) tests
	@O=$(O) tests/run --dynamic --valgrind $(T)
check-layers: ## includes run downwards only
	@tests/check-layers
check-format: ## the sources are as clang-format lays them out
	@tests/check-format
format: ## lays the sources out with clang-format
	@tests/check-format --fix
coverage: ## branch coverage of agent/repo
	$(again) deps
	$(again)/coverage COVERAGE=1 tests
	@find $(O)/coverage -name '*.gcda' -delete
	@O=$(O)/coverage tests/run --dynamic $(T); status=$$?; \
	gcovr --root . --object-directory $(O)/coverage --filter agent/repo/ --branches --print-summary; exit $$status

# The searching fuzzers: libFuzzer over objects of their own, each for FUZZ_TIME seconds from its corpus.
FUZZ_O := $(O)/fuzz
fuzz: ## runs every fuzzer for FUZZ_TIME=60 seconds; T=NAME: only those
	$(again) deps
	$(again)/fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzzers
	@O=$(O)/fuzz FUZZ_TIME=$(FUZZ_TIME) tests/fuzz/run $(T)
fuzzers: $(patsubst %.c,$(O)/%.search,$(FUZZ_SRC))
define fuzzer
$(patsubst %.c,$(O)/%.search,$1): PLUGIN_CFLAGS = $$(PLUGIN_CFLAGS_$(call plugin_of,$1))
$(patsubst %.c,$(O)/%.search,$1): $(call obj,$1) $(if $(call plugin_of,$1),$(PLUGIN_OBJ_$(call plugin_of,$1))) $(O)/libagent.a
	@mkdir -p $$(@D)
	$$(call say,LINK)
	$$(Q)$$(CC) $$(BASE_LDFLAGS) -fsanitize=fuzzer -pie -o $$@ $$^ $$(PLUGIN_LDLIBS_$(call plugin_of,$1)) $$(LIBS_LDLIBS)
endef
$(foreach src,$(FUZZ_SRC),$(eval $(call fuzzer,$(src))))

bench: ## compares with restic, borg and zstd on the same input
	$(again) deps-bench
	$(again) all $(call program,$(BENCH_SRC))
	@O=$(O) tests/bench/run
demo: ## the main job on a real virtual machine and a real registry
	$(again) deps
	$(again) all
	@O=$(O) tests/demo/run

# -------------------------------------------------------------------------------------------------------------- install

# Manual pages and completion come from the tables that the program itself parses by.
man: $(PROGRAM) ## makes the manual pages and the completion in $(O)/man
	@mkdir -p $(O)/man
	$(Q)$(O)/firn help --man > $(O)/man/firn.1
	$(Q)for verb in $$($(O)/firn help --verbs); do $(O)/firn help --man $$verb > $(O)/man/firn-$$verb.1 || exit 1; done
	$(Q)$(O)/firn completion bash > $(O)/man/firn.bash
MAN_PAGES = $(wildcard plugins/*/*.[1-8] $(O)/man/*.[1-8])
install: all man ## installs to $(DESTDIR)$(prefix)
	install -D -m 755 $(O)/firn $(DESTDIR)$(bindir)/firn
	ln -sf firn $(DESTDIR)$(bindir)/kubectl-firn
	$(if $(PLUGIN_SO),install -D -m 644 -t $(DESTDIR)$(plugindir) $(PLUGIN_SO))
	$(if $(PLUGIN_PROGRAMS),install -D -m 755 -t $(DESTDIR)$(plugindir) $(PLUGIN_PROGRAMS))
	install -D -m 644 -t $(DESTDIR)$(includedir)/firn include/firn/*.h
	$(foreach page,$(MAN_PAGES),install -D -m 644 $(page) $(DESTDIR)$(mandir)/man$(subst .,,$(suffix $(page)))/$(notdir $(page));)
	install -D -m 644 $(O)/man/firn.bash $(DESTDIR)$(completiondir)/firn
# What `install` would put on a machine, and the libraries that it needs, as a container image. No container engine is involved.
IMAGE = $(O)/firn-image.tar
image: ## makes the container image $(O)/firn-image.tar (OCI archive) and its bill of materials
	@rm -rf $(O)/stage
	$(again) install DESTDIR=$(abspath $(O))/stage > /dev/null
	@image/build $(O)/stage $(IMAGE) $(VERSION)
clean: ## removes what was built
	rm -rf $(O)
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: all tests always deps deps-bench check check-clang check-asan check-tsan check-valgrind check-layers check-format \
        format coverage fuzz fuzzers bench demo man install image clean help
