# IRISurvey. `make help` says what there is.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install demo up stop clean clean-data check test load bench-export chaos faults coverage browser refuse-while-running

# The interpreter that makes the virtual environment; PYTHON=... names another.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; done)
VENV := .venv
RUN := $(VENV)/bin/python
# What is never imported is never compiled: that saves more than half a minute.
PIP_INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check --no-compile
PACKAGES := $(VENV)/.installed
DEV_PACKAGES := $(VENV)/.installed-dev
TEST_PROCESSES ?= 2
NODE_PACKAGES := frontend/node_modules/.installed
PAGE := frontend/dist/.built
PAGE_SOURCES := $(shell find frontend -path frontend/node_modules -prune -o -path frontend/dist -prune -o -type f -print)

help: ## what these commands do
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 20

install: ## make the virtual environment and build the participants' page; instant when nothing changed
	@$(MAKE) --silent --no-print-directory -j2 $(PACKAGES) $(PAGE)

demo: install ## everything at once: set up, make IRIs with two networks, open a 2AFC study; Ctrl-C ends it
	@exec $(RUN) -m survey_site.stack demo

up: install ## run the platform (PORT=8000) with its own PostgreSQL and broker, or those that the environment names
	@exec $(RUN) -m survey_site.stack up

stop: ## end a running platform or demo
	@if [ -x $(RUN) ]; then $(RUN) -m survey_site.stack stop; else echo "nothing is installed, so nothing runs"; fi

check: $(DEV_PACKAGES) $(PAGE) ## lint, types, who imports whom, migrations, and the page's own checks and tests
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy .
	PYTHONPATH=. $(VENV)/bin/lint-imports
	$(RUN) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(RUN) manage.py spectacular --validate --fail-on-warn --file /dev/null
	cd frontend && npm run --silent check
	cd frontend && npm test --silent

chaos: install $(DEV_PACKAGES) browser ## a bad network, killed tabs, a minute without a connection: the stored rows are what was answered
	CHAOS=all $(RUN) -m pytest tests/e2e/test_bad_network.py $(PYTEST_ARGS)

load: install $(DEV_PACKAGES) ## how many answers a second are stored, how fast, and whether each is there once (minutes)
	$(RUN) -m tests.benchmarks.load $(LOAD_ARGS)

test: install $(DEV_PACKAGES) browser check ## everything that `check` does, then all tests; E2E=no leaves the browser out
	$(RUN) -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(if $(filter no,$(E2E)),-m "not e2e") $(PYTEST_ARGS)

bench-export: install $(DEV_PACKAGES) ## a million responses against django-import-export: ratio, first byte, memory (minutes)
	$(RUN) -m tests.benchmarks.export $(EXPORT_ARGS)

faults: install $(DEV_PACKAGES) ## kill workers, servers and disks, and show what was lost and doubled: docs/jobs.md (minutes)
	FAULTS=all $(RUN) -m pytest tests/faults $(PYTEST_ARGS)

coverage: install $(DEV_PACKAGES) ## how often the intervals cover the truth in simulated studies: docs/coverage.md (minutes)
	$(RUN) -m tests.benchmarks.coverage --markdown docs/coverage.md

clean: refuse-while-running ## remove what can be made again: packages, the built page, caches
	rm -rf $(VENV) frontend/node_modules frontend/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Kept: the data ($${VAR_DIR:-var}). 'make clean-data' removes them."

clean-data: refuse-while-running ## remove the data: embedded database, broker, images, logs
	rm -rf "$${VAR_DIR:-var}"

refuse-while-running:
	@if [ -x $(RUN) ] && $(RUN) -m survey_site.stack status; then echo "error: stop it first (make stop)" >&2; exit 1; fi

$(RUN):
	@if [ -z "$(PYTHON)" ]; then \
		echo "error: Python 3.11 or newer is needed, and $$(python3 --version 2>&1 || echo none) was found;" \
			"install one, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; fi
	@echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "error: $(PYTHON) cannot make a virtual environment (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }

$(PACKAGES): requirements.txt | $(RUN)
	@echo "Installing Python packages (a minute or two) ..."
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(DEV_PACKAGES): requirements-dev.txt $(PACKAGES)
	@echo "Installing what the tests need ..."
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

$(NODE_PACKAGES): frontend/package.json frontend/package-lock.json
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a * 100 + b < 2019 ? 1 : 0)' \
		2>/dev/null || { \
		echo "error: Node 20.19 or newer is needed, and $$(node --version 2>/dev/null || echo none) was found (https://nodejs.org)" >&2; exit 1; }
	@echo "Installing the page's packages ..."
	@cd frontend && npm ci --silent --no-audit --no-fund
	@touch $@

$(PAGE): $(NODE_PACKAGES) $(PAGE_SOURCES)
	@echo "Building the page ..."
	@cd frontend && npm run --silent build
	@touch $@

# Chromium for the end-to-end tests: the machine's own, or installed where that is allowed.
browser:
	@[ "$(E2E)" = no ] || [ -n "$$CHROMIUM" ] || command -v chromium chromium-browser google-chrome >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing Chromium ..."; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; \
		fi; }
	@[ "$(E2E)" = no ] || [ -n "$$CHROMIUM" ] || command -v chromium chromium-browser google-chrome >/dev/null || { \
		echo "error: the end-to-end tests need Chromium, and it is not here and cannot be installed by this user." >&2; \
		echo "Install it (Debian: sudo apt-get install chromium), name it (CHROMIUM=/path/to/it)," >&2; \
		echo "or leave these tests out: make test E2E=no" >&2; exit 1; }
