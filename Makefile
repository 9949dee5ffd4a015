# One word does it. Everything that a target needs is installed on first use into .venv;
# llama.cpp is compiled once per machine and kept in uv's cache.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.8
# Without MODEL, the built-in one is served.
MODEL ?=
HOST ?= 127.0.0.1
PORT ?= 8080
ARGS ?=

export UV_HTTP_TIMEOUT ?= 180

.PHONY: help serve test lint types bench docs lock tiny clean
.DEFAULT_GOAL := help

help:
	@echo "make serve [MODEL=path.gguf] [HOST=127.0.0.1] [PORT=8080] [ARGS='--parallel 8']"
	@echo "make test     lint, types and the whole test suite (ARGS='tests/engine -x' for a part)"
	@echo "make docs     write what the pages derive, from code and from answers; the tests check it"
	@echo "make tiny     train the small model from scratch (two cores: 1.5 to 2.5 hours); goes on where it was"
	@echo "make lint | types | bench | lock | clean"

$(UV):
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# From uv's cache alone if all of it is there: a registry that forbids caching would otherwise have
# llama.cpp compiled again for every new environment.
define install
	@args="--quiet --python $(BIN)/python --require-hashes -r $(1) $$(sh tools/build_flags.sh uv)"; \
	eval $(UV) pip install --offline "$$args" 2>/dev/null || eval $(UV) pip install "$$args"
endef

# The two environments: what a user runs, and what a developer needs beside it.
$(VENV)/.serve: requirements.lock pyproject.toml | $(UV)
	@echo "Installing mullama (the first time compiles llama.cpp: about five minutes on two cores)"
	$(call install,requirements.lock)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.serve
	$(call install,requirements-dev.lock)
	@touch $@

serve: $(VENV)/.serve
	$(BIN)/mullama serve $(if $(MODEL),--model "$(MODEL)") --host $(HOST) --port $(PORT) $(ARGS)

test: lint types
	$(BIN)/pytest $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

docs: $(VENV)/.dev
	$(BIN)/python docs/generate.py
	$(BIN)/pytest --quiet --write-answers tests/test_pages.py

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)

# No registry's address in a lock: it is the reader's choice.
LOCK := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	--custom-compile-command "make lock"
lock: | $(UV)
	$(LOCK) pyproject.toml -c constraints.txt -o requirements.lock
	$(LOCK) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

# Training has an environment of its own, made by pip: PyTorch is large, and nobody else needs it.
TINY := build/tiny
TINY_VENV := .venv-tiny
$(TINY_VENV)/.ready: pyproject.toml
	@test -x $(TINY_VENV)/bin/python || $(PYTHON) -m venv $(TINY_VENV)
	$(TINY_VENV)/bin/pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(TINY_VENV)/bin/pip install --quiet --disable-pip-version-check --group tiny
	@touch $@

# A step's tensors are tens of megabytes, new ones each time. Pages of 4 KB cost a tenth of it, and
# memory that goes back to the system in between (mmap, trim) costs its page faults again.
TINY_MALLOC := glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=100000000000
tiny: $(TINY_VENV)/.ready $(VENV)/.serve
	GLIBC_TUNABLES=$(TINY_MALLOC) $(TINY_VENV)/bin/python -m recipes.tiny $(TINY)
	$(BIN)/python -m recipes.tiny.evaluate $(TINY)/mullama-tiny.gguf --output $(TINY)/evaluation.json

clean:
	rm -rf build $(VENV) $(TINY_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
