# make demo    run everything embedded and place real SIP calls (ONCE=1 exits after the last call)
# make test    run all tests: fast ones first, then those with real PostgreSQL, Asterisk and SIP
# make check   check lint, format, types and import contracts
# make fmt     format the code
# make bench   compare with a plain dialplan, some 40 minutes (QUICK=1 some 5; BENCH=--help lists more)
# make setup   create .venv, and fetch Asterisk into ~/.cache/callengine; the others call it first
# make pins    renew the pinned versions and hashes in requirements*.txt
# make clean   remove everything made here; Asterisk stays in the cache
#
# PYTHON=...        the interpreter, 3.13 or later        ASTERISK_BIN=...  an installed Asterisk instead of the fetched
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup asterisk demo test unit live check fmt bench pins clean

BIN := .venv/bin
TESTS_APART := tests/store tests/live

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

# Two processes. Each of them has a whole service for the tests apart, on ports of its own.
unit: .venv/ready
	@$(BIN)/pytest tests/unit -n 2

live: setup
	@$(BIN)/pytest $(wildcard $(TESTS_APART)) -n 2 -m "not alone"
	@$(BIN)/pytest $(wildcard $(TESTS_APART)) -m alone

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
