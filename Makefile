# SPDX-License-Identifier: MIT
# The few commands people type. Everything real is in CMakeLists.txt and scripts/.

PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build/library
BENCH ?= build/bench
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
ARGS ?=

# Only with the peers that it was built with; so where it wasn't, there is nothing to install.
INSTALL_BENCH = if [ -x '$(BENCH)/bench/xsc-wait-bench' ]; then \
	DESTDIR='$(DESTDIR)' cmake --install '$(BENCH)' --prefix '$(PREFIX)' --component bench; fi

.PHONY: help probe check check-fast check-long models litmus bench install clean

help:
	@echo 'make probe        what can wait on this machine, tried out (ARGS="--json ..." is passed on)'
	@echo 'make check        all builds and all tests'
	@echo 'make check-fast   this machine only, no emulators: under two minutes'
	@echo 'make check-long   chaos (10^9 operations), fuzzing and all mutations: hours'
	@echo 'make models       the models of parking and of the locks, searched exhaustively'
	@echo 'make litmus       the protocols under the memory models of arm64, riscv64 and C11, and what compilers emit'
	@echo 'make bench        what waiting costs here, beside bare spins and futexes (ARGS as above)'
	@echo 'make install      PREFIX=$(PREFIX), DESTDIR is honoured; with the bench, where make bench was'
	@echo 'make clean        remove build/'
	@echo 'Packages that are missing are installed first (Debian; see scripts/setup.sh).'

probe:
	@scripts/setup.sh probe
	@cmake --preset library -B $(BUILD) --log-level=WARNING >/dev/null
	@cmake --build $(BUILD) -j $(JOBS) -- --no-print-directory -s
	@$(BUILD)/tools/xsc-wait-probe/xsc-wait-probe $(ARGS)

check:
	@scripts/setup.sh check
	@scripts/check.sh

check-fast:
	@scripts/setup.sh check-fast
	@scripts/check.sh --fast

check-long:
	@scripts/setup.sh check-fast
	@scripts/check.sh --long

models:
	@scripts/setup.sh check-fast
	@models/run.sh

litmus:
	@scripts/setup.sh litmus
	@litmus/run.sh
	@XSC_LITMUS_FETCH=1 litmus/compiled.sh

bench:
	@scripts/setup.sh bench
	@cmake --preset bench -B $(BENCH) --log-level=WARNING >/dev/null
	@cmake --build $(BENCH) -j $(JOBS) -- --no-print-directory -s
	@if [ -n '$(ARGS)' ]; then $(BENCH)/bench/xsc-wait-bench $(ARGS); \
	else bench/run-all.sh $(BENCH)/bench/xsc-wait-bench; fi

install:
	@scripts/setup.sh probe
	@cmake --preset library -B $(BUILD) -DCMAKE_INSTALL_PREFIX='$(PREFIX)' --log-level=WARNING >/dev/null
	@cmake --build $(BUILD) -j $(JOBS) -- --no-print-directory -s
	@DESTDIR='$(DESTDIR)' cmake --install $(BUILD)
	@$(INSTALL_BENCH)

clean:
	rm -rf build
