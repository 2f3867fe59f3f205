# Two commands on a fresh machine: `make demo` and `make test`. Both install what they need into
# .venv, .tools and node_modules below this folder, and nothing anywhere else.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test scenarios check lint types fresh requirements bench prove browser clean

PYTHON := .venv/bin/python
# An installed uv is used; otherwise one is put beside the project. The search for python3 starts in /
# because .python-version here may name a version that only uv can bring.
UV := $(shell command -v uv 2>/dev/null || echo .tools/uv/bin/uv)

# A test run starts some hundred processes, and each would compile the same modules again.
export PYTHONDONTWRITEBYTECODE :=

help: ## What can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: .make/python .make/node ## The whole product on this machine: a transfer fails, is diagnosed, is repaired
	@.venv/bin/acrtm demo

test: .make/python .make/node ## The whole test suite
	@$(PYTHON) -m pytest --numprocesses 4 --dist worksteal

scenarios: .make/python .make/node ## The labelled scenarios: accuracy of the root cause, false alarms, confusions
	@$(PYTHON) -m tools.scenarios

check: lint types fresh test ## All that CI runs

lint: .make/python ## Style and common mistakes
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: .make/python ## Strict types
	@.venv/bin/mypy

fresh: .make/python ## Generated files agree with their sources
	@$(PYTHON) -m tools.generate --check
	@UV=$(UV) tools/requirements.sh --check

requirements: .make/python ## Write the hashed requirement files anew from pyproject.toml
	@UV=$(UV) tools/requirements.sh

bench: .make/python .make/node ## Measure: throughput, ARM reads, import time, hanging dependencies
	@$(PYTHON) -m bench

prove: .make/python .make/node ## All that takes long: faults, kill -9 and a soak (PROVE=short for less of each)
	@$(PYTHON) -m prove.matrix $(if $(filter short,$(PROVE)),--short)
	@$(PYTHON) -m prove.killing --schedules $(if $(filter short,$(PROVE)),25,200)
	@$(PYTHON) -m prove.soak --events $(if $(filter short,$(PROVE)),4000,10000)

browser: .make/python ## Chromium for the tests of the page, if there is none
	@tools/browser.sh

clean: ## Remove what make has installed and written
	@rm -rf .venv .tools node_modules .make .acrtm

.tools/uv/bin/uv:
	@echo "installing uv into .tools"
	@target="$$PWD/.tools/uv"; cd / && python3 -m pip install --quiet --disable-pip-version-check --target "$$target" uv

.make/python: requirements-dev.txt pyproject.toml .python-version | $(UV)
	@mkdir -p .make
	@echo "installing Python packages into .venv"
	@[ -x $(PYTHON) ] || $(UV) venv --quiet --python "$$(cat .python-version)" .venv
	@$(UV) pip sync --quiet --compile-bytecode --python $(PYTHON) requirements-dev.txt
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation --editable .
	@touch $@

.make/node: package-lock.json
	@mkdir -p .make
	@echo "installing Node packages into node_modules"
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
