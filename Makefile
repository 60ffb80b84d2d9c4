# The environment lies in .venv/ and is made, or brought up to date, by any of these.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench format

.venv/ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade --editable '.[demo,dev]'
	touch $@

demo: .venv/ready  ## directions, grid, video and alignment on a real pretrained GAN, in outputs/demo
	$(BIN)/python benchmarks/../demo.py

test: .venv/ready
	$(BIN)/python -m pytest

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) test
	$(BIN)/python tests/wheel.py

bench: .venv/ready
	$(BIN)/python benchmarks/step.py

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
