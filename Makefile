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

.PHONY: help demo test check docs benchmarks clean

help:
	@echo "make demo        run the demonstration at http://localhost:$(PORT); SERVERS=3 by three processes"
	@echo "make test        set up everything, and run all tests"
	@echo "make check       format, lint, types, the rules of imports, docs"
	@echo "make docs        build the documentation into site/"
	@echo "make benchmarks  measure against other libraries"

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "holdfast needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv .venv || { echo "python3 has no venv: apt-get install python3-venv"; rm -rf .venv; exit 1; }
	@$(BIN)/pip install --quiet --upgrade 'pip>=25.1'

.venv/demo: pyproject.toml | .venv/bin/python
	@echo "setting up (once; about half a minute) ..."
	@$(BIN)/pip install --quiet --editable '.[demo]'
	@touch $@

.venv/dev: pyproject.toml tests/install.sh tests/node/package.json | .venv/bin/python
	@echo "setting up (once; a minute or two) ..."
	@$(BIN)/pip install --quiet --editable '.[all]' --group test --group check --group docs --group bench
	@sh tests/install.sh
	@touch $@

demo: .venv/demo
	@PORT=$(PORT) $(BIN)/holdfast demo --servers $(SERVERS)

test: .venv/dev
	@$(BIN)/pytest $(PYTEST_ARGS)

check: .venv/dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mkdocs build --quiet --strict

docs: .venv/dev
	@$(BIN)/mkdocs build --strict

benchmarks: .venv/dev
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; PYTHONPATH=. $(BIN)/python $$file || exit 1; done

clean:
	rm -rf .venv site build dist
