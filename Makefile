# Every target sets up what it needs, once; `make help` lists them.
#   PYTHON=python3.12   another interpreter     CMAKE_ARGS=…   more options for llama.cpp (untested)

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help install chat ask seeds models test lint bench screens browser lock reference clean

VENV := .venv
BIN := $(VENV)/bin
# The first interpreter that is new enough, or else python3, so that the complaint below can name it.
PYTHON ?= $(firstword $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p; done) python3)

# Stamps: pip runs again only when one of these files has changed.
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
PINS := pyproject.toml constraints.txt
PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt

# The pip that comes with Python 3.11 stumbles over extras spelled in two ways (lxml[html_clean], lxml[html-clean]).
PIP := pip>=25,<26

# Only the library is built, not llama.cpp's own programs: a third less to compile.
LLAMA_CMAKE_ARGS = -DLLAVA_BUILD=OFF -DMTMD_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_COMMON=OFF \
	-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF
# Without AMX, which GCC 12 compiles to a crash (rag/llm/native.py), where the compiler knows of it. Asked when it is needed.
NO_AMX := -mno-amx-int8
LLAMA_CMAKE_ARGS += $(if $(shell echo | $${CXX:-c++} $(NO_AMX) -x c++ -fsyntax-only - 2>&1 || echo no),,\
	-DCMAKE_C_FLAGS=$(NO_AMX) -DCMAKE_CXX_FLAGS=$(NO_AMX))

# Compiled bytecode is kept, and no module from elsewhere stands in for an installed one.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME
# make would expand the dollar signs of a question on its way to the shell.
unexport Q

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

chat: seeds ## Index the sample articles and open the chat page
	@$(BIN)/citewire chat

ask: export QUESTION = $(value Q)
ask: seeds ## Answer one question: make ask Q="When did the talks break down?"
	@test -n "$$QUESTION" || { echo 'Ask something: make ask Q="When did the talks break down?"' >&2; exit 2; }
	@$(BIN)/citewire ask -- "$$QUESTION" || test $$? -eq 3

seeds: models
	@$(BIN)/citewire index add seeds

models: $(INSTALLED) ## Download and verify the default models
	@$(BIN)/citewire models pull

test: $(INSTALLED_DEV) browser models ## Run all tests, with the real models and a real browser
	@$(BIN)/citewire models pull smollm2-135m
	@# A browser and its page take both cores; the rest runs in two processes, each on its half of the cores.
	@$(BIN)/python -m pytest -m browser
	@$(BIN)/python -m pytest -m "not browser" --numprocesses 2 --dist worksteal

lint: $(INSTALLED_DEV) ## Check style, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

BENCH ?= retrieval relevance reading indexing scale
bench: $(INSTALLED_DEV) models ## Measure; BENCH="retrieval scale" chooses
	@for name in $(BENCH); do $(BIN)/python -m benchmarks $$name || exit 1; done

screens: $(INSTALLED_DEV) browser ## Take the pictures of the page in docs/screens
	@$(BIN)/python -m benchmarks screens

browser:
	@.ci/browser

lock: $(INSTALLED_DEV) ## Write constraints.txt from what is installed in .venv
	@$(BIN)/python .ci/lock.py > constraints.txt.new && mv constraints.txt.new constraints.txt
	@touch $(INSTALLED) $(INSTALLED_DEV)

reference: $(INSTALLED_DEV) ## Write the generated parts of docs/reference.md
	@$(BIN)/python .ci/reference.py --write

clean: ## Remove .venv and caches; models and indexed articles stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(INSTALLED)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Citewire needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 || echo missing)." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@rm -f $(INSTALLED) $(INSTALLED_DEV)
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "No virtual environment could be made; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(INSTALLED): $(PINS) | $(BIN)/python
	@$(BIN)/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("llama_cpp") is None)' || \
		echo "Installing into $(VENV); the first time llama.cpp is compiled, about 6 minutes on two cores …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade '$(PIP)'
	@CMAKE_ARGS="$(LLAMA_CMAKE_ARGS) $$CMAKE_ARGS" $(PIP_INSTALL) --editable . || { \
		echo "The installation failed; pip says why above. llama.cpp needs a C++ compiler:" >&2; \
		echo "on Debian and Ubuntu: apt-get install build-essential; on macOS: xcode-select --install" >&2; exit 1; }
	@touch $@

$(INSTALLED_DEV): $(PINS) | $(INSTALLED)
	@CMAKE_ARGS="$(LLAMA_CMAKE_ARGS) $$CMAKE_ARGS" $(PIP_INSTALL) --editable '.[dev,bench]'
	@touch $@
