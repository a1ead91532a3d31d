# make demo   the whole loop on the embedded world, in a few minutes
# make real   the loop on a real pretrained model, which it installs: about an hour
# make test   everything that CI checks
# make docs   the documentation as a site, build/docs/site/index.html; needs no network
# make audit  known advisories of what is installed; needs a network
# All set up what they need on a machine that has only Python 3.11 or newer, and make.
# VENV=DIR puts the virtual environment elsewhere; PYTHON=... chooses the interpreter.

VENV   ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3 || command -v python)
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-compile
LOCKED := $(PIP) --require-hashes --no-deps
# What pip would do with one core; a file for another Python does not compile, and nothing imports it.
READY  := $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
TORCH  := $(VENV)/.torch
USED   := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev
AUDIT  := $(VENV)/audit

.PHONY: demo real test lint types unit docs audit clean
.DEFAULT_GOAL := demo

demo: $(USED)
	$(BIN)/selfstudy demo

real: $(DEV)
	$(LOCKED) -r benchmarks/on_real/requirements.txt
	$(BIN)/python benchmarks/real.py learn

test: lint types unit

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy --num-workers 2

# Nothing under test may need a model hub.  A worker for each of two cores, each with one thread of PyTorch's.
# Many tests start processes, which would all compile the package anew where the environment forbids to keep it.
unit: $(DEV)
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder

docs: $(DEV)
	$(BIN)/python docs/make_site.py build/docs

audit: | $(AUDIT)/bin/pip-audit
	$(AUDIT)/bin/python .ci/audit.py

$(AUDIT)/bin/pip-audit: | $(BIN)/python
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --disable-pip-version-check --quiet pip-audit \
	  || { echo "error: pip-audit cannot be installed: is there a network? It is not part of make test"; exit 2; }

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "error: no Python found; install Python 3.11"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than 3.11; give another one: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# What is locked, each file by its SHA-256; then the package, and what depends on the machine (docs/decisions/0008).
# The build of torch is the one that pip chooses without hashes: with them it takes an index's build for CUDA, with
# gigabytes of libraries, before a build for CPUs that lies on this disk.
$(TORCH): constraints.txt | $(BIN)/python
	awk '/^torch==/ {on = 1} on; on && !/\\$$/ {exit}' constraints.txt > $(VENV)/torch.txt
	$(BIN)/python -m pip download --quiet --no-deps --dest $(VENV)/torch $$(head -1 $(VENV)/torch.txt | cut -d' ' -f1)
	$(LOCKED) --no-index --find-links $(VENV)/torch -r $(VENV)/torch.txt
	rm -r $(VENV)/torch
	@touch $@

$(USED): pyproject.toml constraints.txt $(TORCH) | $(BIN)/python
	$(LOCKED) -r constraints.txt
	$(PIP) --no-build-isolation -e .
	@$(READY)
	@touch $@

$(DEV): pyproject.toml constraints.txt constraints-dev.txt $(TORCH) | $(BIN)/python
	$(LOCKED) -r constraints-dev.txt
	$(PIP) --no-build-isolation -e '.[dev]'
	@$(READY)
	@touch $(USED) $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +
