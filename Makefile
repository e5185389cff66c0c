# The front door. `make demo` and `make test` set up all they need on a fresh Debian 12 (root or sudo), say what they do, and can be run again.
SHELL := /bin/bash
JOBS ?= $(shell nproc)
CTEST = ctest --test-dir build/$(1) --output-on-failure -j$(JOBS) --timeout 900 $(2)
# What starts a thread, for ThreadSanitizer; but hostile_sizes, crash_sync, crash_snapshots and crash_backup, which take minutes there and have no thread that others have not
THREADS = crash\.test_(crash_[^bs]|kill|readers)|torture\.|model\.|test_(api|backup_threads|cache|compact|durable|engine|epoch|event|evolve_threads|failpoint|flow|fs|gc|health|hostile_(disk|handles|values)|lease|mem|merge|options|pool|rate|sst_corrupt|sync|tidy|wal|watch)
.PHONY: help setup setup-python build check test demo interop soak bench fuzz docs install lint coverage tidy clean

help:
	@echo "make demo      set up, build, import real flights, let other engines read them"
	@echo "make test      set up, build, every test that CI runs"
	@echo "make check     the inner loop: release build, unit tests, the short model; Debian packages alone"
	@echo "make build | interop | bench | fuzz | docs | install PREFIX=/usr/local | lint | coverage | tidy"
	@echo "make soak SECONDS=3600   full write rate for an hour, DuckDB, pyiceberg and Spark reading meanwhile"

setup:
	@scripts/setup.sh debian

setup-python: setup
	@scripts/setup.sh python

build: setup
	@echo "== building (release)"
	@cmake --preset release >/dev/null
	@cmake --build build/release -j$(JOBS)

lint: setup
	@python3 tests/tree/check_tree.py

check: build lint
	@echo "== tests, release build"
	@$(call CTEST,release)

build-clang: setup
	@echo "== building (clang)"
	@cmake --preset clang >/dev/null
	@cmake --build build/clang -j$(JOBS)

sanitize: setup
	@echo "== tests under AddressSanitizer and UndefinedBehaviorSanitizer"
	@cmake --preset dev >/dev/null
	@cmake --build build/dev -j$(JOBS)
	@$(call CTEST,dev)
	@echo "== tests of threads under ThreadSanitizer"
	@cmake --preset tsan >/dev/null
	@cmake --build build/tsan -j$(JOBS)
	@FRZ_CRASH_SECONDS=3 FRZ_KILL_SECONDS=3 $(call CTEST,tsan,-R '$(THREADS)')

interop: build setup-python
	@echo "== other engines read what frazil writes"
	@.venv/bin/python -m pytest -q tests/interop
	@FRZ_PYTHON=.venv/bin/python python3 tests/faces/check_readme.py . build/release $(or $(CC),cc)

test: check build-clang sanitize interop
	@echo "== all tests passed"

soak: build setup-python
	@.venv/bin/python tests/soak/soak.py --seconds $(or $(SECONDS),3600) $(SOAK)

demo: build setup-python
	@.venv/bin/python scripts/demo.py build/release/cli/frazil

bench: build
	@build/release/cli/frazil bench fillseq,fillrandom,fillsync,readrandom,readmissing,scan,ingest,publish

fuzz: setup
	@cmake --preset fuzz >/dev/null && cmake --build build/fuzz -j$(JOBS)
	@scripts/fuzz.sh build/fuzz $(or $(SECONDS_EACH),60)

coverage: setup
	@scripts/setup.sh debian gcovr
	@echo "== line coverage of src/"
	@cmake --preset coverage >/dev/null && cmake --build build/coverage -j$(JOBS)
	@find build/coverage -name '*.gcda' -delete
	@$(call CTEST,coverage)
	@gcovr -r . --object-directory build/coverage --filter 'src/' --sort-percentage --txt build/coverage/coverage.txt --print-summary --fail-under-line 85 \
		build/coverage/CMakeFiles/frz_objects.dir >build/coverage/summary.txt; rc=$$?; sed -n '5,16p' build/coverage/coverage.txt; grep lines: build/coverage/summary.txt; exit $$rc

tidy: setup
	@scripts/setup.sh debian clang-tidy
	@cmake --preset tidy >/dev/null && run-clang-tidy -quiet -p build/tidy 'src/.*\.c'

docs: build
	@python3 scripts/options_doc.py && python3 scripts/cli_doc.py build/release/cli/frazil && ls docs/*.md docs/man/*

install: build
	@cmake --install build/release --prefix $(or $(PREFIX),/usr/local)
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi # else programs do not find it in /usr/local/lib

clean:
	rm -rf build
