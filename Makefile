# `make demo` and `make test` need nothing but Python 3.10 to 3.13.
#   make test PYTHON=python3.12 VENV=.venv-3.12
PYTHON ?= python3
VENV ?= .venv
# Of tests; each needs a core and 3 GB of memory.
PROCESSES ?= 2
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed
PEERS = .venv-peers
DOCS = .venv-docs

.PHONY: bench demo docs test lint clean

demo: $(INSTALLED)  ## Pre-train and evaluate on the bundled images, in minutes.
	$(BIN)/python run.py --mode=train_then_eval

test: $(INSTALLED)  ## Run all tests, in PROCESSES.
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadscope --no-loadscope-reorder \
		--durations=25

bench: $(INSTALLED) $(PEERS)/.installed  ## Time all that we claim; see RESULTS.md there.
	BENCHMARK_PEERS=$(abspath $(PEERS)/bin/python) $(BIN)/python -m benchmarks

docs: $(DOCS)/.installed  ## Build the documentation into site/; warnings are errors.
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

lint: $(INSTALLED)  ## Check style and formatting.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV)

$(INSTALLED): requirements.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.txt -r requirements-dev.txt
	touch $@

$(PEERS)/.installed: benchmarks/requirements-peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet -r benchmarks/requirements-peers.txt
	touch $@

$(DOCS)/.installed: docs/requirements.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet -r docs/requirements.txt
	touch $@
