# Everything sets itself up: `make demo`, `make test`, `make check` work in a fresh clone with Python 3.11+ and
# make. The environment lies in .venv; PYTHON=python3.12 chooses another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.DEFAULT_GOAL := help

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "hilum wants Python 3.11 or newer, found $$($(PYTHON) --version 2>&1); call: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,dicom,dicom-net,serve,tensorboard,tune]'
	@touch $@

setup: $(STAMP) ## the environment in .venv, with pinned versions

demo: $(STAMP) ## a whole study of drawn X-rays, under two minutes after the set-up
	$(BIN)/hilum study

test: $(STAMP) ## the tests
	$(BIN)/pytest -n 2

bench: $(STAMP) ## the usual way and hilum side by side; the table goes into docs/performance.md
	$(BIN)/python benchmarks/speed --page docs/performance.md

check: $(STAMP) ## format, lint, types, and which room may import which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## put the sources in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## away with the environment and caches; studies in runs/ stay
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

.PHONY: help setup demo test bench check format clean
