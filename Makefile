# The front door: every target sets up .venv by itself. `make help` lists them.

RUN ?= runs/tiny
RUN_IS_GIVEN := $(filter-out file,$(origin RUN))
override RUN := $(if $(findstring /,$(RUN)),$(RUN),runs/$(RUN))
GIVEN_RUN := $(if $(RUN_IS_GIVEN),$(RUN))
PORT ?= 6006
BIN := .venv/bin
READY := .venv/.ready
UNFINISHED := .venv/.unfinished
TORCH := torch==2.13.0
AUDIT ?= pipx run pip-audit
RIGHT := import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 11))
PYTHON ?= $(or $(shell for python in python3.11 python3 python; do \
	$$python -c '$(RIGHT)' 2>/dev/null && echo $$python && break; done),python3.11)

.DEFAULT_GOAL := check
.PHONY: setup train evaluate translate align board data bench test test-slow check lint types walls format lock audit clean help

setup: $(READY) ## create .venv and install the pinned dependencies; every other target does it when needed

train: $(READY) ## train; with nothing else said, on the embedded corpus into runs/tiny
	$(BIN)/python -m heed.cli.train $(if $(GIVEN_RUN),run=$(GIVEN_RUN:runs/%=%)) $(ARGS)

evaluate: $(READY) ## score the model of RUN on its test split
	$(BIN)/python -m heed.cli.evaluate model=$(RUN)/model $(ARGS)

translate: $(READY) ## translate standard input with the model of RUN
	@$(BIN)/python -m heed.cli.translate model=$(RUN)/model $(ARGS)

align: $(READY) ## align words by the attention of the model of RUN; with nothing else said, those of its test split
	$(BIN)/python -m heed.cli.align model=$(RUN)/model $(ARGS)

board: $(READY) ## show every run, or RUN alone, in TensorBoard at http://127.0.0.1:PORT
	@test -d "$(or $(GIVEN_RUN),.)" || { echo '$(GIVEN_RUN) is not there: train it first, or choose another RUN' >&2; exit 2; }
	@$(BIN)/python -c 'import socket; socket.create_server(("127.0.0.1", $(PORT))).close()' 2>/dev/null || \
		{ echo 'port $(PORT) is taken or is no port: choose another, as in `make board PORT=6007`' >&2; exit 2; }
	$(BIN)/tensorboard --logdir $(or $(GIVEN_RUN),runs) --host 127.0.0.1 --port $(PORT)

data: $(READY) ## write data/tiny again from its grammar, and check that it came out as committed
	$(BIN)/python scripts/make_tiny_corpus.py
	git diff --exit-code --stat -- data/tiny

bench: $(READY) ## measure training speed on this machine
	$(BIN)/python benchmarks/train_speed.py $(ARGS)

check: lint types walls test ## lint, types, import walls and the fast tests; what `make` alone does

test: $(READY) ## run the fast tests
	$(BIN)/python -m pytest $(ARGS)

test-slow: $(READY) ## run the slow tests: whole runs, resumed runs, a real browser
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: $(READY) ## look for faults and for format with ruff
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY) ## check types with mypy
	$(BIN)/mypy

walls: $(READY) ## check who imports whom
	$(BIN)/lint-imports --no-logo

lock: $(READY) ## pin what pyproject.toml names, and all that it brings, with hashes; ARGS=--upgrade takes the newest
	$(BIN)/python scripts/lock.py $(TORCH) $(ARGS)

audit: constraints.txt ## ask a service on the network for known vulnerabilities of what is pinned; needs pipx
	@mkdir -p build && { grep -o '^[a-z0-9][^ ]*' constraints.txt; echo $(TORCH); } > build/audit.txt
	$(AUDIT) --strict --no-deps --disable-pip --requirement build/audit.txt

format: $(READY) ## mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove caches and build products; never runs/, data/ or .venv
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src scripts tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

help: ## show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1|/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "  %-12s %s\n", $$1, $$2 }'
	@echo
	@echo '  ARGS="model.hid_dim=64 seed=2" reaches the command that a target runs: settings for the four doors, options for pytest'
	@echo '  RUN=runs/NAME, or RUN=NAME, chooses the run, PORT=6007 where the board listens, PYTHON=/path/to/python3.11 what .venv is made with'

# One installation at a time: where there is flock, a second make waits for the first and then finds it done.
ifndef LOCKED
$(READY): pyproject.toml constraints.txt
	@$(shell command -v flock >/dev/null && echo flock pyproject.toml) $(MAKE) --no-print-directory LOCKED=yes $@ >&2
else
INSTALL := $(BIN)/python -m pip install --quiet --no-build-isolation
LOCKED_INSTALL := $(INSTALL) --no-deps --require-hashes --requirement

# What an interrupted installation left behind cannot be told from what is whole, so it is made again from nothing.
# torch comes first, alone; of the lock, what builds. Asked for again at the end, torch brings what only its CUDA builds need.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c '$(RIGHT)' 2>/dev/null || { \
		echo 'heed needs Python 3.11 with venv, and $(PYTHON) is not that: install it (on Debian: python3.11-venv),' \
		'or say where it is, as in `make PYTHON=/path/to/python3.11`'; exit 2; }
	@echo 'Setting up .venv, once: a few minutes, most of them for torch'
	@test ! -e $(UNFINISHED) && $(BIN)/python -c 'import pip; $(RIGHT)' 2>/dev/null || rm -rf .venv
	@mkdir -p .venv && touch $(UNFINISHED)
	@test -e $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) --no-deps $(TORCH)
	@sed -nE '/^(setuptools|wheel)==/,/[^\]$$/p' constraints.txt > $(UNFINISHED)
	$(LOCKED_INSTALL) $(UNFINISHED)
	$(LOCKED_INSTALL) constraints.txt
	$(INSTALL) $(TORCH)
	$(INSTALL) --no-deps --editable .
	@$(BIN)/python -m pip check
	@mv $(UNFINISHED) $@
endif
