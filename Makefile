# Every command of this repository. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?=
DATA ?=
# Extra arguments for pytest, e.g. make test ARGS="-k linking -x"
ARGS ?=
# Processes that share the tests; each starts a Neo4j of its own.
JOBS ?= 2

.PHONY: help install demo check lint format test test-slow bench-metaqa clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

install: $(STAMP) ## make .venv with the tested versions (PYTHON=python3.12 picks another Python)

$(STAMP): pyproject.toml constraints.txt tools/install.sh
	@PYTHON='$(PYTHON)' tools/install.sh

demo: install ## load the film graph, ask three questions of one, two and three hops
	@tools/demo.sh

check: lint test ## every check: lint, types, imports, tests

lint: install ## formatting, lint, types, who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: install ## put the code into the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: install ## every test but the slow ones, those on a real Neo4j included
	@tools/docker-engine.sh
	$(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist worksteal $(ARGS)

test-slow: install ## the tests that take minutes (benchmarks: say where with KGQA_DATA=folder)
	@tools/docker-engine.sh
	$(BIN)/python -m pytest -m slow $(ARGS)

bench-metaqa: install ## run the MetaQA benchmark: make bench-metaqa DATA=folder
	@test -n "$(DATA)" || { echo "Say where MetaQA's questions lie: make bench-metaqa DATA=folder" >&2; exit 2; }
	$(BIN)/kgqa bench metaqa --data "$(DATA)"

clean: ## remove the environment, the demo's store and every cache
	rm -rf $(VENV) .demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
