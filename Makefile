# Each target works from a bare clone with only Python >= 3.11 (with venv) and make; uv is used when it is there.
PYTHON ?= python3
VENV ?= .venv
UV := $(shell command -v uv 2>/dev/null)
BIN := $(VENV)/bin
PYTEST_ARGS ?= -n 2

.PHONY: help demo test check bench docs format clean

help:
	@echo "make demo    answer a question about this repository, offline or with your key"
	@echo "make test    run the tests"
	@echo "make check   format, lint, types and import contracts"
	@echo "make bench   measure against two baselines in one run"
	@echo "make docs    build the documentation into build/docs"

demo: $(VENV)/.all
	$(BIN)/par demo

test: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/flake8 --isolated --select ASYNC1,ASYNC2 --anyio par
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/mypy tests/typing
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/pyright --pythonpath $(BIN)/python -p tests/typing

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict --site-dir build/docs

format: $(VENV)/.check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "par needs Python 3.11 or newer; name one with  make PYTHON=python3.12 ..." >&2; exit 1; }
ifdef UV
	$(UV) venv --quiet --python $(PYTHON) $(VENV)
else
	$(PYTHON) -m venv $(VENV)
endif

$(VENV)/.%: pyproject.toml | $(BIN)/python
ifdef UV
	$(UV) pip install --quiet --python $(BIN)/python --editable ".[$*]"
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
endif
	@touch $@
