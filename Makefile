# make demo    see it work: embedded Asterisk and PostgreSQL, real SIP calls (ONCE=1 ends by itself)
# make test    all tests: fast ones first, then those with real PostgreSQL, Asterisk and SIP
# make system  the product installed by docs/operating.md on a booted Debian 13; needs root
# make check   lint, format, types, import contracts
# make fmt     put the format right
# make bench   the benchmark against the plain dialplan, some 40 minutes (QUICK=1 some 5; BENCH=--help tells of more)
# make setup   what the others call first: .venv, and Asterisk in ~/.cache/callengine; nothing on the system
# make pins    renew the pinned versions and hashes in requirements*.txt
# make clean   remove what was made here; Asterisk stays in the cache
#
# PYTHON=...        the interpreter, 3.13 or later        ASTERISK_BIN=...  an installed Asterisk instead of the fetched
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup asterisk demo test unit live system check fmt bench pins clean

BIN := .venv/bin
TESTS_APART := tests/store tests/live

# A clone that was moved has an environment full of old paths: make it anew.
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

# Both cores. The tests apart have a whole service for each of the two, on ports of its own.
unit: .venv/ready
	@$(BIN)/pytest tests/unit -n 2

live: setup
	@$(BIN)/pytest $(wildcard $(TESTS_APART)) -n 2 -m "not alone"
	@$(BIN)/pytest $(wildcard $(TESTS_APART)) -m alone

# Not part of `make test`: it installs a system.
system: setup
	@scripts/fetch-debian.sh
	@$(BIN)/pytest tests/system

check: .venv/ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: .venv/ready
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

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
