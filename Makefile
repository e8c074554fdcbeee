# Each target does all of its own set-up: a fresh clone needs python3 (3.11 or newer), make and git.

PYTHON ?= python3
PORT ?= 8000
SERVERS ?= 1
# A file's tests share servers, so they stay together. Who names some tests of his own has them at once, one by one.
PYTEST_ARGS ?= -n auto --dist loadfile
BIN := .venv/bin

.DEFAULT_GOAL := help

# mkdocs-material announces its end of life (2027) at each build.
export NO_MKDOCS_2_WARNING = 1

.PHONY: help demo test test-fast test-neighbours check docs benchmarks clean

help:
	@echo "make demo        run the demonstration at http://localhost:$(PORT); SERVERS=3 by three processes"
	@echo "make test        set up everything, servers too, and run all tests: 20 to 40 minutes"
	@echo "make test-neighbours  run the own tests of Django, allauth, Flask-Security and others with sessile beneath: four minutes"
	@echo "make test-fast   run the tests that need no server, no Node and no browser: a minute"
	@echo "make check       format, lint, types, the rules of imports, docs"
	@echo "make docs        build the documentation into site/"
	@echo "make benchmarks  measure against other libraries"

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sessile needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv .venv || { echo "python3 has no venv: apt-get install python3-venv"; rm -rf .venv; exit 1; }
	@$(BIN)/pip install --quiet --upgrade 'pip>=25.1'

.venv/demo: pyproject.toml | .venv/bin/python
	@echo "setting up (once; about half a minute) ..."
	@$(BIN)/pip install --quiet --editable '.[demo]'
	@touch $@

# What checks and builds the docs: Python packages alone.
.venv/checks: pyproject.toml | .venv/bin/python
	@echo "setting up .venv for checks and docs: Python packages, no servers (once; about a minute) ..."
	@$(BIN)/pip install --quiet --editable '.[all]' --group check --group docs
	@touch $@

# What tests need of Python's: packages, and the sources of the neighbours whose own tests run on sessile.
.venv/tests: pyproject.toml tests/neighbours/table.py | .venv/bin/python
	@echo "setting up .venv for tests: Python packages (once; one to three minutes) ..."
	@$(BIN)/pip install --quiet --editable '.[all]' --group test --group check --group docs --group bench
	@$(BIN)/python -m tests.neighbours.fetch
	@touch $@

# What else all of the tests need: servers, Node with its packages, a browser.
.venv/dev: tests/install.sh tests/node/package.json | .venv/tests
	@sh tests/install.sh
	@touch $@

demo: .venv/demo
	@PORT=$(PORT) $(BIN)/sessile demo --servers $(SERVERS)

test:
	@sh tests/install.sh --announce
	@$(MAKE) --no-print-directory .venv/tests .venv/dev
	@$(BIN)/pytest --ignore tests/neighbours/test_neighbours.py $(PYTEST_ARGS)
	@$(BIN)/python -m tests.fuzz 60

# Each neighbour is a process of its own, and takes up to a minute.
test-neighbours: .venv/tests
	@$(BIN)/python -m tests.neighbours.fetch
	@$(BIN)/pytest -n auto --dist load tests/neighbours/test_neighbours.py

test-fast: .venv/tests
	@$(BIN)/pytest --fast $(PYTEST_ARGS)

check: .venv/checks
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mkdocs build --quiet --strict

docs: .venv/checks
	@$(BIN)/mkdocs build --strict

benchmarks: .venv/tests .venv/dev
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; PYTHONPATH=. $(BIN)/python $$file || exit 1; done

clean:
	rm -rf .venv .neighbours site build dist
