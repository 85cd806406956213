# Every target sets itself up: a clean clone needs Python 3.11+, make and the package registry, nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
SEED   ?= 1
CLIENTS := tests/sdk/node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help demo test coverage soak differential check bench lock wheel clean

help: ## what can be done here
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

# The clients that are written in JavaScript, as published; without npm their tests are skipped.
$(CLIENTS): tests/sdk/package.json tests/sdk/package-lock.json
	@if command -v npm >/dev/null; then \
		npm ci --prefix tests/sdk --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null && touch $@; \
	else echo "npm is not installed: clients for Node and browsers are not tested"; fi

demo: $(STAMP) ## the whole story without credentials: shop database, sandbox, plan, backfill, a day passes, delta
	@$(BIN)/engage-sync demo

test: $(STAMP) $(CLIENTS) ## all tests, on real SQLite and real PostgreSQL (ARGS="tests/config": some)
	@$(BIN)/python -m pytest -n 5 --dist worksteal --randomly-seed=$(SEED) $(ARGS)

coverage: $(STAMP) ## which lines and branches the tests of the parts run; at least 90 %
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m pytest -n 4 --dist worksteal --randomly-seed=$(SEED) --cov --cov-report=term $(ARGS)

soak: $(STAMP) ## the long proofs, whole (kill -9 a hundred times on each store)
	@SOAK=full $(BIN)/python -m pytest -m soak --timeout 3600 $(ARGS)

differential: $(STAMP) ## random queries against what they mean (ARGS="--cases 100000 --seed 7")
	@$(BIN)/python -m tests.language.differential $(ARGS)

check: $(STAMP) ## lint, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP) ## how far from the raw ceiling, as ratios
	@$(BIN)/python -m bench $(ARGS)

lock: $(STAMP) ## pin every dependency again, with hashes
	@$(BIN)/python -m pip install -q uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --group dev pyproject.toml -o requirements/dev.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url pyproject.toml -o requirements/run.txt
	@echo hatchling | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -c requirements/dev.txt - -o requirements/build.txt

wheel: $(STAMP) ## build the wheel into dist/
	@$(BIN)/python -m pip wheel -q --no-build-isolation --no-deps -w dist .

clean: ## forget the virtual environment and caches
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache tests/sdk/node_modules
