# `make run` serves the page, `make test` checks everything; each sets up what it needs in .venv first.
SUITABLE = 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for python in python3.12 python3.11 python3; do \
	$$python -c $(SUITABLE) >/dev/null 2>&1 && echo $$python && break; done)
BIN := .venv/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

run: .venv/app
	@$(BIN)/python app.py

test: .venv/tests .venv/chromium
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m pytest

.venv/python:
	@$(or $(PYTHON),false) -c $(SUITABLE) || { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12'; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/app: .venv/python requirements.txt
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@touch $@

.venv/tests: .venv/app training/requirements.txt tests/requirements.txt
	$(BIN)/python -m pip install --quiet --requirement training/requirements.txt --requirement tests/requirements.txt
	@touch $@

# Debian packages Chromium; elsewhere Playwright brings its own.
.venv/chromium: .venv/tests
	@command -v chromium >/dev/null || if grep -qs '^ID=debian' /etc/os-release; then \
		$(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq chromium >/dev/null; \
	else \
		$(BIN)/python -m playwright install --with-deps chromium; \
	fi
	@touch $@

.PHONY: run test
