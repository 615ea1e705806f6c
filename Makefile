# `make run` plays the exam room, `make test` runs the tests; both set up what they need in .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: run test coverage check format bench figures lock clean

run: $(VENV)/.demo
	@$(BIN)/gateway demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/pytest --numprocesses=auto --dist=worksteal $(ARGS)

coverage: $(VENV)/.dev
	$(BIN)/pytest --numprocesses=auto --dist=worksteal --cov --cov-report=term:skip-covered $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)

figures: $(VENV)/.figures
	$(BIN)/python -m benchmarks.figures $(ARGS)

lock: $(VENV)/.dev
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --no-header --extra demo --extra dev --extra figures --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) var build *.egg-info

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || \
	  { echo "gateway: no $(PYTHON) here; install Python 3.11 or later (Debian: apt install python3 python3-venv)" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gateway: $$($(PYTHON) --version) is too old; install Python 3.11 or later, or name one: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "gateway: $(PYTHON) lacks venv; install it (Debian: apt install python3-venv)" >&2; exit 2; }
	@echo "Setting up $(VENV), once"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml requirements.lock | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml requirements.lock | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[demo,dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.figures: $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[demo,dev,figures]'
	@touch $@
