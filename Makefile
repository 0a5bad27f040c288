# One target, one job. Every target that runs something sets up .venv by itself, once.
#
# SPACE, CONFIG, TRIALS and ARGS reach the recipes as environment variables, unexpanded by make and always quoted, so that
# no value is ever read as a command. ARGS is split at blanks and nothing else; a value with blanks in it is a job for
# .venv/bin/sweeper itself.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

override SPACE := $(value SPACE)
override CONFIG := $(value CONFIG)
override TRIALS := $(value TRIALS)
override ARGS := $(value ARGS)
override PYTHON := $(value PYTHON)
export SPACE CONFIG TRIALS ARGS PYTHON
export PIP_DISABLE_PIP_VERSION_CHECK = 1

BIN := .venv/bin
SWEEPER := set -f; exec $(BIN)/python -m sweeper

.PHONY: help setup sweep check lr-range train ui test lint bench bench-gpu clean

help: ## these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

setup: .venv/ready ## make .venv with the pinned versions (all others do this by themselves)

sweep: .venv/ready ## search a space: SPACE=mlp [TRIALS=64] [ARGS="--runner local"]
	@[ -n "$$SPACE" ] || { echo 'which space? for example: make sweep SPACE=mlp' >&2; exit 2; }; \
	$(SWEEPER) sweep $${TRIALS:+"--trials=$$TRIALS"} $$ARGS -- "$$SPACE"

check: .venv/ready ## look for mistakes in data, model and space first: SPACE=mlp
	@[ -n "$$SPACE" ] || { echo 'which space? for example: make check SPACE=mlp' >&2; exit 2; }; \
	$(SWEEPER) check $$ARGS -- "$$SPACE"

lr-range: .venv/ready ## learning-rate range test of a space: SPACE=mlp [ARGS="--no-probe"]
	@[ -n "$$SPACE" ] || { echo 'which space? for example: make lr-range SPACE=mlp' >&2; exit 2; }; \
	$(SWEEPER) lr-range $$ARGS -- "$$SPACE"

train: .venv/ready ## train one config for production: CONFIG=runs/mlp/best.yaml
	@[ -n "$$CONFIG" ] || { echo 'which config? for example: make train CONFIG=runs/mlp/best.yaml' >&2; exit 2; }; \
	$(SWEEPER) train $$ARGS -- "$$CONFIG"

ui: .venv/ready ## open the MLflow UI on what was recorded
	@$(SWEEPER) ui $$ARGS

test: .venv/ready-dev ## run the tests [ARGS=tests/core]
	@set -f; exec $(BIN)/python -m pytest -n 2 --dist worksteal $$ARGS

lint: .venv/ready-dev ## ruff (format and lint), mypy, import-linter
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/ready-dev ## list the benchmarks, or run one: ARGS="vs_ray_tune --repeats 3"
	@set -f; exec $(BIN)/python -m benchmarks $$ARGS

bench-gpu: .venv/ready-dev ## lanes against one model at a time, on the GPU of this machine
	@exec $(BIN)/python -m benchmarks lanes --device cuda

clean: ## remove .venv and caches; never runs/, mlflow.db or mlartifacts/
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# A stamp is written last: an interrupted set-up is taken up again, and a newer pin makes it run once more.
.venv/ready: constraints.txt pyproject.toml
	@$(MAKE_VENV)
	@echo 'Installing the pinned packages into .venv, once: a few minutes, most of it PyTorch.'
	@$(INSTALL) --editable .
	@$(COMPILE)
	@touch $@

.venv/ready-dev: .venv/ready
	@echo 'Adding the developer tools to .venv, once.'
	@$(INSTALL) --editable '.[dev]'
	@$(COMPILE)
	@touch $@

INSTALL = $(BIN)/python -m pip install --no-compile $$([ -t 1 ] || echo -qq) --constraint constraints.txt

# Compiling afterwards, on all cores, took a quarter off the whole set-up on two cores. A file that does not compile (some
# packages carry such test files) is the business of whoever imports it.
COMPILE = $(BIN)/python -m compileall -qq -j 0 .venv/lib || :

# A .venv that is half made, or of a Python that is gone or too old, is made anew.
SUPPORTED = -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
MAKE_VENV = \
	if $(BIN)/python $(SUPPORTED) && $(BIN)/python -m pip --version; then exit 0; fi >/dev/null 2>&1; \
	for python in $${PYTHON:-python3 python3.13 python3.12 python3.11}; do \
		if "$$python" $(SUPPORTED) 2>/dev/null; then exec "$$python" -m venv --clear .venv; fi; \
	done; \
	echo "Sweeper needs Python 3.11, 3.12 or 3.13; $${PYTHON:-python3} is $$("$${PYTHON:-python3}" --version 2>&1). Install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; \
	exit 2
