PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CODE := src tests tools examples benchmarks
SHELL := /bin/bash
TWO_AT_A_TIME := $(MAKE) --no-print-directory -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync)
export TIMEFORMAT := took %0R s, %0U s of processor time

.PHONY: help demo docs screenshots test quick lint types unit core learning hostile interrupted clean
.DEFAULT_GOAL := help

help: ## Print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/core ## Set up without torch, restore the sample pictures, open demo/compare.html afterwards
	$(BIN)/python examples/demo.py

docs: $(VENV)/docs ## Build the documentation site without torch, open site/index.html afterwards
	$(BIN)/python -m tools.make_site

unit core learning hostile interrupted: export OMP_NUM_THREADS := 1 # small networks and arrays: more threads wait for each other

screenshots: $(VENV)/dev ## Take the pictures of docs/studio.md again
	$(BIN)/python -m tools.screenshots

test: $(VENV)/dev ## Set up everything and run lint, types and all tests
	@time ($(TWO_AT_A_TIME) lint types core && $(MAKE) --no-print-directory unit)

quick: $(VENV)/dev ## The fast tests, on two cores in about a minute
	@time $(TWO_AT_A_TIME) core learning SPREAD="-n 2"

lint: $(VENV)/dev ## Style, layout, the contracts between layers, and the length of sentences in the docs
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/lint-imports pyproject.toml
	$(BIN)/python -m tools.prose README.md docs/*.md

types: $(VENV)/dev ## mypy --strict on src and tools
	$(BIN)/mypy
	$(BIN)/mypy -p tools

unit: $(VENV)/dev ## All tests; with SAFELIGHT_DATA (default ../shared/data) also those on real data
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder # many wait: for a browser, a server, a cluster

core: $(VENV)/dev ## The fast tests of all that works without torch, where torch cannot be imported
	$(BIN)/python -m pytest -q -m "not slow" -p tests.without_torch $(SPREAD)

learning: $(VENV)/dev ## The fast tests of all that needs torch
	$(BIN)/python -m pytest -q -m "not slow" tests/ladder tests/learn tests/downstream tests/cli/test_train.py tests/test_new_task.py

hostile: $(VENV)/dev ## 2,900 bundles, manifests, recipes, sets and pictures that mean harm; some minutes
	$(BIN)/python -m tests.hostile

interrupted: $(VENV)/dev ## Commands that are killed at 60 random moments, and run again; some minutes
	$(BIN)/python -m tests.interrupted

clean: ## Remove what these commands made; trained runs stay
	rm -rf $(VENV) demo site build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Safelight needs Python 3.11 or newer; run: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# without .pyc files, which Python makes for those modules alone that are used: 47 MB less
$(VENV)/core: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --no-compile --editable .
	@touch $@

# torch first and pinned: an open range would fetch a CUDA build of several GB
$(VENV)/dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/core

$(VENV)/docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@ $(VENV)/core
