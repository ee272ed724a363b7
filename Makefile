# `make run` serves the page, `make test` checks everything; each sets up what it needs in .venv first.
# For developers: `make lint` and `make quick` take seconds, `make audit` and
# `make findings` need a network.
SUITABLE = 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for python in python3.12 python3.11 python3; do \
	$$python -c $(SUITABLE) >/dev/null 2>&1 && echo $$python && break; done)
BIN := .venv/bin
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

run: .venv/app
	@$(BIN)/python app.py

# Two workers take a module each, with a thread each. On a machine that others use too, a browser may be late: what fails
# is tried once more and named in the summary.
test: lint .venv/chromium .venv/engine
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --reruns 1 -raR

# Style, types of the rooms that pyproject.toml names, and the same for the scripts in the browser.
lint: .venv/tests .venv/node
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/basedpyright --pythonpath $(BIN)/python
	@$(NPM) run --silent check

# What needs neither a browser nor a training: three and a half minutes on two threads of one core.
quick: .venv/tests
	@$(BIN)/python -m pytest -q --quick -n 2

# Known weaknesses of what the requirements bring. Where the advisories cannot be read, pip-audit itself ends well.
AUDITED := requirements.txt training/requirements.txt zoo/export-requirements.txt
NOT_READ := could not be audited|ConnectionError|Max retries|timed out
audit: .venv/python
	@$(BIN)/python -m pip install --quiet "pip-audit>=2.9,<3"
	@$(BIN)/python -m pip_audit --progress-spinner off $(AUDITED:%=--requirement %) >.venv/audit 2>&1; status=$$?; \
		cat .venv/audit; \
		if grep -qE 'Found [0-9]+ known' .venv/audit; then exit 1; \
		elif grep -qE '$(NOT_READ)' .venv/audit; then \
			echo "::warning::Not every advisory could be read: $$(grep -cE '$(NOT_READ)' .venv/audit) lines above say which."; \
		else exit $$status; fi

findings:
	@for finding in findings/*.sh; do echo "== $$finding"; "./$$finding" || exit 1; done

.venv/python:
	@$(or $(PYTHON),false) -c $(SUITABLE) || { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12'; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/app: .venv/python requirements.txt
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@touch $@

IMPORTERS := evaluation/datasets/importers/requirements.txt

.venv/tests: .venv/app training/requirements.txt $(IMPORTERS) tests/requirements.txt
	$(BIN)/python -m pip install --quiet --requirement training/requirements.txt --requirement $(IMPORTERS) \
		--requirement tests/requirements.txt
	@touch $@

# Checks of the page's JavaScript, by the Node that tests/requirements.txt brings.
.venv/node: .venv/tests package.json package-lock.json
	@$(NPM) ci --silent --no-fund --no-audit
	@touch $@

# Debian packages Chromium; elsewhere Playwright brings its own.
.venv/chromium: .venv/tests
	@command -v chromium >/dev/null || if grep -qs '^ID=debian' /etc/os-release; then \
		$(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq chromium >/dev/null; \
	else \
		$(BIN)/python -m playwright install --with-deps chromium; \
	fi
	@touch $@

# The engine of exported files in browsers, which the static page and its tests need; some 30 MB.
.venv/engine: .venv/tests zoo/checkpoints/web_runtime.py
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m zoo.checkpoints.web_runtime
	@touch $@

.PHONY: run test lint quick audit findings
