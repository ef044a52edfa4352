# Every target installs what it needs into .venv. `make help` lists the targets.

# A run folder may have any name: it is quoted for the shell and for the command's own parser.
empty :=
space := $(empty) $(empty)
quote = '$(subst ','\'',$(1))'
setting = $(call quote,$(1)="$(subst ",\",$(2))")

RUN ?= runs/tiny
RUN_IS_GIVEN := $(filter-out file,$(origin RUN))
override RUN := $(value RUN)
override RUN := $(if $(findstring /,$(RUN)),$(RUN),runs/$(RUN))
GIVEN_RUN := $(if $(RUN_IS_GIVEN),$(RUN))
RUN_NAME := $(subst ␣,$(space),$(patsubst runs/%,%,$(subst $(space),␣,$(RUN))))
PORT ?= 6006
BIN := .venv/bin
READY := .venv/.ready
CHECKERS := .venv/.checkers
LOCKS := constraints.txt constraints-dev.txt
TORCH := torch==2.13.0
AUDIT ?= pipx run pip-audit
SUPPORTED := import ensurepip, sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(or $(shell for python in python3.11 python3 python3.14 python3.13 python3.12 python; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done),python3)

# Some images set it. Packages are installed without compiled modules, and each start would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := check
.PHONY: setup train evaluate translate align demo board data bench test test-slow test-lowest check lint types imports format \
	docs notebooks lock audit release clean help

setup: $(READY) ## create .venv and install heed; other targets do it when needed

train: $(READY) ## train; without settings, on the embedded corpus into runs/tiny
	$(BIN)/python -m heed train $(if $(GIVEN_RUN),$(call setting,run,$(RUN_NAME))) $(ARGS)

evaluate: $(READY) ## score the model of RUN on its test split
	$(BIN)/python -m heed evaluate $(call setting,model,$(RUN)/model) $(ARGS)

translate: $(READY) ## translate standard input with the model of RUN
	@$(BIN)/python -m heed translate $(call setting,model,$(RUN)/model) $(ARGS)

align: $(READY) ## align words with the model of RUN; by default its test split
	$(BIN)/python -m heed align $(call setting,model,$(RUN)/model) $(ARGS)

demo: $(READY) ## write demo.html in RUN: a page in which its model translates
	$(BIN)/python -m heed export page $(call setting,model,$(RUN)/model) $(call setting,output,$(RUN)/demo.html) $(ARGS)

board: $(READY) ## TensorBoard at http://127.0.0.1:PORT for all runs, or for RUN
	@test -d $(call quote,$(or $(GIVEN_RUN),.)) || \
		{ echo $(call quote,$(GIVEN_RUN))' does not exist: train it first, or choose another RUN' >&2; exit 2; }
	@$(BIN)/python -c 'import socket, sys; socket.create_server(("127.0.0.1", int(sys.argv[1]))).close()' \
		$(call quote,$(PORT)) 2>/dev/null || \
		{ echo 'port '$(call quote,$(PORT))' is in use or not a port: choose another, as in `make board PORT=6007`' >&2; exit 2; }
	$(BIN)/tensorboard --logdir $(call quote,$(or $(GIVEN_RUN),runs)) --samples_per_plugin images=1000 \
		--host 127.0.0.1 --port $(call quote,$(PORT))

data: $(READY) ## generate data/tiny again, and compare it with the committed one
	$(BIN)/python scripts/make_tiny_corpus.py
	git diff --exit-code --stat -- data/tiny

bench: $(READY) ## measure training speed on this machine
	$(BIN)/python benchmarks/train_speed.py $(ARGS)

check: lint types imports test ## lint, types, imports, fast tests; `make` alone does this

test: $(CHECKERS) ## run the fast tests
	$(BIN)/python -m pytest $(ARGS)

test-slow: $(CHECKERS) ## run the slow tests: whole runs, a wheel, a real browser
	$(BIN)/python -m pytest -m slow $(ARGS)

test-lowest: $(CHECKERS) ## test the lowest versions that pyproject.toml allows
	$(BIN)/python scripts/lowest_versions.py $(TORCH) $(ARGS)

lint: $(CHECKERS) ## check code and its format with ruff
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(CHECKERS) ## check types with mypy
	$(BIN)/mypy

imports: $(CHECKERS) ## check the import contracts
	$(BIN)/lint-imports --no-logo

# It runs the notebooks. A warning is an error.
docs: $(CHECKERS) ## build the documentation site, build/docs/index.html
	$(BIN)/python -m sphinx -W --keep-going -q -b html -d build/doctrees docs build/docs
	@echo 'written to build/docs/index.html'

notebooks: $(CHECKERS) ## write docs/notebooks/*.ipynb from the .md files beside them
	$(BIN)/jupytext --quiet --to ipynb docs/notebooks/*.md

lock: $(CHECKERS) ## pin all dependencies with hashes; ARGS=--upgrade: the newest
	$(BIN)/python scripts/lock.py $(TORCH) $(ARGS)

audit: $(LOCKS) ## check pinned versions for vulnerabilities; network and pipx
	@mkdir -p build && { grep -oh '^[a-z0-9][^ ]*' $(LOCKS); echo $(TORCH); } > build/audit.txt
	$(AUDIT) --strict --no-deps --disable-pip --requirement build/audit.txt

release: $(CHECKERS) ## build sdist and wheel in dist/ and check them; uploads nothing
	rm -rf dist
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist
	$(BIN)/twine check --strict dist/*

format: $(CHECKERS) ## fix what ruff can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove caches and build products; never runs/, data/ or .venv
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src scripts tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

help: ## show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1|/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "  %-12s %s\n", $$1, $$2 }'
	@echo
	@echo '  ARGS="seed=2 model.hid_dim=64"  settings of the command, or pytest options'
	@echo '  RUN=runs/NAME or RUN=NAME       which run'
	@echo '  PORT=6007                       the port of TensorBoard'
	@echo '  PYTHON=python3.13               the Python that .venv is made with'

# One installation at a time: with flock, a second make waits for the first and then finds it done.
ifndef LOCKED
$(READY): pyproject.toml constraints.txt
$(CHECKERS): $(READY) constraints-dev.txt
$(READY) $(CHECKERS):
	@$(shell command -v flock >/dev/null && echo flock pyproject.toml) $(MAKE) --no-print-directory LOCKED=yes $@ >&2
else
UNFINISHED := .venv/.unfinished
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --no-build-isolation
LOCKED_INSTALL := $(INSTALL) --no-deps --require-hashes --requirement

# After an interrupted installation nobody knows which packages are complete, so .venv is made again from nothing.
# torch is installed first, alone; then the build tools of the lock, then the rest of it. At the end, torch is asked for
# again, and brings what only its CUDA builds need. pip would compile every module; Python compiles those that it uses.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { \
		echo 'heed needs Python 3.11 or later with venv, and $(PYTHON) is not that: install it (on Debian: python3-venv),' \
		'or say where it is, as in `make PYTHON=/path/to/python3.13`'; exit 2; }
	@echo 'Setting up .venv, once: a few minutes, most of them for torch'
	@test ! -e $(UNFINISHED) && $(BIN)/python -c 'import pip; $(SUPPORTED)' 2>/dev/null || \
		test ! -e .venv || test -e $(READY) || test -e $(UNFINISHED) || { \
		echo '.venv is there, and heed cannot use it and has not made it: move it away'; exit 2; }
	@test ! -e $(UNFINISHED) && $(BIN)/python -c 'import pip; $(SUPPORTED)' 2>/dev/null || rm -rf .venv
	@mkdir -p .venv && touch $(UNFINISHED)
	@test -e $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) --no-deps $(TORCH)
	@sed -nE '/^(hatchling|packaging|pathspec|pluggy|setuptools|tomlkit|trove-classifiers|wheel)==/,/[^\]$$/p' constraints.txt > $(UNFINISHED)
	$(LOCKED_INSTALL) $(UNFINISHED)
	$(LOCKED_INSTALL) constraints.txt
	$(INSTALL) $(TORCH)
	$(INSTALL) --no-deps --editable .
	@$(BIN)/python -m pip check
	@mv $(UNFINISHED) $@

$(CHECKERS): $(READY) constraints-dev.txt
	@echo 'Installing what tests and checks need'
	@mv $(READY) $(UNFINISHED)
	$(LOCKED_INSTALL) constraints-dev.txt
	@$(BIN)/python -m pip check
	@mv $(UNFINISHED) $(READY) && touch $@
endif
