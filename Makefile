# make demo    run everything embedded and place real SIP calls (ONCE=1 exits after the last call)
# make test    run the tests: fast ones first, then those with real PostgreSQL, Asterisk and SIP
# make heavy   run the long tests: every failpoint, floods, kill loops, large numbers
# make faults  break one part after the other under real calls: hours; writes a table into docs/reliability.md (FAULTS=--help)
# make system  execute docs/operating.md on a booted Debian 13; needs root (FIRST=1: up to the first calls, as CI does)
# make deb     build the packages for Debian 13 into dist/; LINT=1 checks them with lintian
# make soak    place calls for hours, with a fault every ten minutes (SOAK=2h RATE=5 ROUND=10m)
# make check   check lint, format, types and import contracts
# make fmt     format the code
# make manual  write docs/routing.md and config/schemas/ from the models
# make bench   compare with a plain dialplan, some 40 minutes (QUICK=1 some 5; BENCH=--help lists more)
# make setup   create .venv, and fetch Asterisk into ~/.cache/callengine; the others call it first
# make pins    renew the pinned versions and hashes in requirements*.txt
# make clean   remove everything made here; Asterisk stays in the cache
#
# PYTHON=...        the interpreter, 3.13 or later        ASTERISK_BIN=...  an installed Asterisk instead of the fetched
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Without stored bytecode each process compiles its modules again: 1.2 s of CPU for an engine.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup asterisk demo test unit live heavy faults soak deb system check fmt manual bench pins clean

BIN := .venv/bin
TESTS_APART := tests/store tests/live tests/faults
CORES := $(shell cores=$$(nproc); echo $$((cores < 4 ? cores : 4)))

# The environment of a moved clone contains old paths: create it again.
ifneq ($(shell cat .venv/ready 2>/dev/null),$(CURDIR))
.PHONY: .venv/ready
endif

help:
	@sed -n 's/^# //p;/^SHELL/q' Makefile

setup: .venv/ready asterisk

.venv/ready: requirements-dev.txt requirements-tools.txt pyproject.toml scripts/make-venv.sh
	@PYTHON="$(PYTHON)" scripts/make-venv.sh

asterisk:
	@asterisk/fetch-asterisk.sh

demo: setup
	@$(BIN)/callengine demo $(if $(ONCE),--once)

test: unit live

unit: .venv/ready
	@$(BIN)/pytest tests/unit -n $(CORES) --dist worksteal -m "not heavy"

# These tests wait more than they compute, so there are two processes for each core; each has a whole service for
# its live tests, on ports of its own. Tests of a file stay together, as long as no process is idle.
live: setup
	@$(BIN)/pytest $(wildcard $(TESTS_APART)) -n $$((2 * $(CORES))) --dist worksteal -m "not alone and not heavy"
	@$(BIN)/pytest $(wildcard $(TESTS_APART)) -m "alone and not heavy"

heavy: setup
	@scripts/fetch-chromium.sh
	@$(BIN)/pytest tests -n $(CORES) --dist worksteal -m "heavy and not alone"
	@$(BIN)/pytest tests -m "heavy and alone"

# FAULTS="--row engine --phase none": some of the faults, no message or recording held
faults: setup
	@$(BIN)/python -m tests.faults $(FAULTS)

SOAK := 2h
RATE := 5
ROUND := 10m
soak: setup
	@$(BIN)/python -m tests.faults.soak --length $(SOAK) --rate $(RATE) --round $(ROUND)

deb: setup
	@scripts/make-deb.sh

# Not part of `make test`: it installs a system. With FIRST=1 only what an installation needs until it has served calls.
system: setup
	@scripts/boot-debian.sh --check
	@scripts/fetch-debian.sh
	@$(BIN)/pytest $(if $(FIRST),tests/system/test_guide.py tests/system/test_working.py,tests/system)

check: .venv/ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: .venv/ready
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

manual: .venv/ready
	@$(BIN)/callengine schema --markdown > docs/routing.md.new && mv docs/routing.md.new docs/routing.md
	@for files in numbers owners routes trunks; do \
	    $(BIN)/callengine schema $$files > config/schemas/$$files.new && mv config/schemas/$$files.new config/schemas/$$files.json; \
	done

bench: setup
	@scripts/fetch-sipp.sh
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(BENCH)

PIN := $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.13
pins: .venv/ready
	$(PIN) pyproject.toml -o requirements.txt
	$(PIN) pyproject.toml --extra dev --group test -o requirements-dev.txt
	printf 'setuptools\nuv\n' | $(PIN) - -o requirements-tools.txt

clean:
	rm -rf .venv *.egg-info build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
