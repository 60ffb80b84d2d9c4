# The environment lies in .venv/ and is made, or brought up to date, by any of these.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo paper test test-all check campaign bench format

.venv/ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade --editable '.[demo,measure,scenes,dev]'
	touch $@

# Directions of a BigGAN with known factors, their scores, grid, video and alignment, in outputs/demo/index.html
demo: .venv/ready
	rm -rf outputs/demo
	$(BIN)/direction-finder learn --generator shapes-64 --class cube --points 24 --out outputs/demo
	$(BIN)/direction-finder rank outputs/demo
	$(BIN)/direction-finder measure outputs/demo --metric factors --metric alignment --samples 64 --name
	$(BIN)/direction-finder render grid outputs/demo --directions x,y,size,hue,light --samples 2
	$(BIN)/direction-finder render video outputs/demo --directions x,y,hue --samples 4
	$(BIN)/direction-finder align outputs/demo --direction x --to -1.5 --to 0 --to 1.5
	$(BIN)/direction-finder page outputs/demo
	@echo "Open outputs/demo/index.html"
	@[ -z "$$DISPLAY$$WAYLAND_DISPLAY" ] || $(PYTHON) -m webbrowser "file://$(CURDIR)/outputs/demo/index.html"

# The paper's directions of BigGAN by its loop (hours on a GPU) and by ours, its Fig. 6 and 7, in outputs/paper/index.md
paper: .venv/ready
	$(BIN)/python -m benchmarks.paper $(OPTIONS)

test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile

# The tests that `make test` leaves out
test-all: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow --numprocesses auto --maxprocesses 8

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(MAKE) test
	$(BIN)/python -m tests.wheel

# Clusters that lose nodes, and thousands of faults on purpose, a quarter of an hour; writes the table in docs/promises.md
campaign: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m campaign
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults.campaign --out docs/promises.md

bench: .venv/ready
	$(BIN)/python -m benchmarks.step
	$(BIN)/python -m benchmarks.progan

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
