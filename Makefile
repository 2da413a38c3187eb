# Two commands need nothing but Python 3.11+: `make demo` and `make test`.
# The first that can make environments and is built with optimizations: others take twice as long.
FIT := import ensurepip, sys, sysconfig, venv; options = str(sysconfig.get_config_var("CONFIG_ARGS")); \
  sys.exit(sys.version_info < (3, 11) or sys.base_prefix != "/usr" and "--enable-optimizations" not in options)
ifndef PYTHON
PYTHON := $(shell for each in python3 /usr/bin/python3; do $$each -c '$(FIT)' 2>/dev/null && echo $$each && exit; done; echo python3)
endif
VENV := .venv
BIN := $(VENV)/bin
FOREIGN := .venv-ocpi
SOURCES := tariffs ledger ingest projections roaming_ocpi deploy wattledger_client examples/app tests bench conftest.py
DATA ?= data
# Tests and `up` start hundreds of processes: each would compile again what none may keep.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: client demo up test check fuzz faults outside mutants bench format lock clean help

help:            ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## / - /'

$(VENV)/.run: requirements/run.txt requirements/browser.txt pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Wattledger needs Python 3.11 or newer (make PYTHON=python3.12 ...)"; exit 1; }
	@test -x $(BIN)/python || echo "$(VENV) is made with $(PYTHON), $$($(PYTHON) -V); another: make PYTHON=..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: on Debian, apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/browser.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# A roaming partner that is not ours. All is listed: its own pins are for Python 3.11 alone.
$(FOREIGN)/.made: requirements/extrawest.txt
	@test -x $(FOREIGN)/bin/python || $(PYTHON) -m venv $(FOREIGN)
	$(FOREIGN)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/extrawest.txt
	@touch $@

demo: $(VENV)/.run ## a simulated month end to end; JSON=FILE also writes the figures, LOG=kafka keeps the log there; KEEP=1 leaves its console running, at PORT=8080
	$(BIN)/wattledger demo $(if $(LOG),--log $(LOG)) $(if $(JSON),--json $(JSON)) $(if $(KEEP),--keep) $(if $(PORT),--port $(PORT)) $(ARGS)

up: $(VENV)/.run ## serve for real until stopped; DATA=folder
	$(BIN)/wattledger up --data $(DATA) $(ARGS)

test: $(VENV)/.dev $(FOREIGN)/.made ## all tests but the slow ones
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.dev ## format, lint, types, layers, house rules
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_tidy.py

fuzz: $(VENV)/.dev ## the long property tests
	$(BIN)/python -m pytest -m slow --ignore=tests/faults --ignore=tests/outside --timeout=3000 $(ARGS)

faults: $(VENV)/.dev ## the long kill -9 runs; N=20 JSON=FILE: so many kills over Kafka alone, with their figures
	$(if $(N)$(JSON),,$(BIN)/python -m pytest -m slow tests/faults --timeout=3000 $(ARGS))
	$(BIN)/python -m tests.faults.over_kafka.kills_report $(if $(N),--kills $(N)) $(if $(JSON),--json $(JSON))

outside: $(VENV)/.dev ## what others' tools say of our files: chart, compose file, alerts, dashboard (Go builds them, the first time for minutes), documents (Java, by Maven), roaming (Rust nightly builds it), payments (Go)
	$(BIN)/python -m pytest -m slow tests/outside --timeout=1800 $(ARGS)

mutants: $(VENV)/.dev ## small changes to the code, and which of them no test notices; ARGS="--package ledger.meter"
	$(BIN)/python -m tests.mutants $(ARGS)

bench: $(VENV)/.dev ## the measures; JSON=FILE also writes them
	$(BIN)/python -m bench.run $(if $(JSON),--json $(JSON)) $(ARGS)

format: $(VENV)/.dev ## rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

client: $(VENV)/.dev ## write the typed client anew, from the OpenAPI document
	$(BIN)/python -m deploy.api.client_source

lock: $(VENV)/.dev ## pin every dependency by hash
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --extra build pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --extra build --extra dev pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-deps requirements/browser.in -o requirements/browser.txt
	echo 'pydantic==1.10.24' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --override /dev/stdin requirements/extrawest.in -o requirements/extrawest.txt

clean:           ## remove what make built (never data)
	rm -rf $(VENV) $(FOREIGN) .mypy_cache .ruff_cache .pytest_cache *.egg-info build
