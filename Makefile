# make demo   the whole loop on the embedded world, in a few minutes
# make test   everything that CI checks
# Both set up what they need on a machine that has only Python 3.11 or newer, and make.
# VENV=DIR puts the virtual environment elsewhere; PYTHON=... chooses the interpreter.

VENV   ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3 || command -v python)
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
USED   := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev

.PHONY: demo test lint types unit clean
.DEFAULT_GOAL := demo

demo: $(USED)
	$(BIN)/selfstudy demo

test: lint types unit

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy

# Nothing under test may need a model hub.  A worker for each of two cores, each with one thread of PyTorch's: the
# whole suite takes 11 minutes so.
unit: $(DEV)
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" -n 2 --dist worksteal

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "error: no Python found; install Python 3.11"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than 3.11; give another one: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(USED): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $(USED) $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +
