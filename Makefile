# make demo: set up, then the main job on real footage.   make test: set up, then the tests.
# Needs Python 3.11 or 3.12 with venv, git and make. Nothing else.

SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null \
	&& command -v $$p && break; done)
BIN := .venv/bin
STAMP := .venv/installed-$(shell cat setup.cfg constraints.txt | cksum | cut -d' ' -f1)

# Three workers for two cores: tests in a browser mostly wait for what is played. A file is one
# worker's, because its tests share what is dear to make; tests/conftest.py puts the long ones first.
SPREAD := -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-all lint bench setup clean
.DEFAULT_GOAL := help
.PHONY: help
help:
	@echo "make demo      set up, build the sample episode, say what to open next"
	@echo "make test      set up, run the fast tests"
	@echo "make test-all  ... and the slow ones"
	@echo "make lint      ruff and mypy"
	@echo "make bench     every benchmark; rewrites the tables"

setup: $(STAMP)

$(STAMP): setup.cfg constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 with the venv module is needed (Debian: apt-get install python3-venv), none was found. Or: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up .venv with $$($(PYTHON) --version): pip fetches and installs a few GB, which takes"
	@echo "about five minutes the first time. It does so in silence; two steps, torch comes first ..."
	$(PYTHON) -m venv .venv
	@# torch first: its own pin, so that the next line has nothing to choose
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt torch
	@echo "Torch is there. The other packages ..."
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[shots,baselines,demo,bench,test]'
	@rm -f .venv/installed-* && touch $@

demo: setup
	$(BIN)/caer demo -o demo

test: setup
	$(BIN)/python -m pytest -m "not slow" $(SPREAD)

test-all: setup
	$(BIN)/python -m pytest $(SPREAD)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks all

clean:
	rm -rf .venv build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache
