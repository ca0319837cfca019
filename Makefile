# Candlewick: what one types. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
# Flags for every cargo command that takes them, such as --locked or --offline.
CARGOFLAGS ?=
# Arguments of `make run`, `make bench` and `make bench-parts`.
ARGS ?=

# A Python with the package msgpack, for the tests. Name one, or setup makes one in VENV.
VENV ?= .venv
CANDLEWICK_PYTHON ?= $(abspath $(VENV))/bin/python
# The folder of the tapes that the tests of whole days replay.
CANDLEWICK_TAPES ?= $(wildcard $(abspath ../shared/tapes))
export CARGO CARGOFLAGS VENV CANDLEWICK_PYTHON CANDLEWICK_TAPES

.PHONY: help run test check fmt bench bench-parts smoke setup setup-build clean

help: ## What there is to type
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup-build ## Everything in one process with a synthetic feed: http://127.0.0.1:8080
	@unset CANDLEWICK_PYTHON CANDLEWICK_TAPES; \
	exec $(CARGO) run $(CARGOFLAGS) --release -p candlewick -- standalone --feed synthetic $(ARGS)

test: setup ## Every test: Rust, the second fold in Python, and a start of the binary
	@scripts/test.sh

check: setup-build ## Formatting, lints and documentation; a warning is an error
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(CARGOFLAGS) --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(CARGOFLAGS) --workspace --no-deps

fmt: ## Format the code
	$(CARGO) fmt --all

bench: setup-build ## The budgets, measured on this machine: about two minutes
	@unset CANDLEWICK_PYTHON CANDLEWICK_TAPES; \
	exec $(CARGO) run $(CARGOFLAGS) --release -p candlewick -- bench $(ARGS)

bench-parts: setup-build ## The parts by themselves; ARGS="-p candlewick-market" for those of one crate
	$(CARGO) bench $(CARGOFLAGS) $(or $(ARGS),--workspace) --benches

smoke: setup ## Start the binary, wait for bars over REST, stop it
	@$(CARGO) build $(CARGOFLAGS) --workspace --bins --tests
	@"$(CANDLEWICK_PYTHON)" scripts/smoke.py

setup: ## Install what building and testing need, and say what cannot be installed
	@scripts/setup.sh build test

setup-build:
	@scripts/setup.sh build

clean: ## Remove what was built, and the virtual environment
	$(CARGO) clean
	rm -rf "$(VENV)"
