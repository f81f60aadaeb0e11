# make demo, make test: two commands from a fresh clone to pictures and to a tested tree.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test lint bench clean
help:           ## this list
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/installed  ## train a VAE on handwritten digits (no download) and say where its pictures are
	$(BIN)/nnlab train model=vae data=digits model.latent_dim=6 trainer.epochs=100 trainer.show_every="25 epochs"

test: $(VENV)/tested  ## every test, on all cores
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadgroup --no-loadscope-reorder

lint: $(VENV)/tested  ## ruff: errors and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(VENV)/benched  ## speed beside pythae and other peers, into benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

clean:          ## remove the environment and what was built; outputs/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# --no-compile: Python compiles what a run imports; compiling every file of torch takes half a minute
$(VENV)/installed: $(BIN)/python pyproject.toml
	$(BIN)/pip install --quiet --no-compile --editable .
	@touch $@

$(VENV)/tested: $(BIN)/python pyproject.toml
	$(BIN)/pip install --quiet --no-compile --editable '.[test]'
	@touch $@ $(VENV)/installed

$(VENV)/benched: $(VENV)/installed
	$(BIN)/pip install --quiet --no-compile --editable '.[bench]'
	@touch $@
