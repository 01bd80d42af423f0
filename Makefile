# Each target sets up .venv first, once. Another interpreter: make PYTHON=python3.13 demo

PYTHON ?= python3
# Where the demo listens: make PORT=8001 demo
PORT ?= 8000
# Processes that the tests run in.
JOBS ?= 2

# The tests start hundreds of interpreters: whatever the environment says, each finds what the first compiled.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
STAMP := .venv/installed
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
EXTRAS := sql limits smtp sms oauth serve testing

# Released packages that `make bench` measures beside this one, once `make bench-peers` has installed them.
PEERS := fastapi-users crudauth
# Versions that they share with this package.
SHARED := fastapi|starlette|pydantic|pydantic-core|uvicorn

comma := ,
space := $(subst ,, )

.PHONY: help demo test lint contract mutants bench bench-peers bench-scale soak docs constraints clean

help: ## say what the targets do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## / – /'

demo: $(STAMP) ## run a complete application on http://127.0.0.1:8000 that forgets everything when it stops
	rm -rf build/mail
	$(BIN)/python tools/demo.py --port $(PORT) --outbox build/mail

test: $(STAMP) ## run all tests but the long ones
	$(BIN)/pytest -n $(JOBS) --dist worksteal

lint: $(STAMP) ## check style, types and the arrows between the rooms
	$(BIN)/ruff check && $(BIN)/ruff format --check
	$(BIN)/mypy && $(BIN)/mypy examples benchmarks && $(BIN)/lint-imports --no-cache

contract: $(STAMP) ## run the storage contract on every backend
	$(BIN)/pytest tests/contract -n $(JOBS) --dist worksteal

mutants: $(STAMP) ## take out each defence and see which attack gets through
	$(BIN)/pytest tests/security/test_mutants.py -n $(JOBS)

bench: $(STAMP) build/bench/installed ## measure for ten minutes, print figures beside goals, write RESULTS.md; REGSTACK_BENCH_ROUNDS=2 takes half
	$(BIN)/pytest benchmarks -s -p no:xdist --results benchmarks/RESULTS.md

bench-peers: $(PEERS:%=build/peers/%/installed) ## install what `make bench` then measures beside this package

bench-scale: $(STAMP) ## measure what operations cost among a million accounts; takes three quarters of an hour or more
	REGSTACK_BENCH_ACCOUNTS=1000000 $(BIN)/pytest benchmarks/test_scale.py -s -p no:xdist

soak: $(STAMP) ## run the long tests: 30 minutes of mixed load, 100 kills, ten fail-overs, races many times over
	$(BIN)/pytest -m soak -n $(JOBS)

docs: $(STAMP) ## write the generated pages of docs/
	$(BIN)/python tools/generate_configuration.py

constraints: $(STAMP) ## choose the newest versions of everything and write them down
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 \
	  --custom-compile-command "make constraints" --no-annotate \
	  $(addprefix --extra ,$(EXTRAS)) --group dev --no-emit-package regstack \
	  $(addprefix --no-emit-package ,$(notdir $(PLUGINS))) $(PROJECTS) -o constraints.txt

clean: ## remove .venv and everything that tools wrote
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist
	find . -name __pycache__ -prune -exec rm -rf {} +

$(STAMP): $(PROJECTS) constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "regstack needs Python 3.11 or newer, and $(PYTHON) is %s; name another one: make PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --group dev \
	  --editable ".[$(subst $(space),$(comma),$(EXTRAS))]" $(addprefix --editable ,$(PLUGINS))
	@touch $@

build/bench/installed: benchmarks/environments/server.txt $(STAMP)
	rm -rf $(@D)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target $(@D) --requirement $<
	@touch $@

build/peers/%/installed: benchmarks/environments/%.txt constraints.txt $(STAMP)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	grep -E '^($(SHARED))==' constraints.txt > $(@D)/shared.txt
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python --constraint $(@D)/shared.txt --requirement $<
	@touch $@
