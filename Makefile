# `make help` lists what can be made. What is longer than a line lies in make/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
# The developers' environment, and the one that `make up` makes for somebody who only wants to play.
VENV := .venv
UP_VENV := .venv-up
BIN := $(VENV)/bin
# The order of the tests: the same in each run of `make test` unless you say otherwise.
SEED ?= 2019
FAULT_MINUTES ?=
PYTEST := $(BIN)/python -m pytest -p no:cacheprovider
# What computes trees, reads and writes proofs, and commits; without what does not ask which kernel
# is there, or asks each of them anyway.
CORE := tests/unit/trees tests/unit/engine tests/unit/wire tests/property \
	--ignore-glob='*/test_verify*' --ignore-glob='*/test_kernel_h*'

.PHONY: help up down test lint style types layers warnings docker lock demo faults soak bench bench-large coverage native sanitize twin wheel wheels clean

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

up:  ## set up, start a log to play with in the background, say what to type
	@PYTHON="$(PYTHON)" make/up $(UP_VENV)

down:  ## stop what `make up` started; the data stays
	@make/down $(UP_VENV)

test: packages $(VENV)  ## install what the tests need, then run them all
	$(PYTEST) -n 2 --dist worksteal --randomly-seed=$(SEED)

lint: style types layers warnings docker  ## everything that judges the code without running it

style: $(VENV)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)  ## mypy, strict
	$(BIN)/mypy

layers: $(VENV)  ## import-linter: who may import whom
	$(BIN)/lint-imports

warnings:  ## the C sources under the compiler's strictest warnings
	@make/warnings

docker: $(VENV)  ## hadolint: the Dockerfile
	$(BIN)/hadolint deploy/docker/Dockerfile

lock:  ## write requirements/*.txt anew: the newest versions that pyproject.toml allows, with hashes
	@PYTHON="$(PYTHON)" make/lock

demo:  ## play the walk-through of the README and print it
	@PYTHON="$(PYTHON)" make/venv $(UP_VENV) server
	@PATH="$(CURDIR)/$(UP_VENV)/bin:$$PATH" demo/walkthrough.sh

faults: packages $(VENV)  ## fail and kill at every system call (FAULT_MINUTES=10: as many as fit)
	$(BIN)/python tests/fault/run_all.py $(if $(FAULT_MINUTES),--minutes $(FAULT_MINUTES)) $(if $(FAULT_SEED),--seed $(FAULT_SEED))

twin: packages $(VENV)  ## the tests of the core, without the native kernel
	QED_KERNEL=twin $(PYTEST) -n 2 --dist worksteal $(CORE)

sanitize: packages $(VENV)  ## the tests of the native modules, built with AddressSanitizer and UBSan
	make/sanitize $(VENV)

soak: $(VENV)  ## the tests that take many minutes
	$(PYTEST) -m soak

bench: $(VENV)  ## kernel, engine, backups, verification and HTTP, beside what this machine can do
	$(BIN)/python benchmarks/run.py

bench-large: $(VENV)  ## the same up to 10^7 events: a quarter of an hour, 3 GB of disk
	$(BIN)/python benchmarks/run.py --large

coverage: packages $(VENV)  ## the lines and branches that no test reaches
	$(BIN)/coverage run -m pytest -m "not slow and not fault and not soak"
	$(BIN)/coverage report

native: $(VENV)  ## the native modules anew, in place
	make/native $(VENV) --force

wheel: $(VENV)  ## dist/qed-<version>-cp311-abi3-<platform>.whl
	rm -rf build dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

wheels:  ## wheelhouse/*.whl for every usual kind of this system; on Linux with docker or podman
	@PYTHON="$(PYTHON)" make/wheels

clean:  ## remove what can be made again; environments and data stay
	rm -rf build dist wheelhouse .coverage .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: packages
packages:
	@make/packages

# Runs each time and costs a moment: it compares what is installed with requirements/*.txt.
.PHONY: $(VENV)
$(VENV):
	@PYTHON="$(PYTHON)" make/venv $(VENV) dev
