PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test lint types unit clean
.DEFAULT_GOAL := help

help: ## Print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/core ## Set up without torch, restore the sample pictures, open demo/compare.html afterwards
	$(BIN)/python examples/demo.py

test: lint types unit ## Set up everything and run lint, types and tests

lint: $(VENV)/dev ## Style, layout and the contracts between layers
	$(BIN)/ruff check src tests examples benchmarks
	$(BIN)/ruff format --check src tests examples benchmarks
	$(BIN)/lint-imports --config pyproject.toml

types: $(VENV)/dev ## mypy --strict on src
	$(BIN)/mypy

unit: $(VENV)/dev ## Tests; with SAFELIGHT_DATA (default ../shared/data) also those on real data
	$(BIN)/python -m pytest

clean: ## Remove what these commands made; trained runs stay
	rm -rf $(VENV) demo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Safelight needs Python 3.11 or newer; run: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/core: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# torch first and pinned: an open range would fetch a CUDA build of several GB
$(VENV)/dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/core
