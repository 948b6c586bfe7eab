# make app    the page on http://127.0.0.1:7860 (PORT=… for another port)
# make test   every test, with the page in Chromium
# make check  formatter, linter, types and the tests that need no browser
# make bench  how fast it is here, as a table and as JSON
# make pictures     the README's pictures, of a real race in Chromium (minutes)
# make walkthrough  clicks and seconds from opening the page to the first attack
# make pocket trains the shipped models again (about half an hour on two cores)
#
# The first run makes .venv and installs into it; after that only a changed requirements file installs again.

.DEFAULT_GOAL := app
PORT ?= 7860
VENV := .venv
PY := $(VENV)/bin/python
SYSTEM_PYTHON ?= $(shell for python in python3 python3.12 python3.13 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; done)

# A stamp is named after the content of what it stands for, so a checkout that only touches the files installs nothing.
APP_STAMP := $(VENV)/.installed-app-$(shell cat requirements.txt constraints.txt | cksum | cut -d' ' -f1)
DEV_STAMP := $(VENV)/.installed-dev-$(shell cat requirements.txt requirements-dev.txt constraints.txt | cksum | cut -d' ' -f1)

.PHONY: app test check bench pictures walkthrough pocket browser clean

app: $(APP_STAMP)
	@$(PY) app.py --port $(PORT)

# Two processes where there are two cores, each with one thread; the browser's tests after them, with nobody beside.
test: $(DEV_STAMP) browser
	@OMP_NUM_THREADS=1 $(PY) -m pytest -m "not ui" --numprocesses auto --dist loadfile
	@$(PY) -m pytest -m ui

check: $(DEV_STAMP)
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@OMP_NUM_THREADS=1 $(PY) -m pytest -m "not ui" --numprocesses auto --dist loadfile

bench: $(APP_STAMP)
	@$(PY) -m benchmarks.bench

pictures: $(DEV_STAMP) browser
	@$(PY) -m benchmarks.pictures

walkthrough: $(DEV_STAMP) browser
	@$(PY) -m benchmarks.walkthrough

pocket: $(APP_STAMP)
	@$(PY) -m soul_core train-pocket

clean:
	rm -rf $(VENV)

$(PY):
	@test -n "$(SYSTEM_PYTHON)" || { echo "SOUL needs Python 3.11, 3.12 or 3.13: install one, or name it: make SYSTEM_PYTHON=/path/to/python3.12"; exit 1; }
	$(SYSTEM_PYTHON) -m venv $(VENV)

$(APP_STAMP): | $(PY)
	$(PY) -m pip install --quiet -c constraints.txt -r requirements.txt
	@touch $@

$(DEV_STAMP): | $(PY)
	$(PY) -m pip install --quiet -c constraints.txt -r requirements-dev.txt
	@touch $@ $(APP_STAMP)

browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null 2>&1 && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		(apt-get install -y --no-install-recommends chromium || { apt-get update && apt-get install -y --no-install-recommends chromium; }) >/dev/null 2>&1; \
	fi; \
	command -v chromium >/dev/null 2>&1 || { echo "The browser tests need Debian's Chromium: sudo apt-get install chromium (or run make check, which needs none)"; exit 1; }
