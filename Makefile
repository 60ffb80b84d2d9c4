# The environment lies in .venv/ and is made, or brought up to date, by any of these.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench format

.venv/ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade --editable '.[demo,measure,scenes,dev]'
	touch $@

# Directions, grid, video and alignment on a real pretrained GAN, in outputs/demo
demo: .venv/ready
	rm -rf outputs/demo
	$(BIN)/direction-finder learn --generator eyes --class blue --points 24 --out outputs/demo
	$(BIN)/direction-finder render grid outputs/demo --directions 0-3 --samples 3
	$(BIN)/direction-finder render video outputs/demo --directions 0-3 --samples 5
	$(BIN)/direction-finder align outputs/demo --direction 3 --to -2 --to 0 --to 2
	@echo "Look into outputs/demo"

test: .venv/ready
	$(BIN)/python -m pytest

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) test
	$(BIN)/python -m tests.wheel

bench: .venv/ready
	$(BIN)/python -m benchmarks.step

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
