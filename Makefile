# Each target does all its own set-up: a bare machine with Python 3.11 or later is enough.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CONFIG ?= configs/ml-100k/mf-bpr-pld.yaml

.PHONY: fit test fuzz lint types imports docs dist clean

fit: $(VENV)/.installed            ## train MF + BPR + PLD on MovieLens-100K; after Python 3.11 downloaded, or a generated shop
	$(BIN)/recpair fit --config $(CONFIG) $(ARGS)

test: $(VENV)/.installed-dev lint types imports   ## every check that CI runs
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

fuzz: $(VENV)/.installed-dev       ## every hostile input; a failing one again: RECPAIR_FUZZ=LABEL pytest tests/fuzz
	RECPAIR_FUZZ=full $(BIN)/python -m pytest -n 2 --dist worksteal tests/fuzz $(ARGS)

docs: $(VENV)/.installed-dev       ## the documentation site, in build/docs/html; NOTEBOOKS=force executes the notebooks
	$(BIN)/python docs/site $(ARGS)

dist: $(VENV)/.installed-dev       ## wheel and source distribution, in dist/
	$(BIN)/python -m hatchling build

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[text]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,docs]'
	@touch $@ $(VENV)/.installed

clean:                             ## remove the environment and what the tools left
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
