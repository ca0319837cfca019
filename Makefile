# The commands of Candlewick. `make` alone lists them.

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

# Variables that are not settings of the program, which would warn about them.
NO_SETTINGS := CANDLEWICK_PYTHON CANDLEWICK_TAPES $${!CANDLEWICK_STACK@} \
	CANDLEWICK_KAFKA CANDLEWICK_TIMESCALEDB CANDLEWICK_CLICKHOUSE \
	CANDLEWICK_REDIS CANDLEWICK_REDIS_SENTINEL CANDLEWICK_REDIS_CLUSTER \
	CANDLEWICK_KAFKA_SECURE CANDLEWICK_TIMESCALEDB_SECURE

.PHONY: help run test check fmt bench bench-parts smoke setup setup-build clean
.PHONY: stack stack-stop stack-status stack-reset

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup-build ## Everything in one process with a synthetic feed: http://127.0.0.1:8080
	@unset $(NO_SETTINGS); \
	exec $(CARGO) run $(CARGOFLAGS) --release -p candlewick -- standalone --feed synthetic $(ARGS)

test: setup ## Every test, with servers of their own: Rust, the second fold, a start of the binary
	@scripts/test.sh

check: setup-build ## Formatting, lints and documentation; a warning is an error
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(CARGOFLAGS) --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(CARGOFLAGS) --workspace --no-deps

fmt: ## Format the code
	$(CARGO) fmt --all

bench: setup-build ## The budgets, measured on this machine: about two minutes
	@unset $(NO_SETTINGS); \
	$(CARGO) build $(CARGOFLAGS) --release -p candlewick; \
	exec $(CARGO) run $(CARGOFLAGS) --release -p candlewick-bench -- $(ARGS)

bench-parts: setup-build ## The parts by themselves; ARGS="-p candlewick-market" for those of one crate
	$(CARGO) bench $(CARGOFLAGS) $(or $(ARGS),--workspace) --benches

smoke: ## Start the binary, wait for bars over REST, stop it
	@scripts/setup.sh build test
	@$(CARGO) build $(CARGOFLAGS) --workspace --bins --tests
	@"$(CANDLEWICK_PYTHON)" scripts/smoke.py

stack: ## Kafka, TimescaleDB, ClickHouse and Redis on loopback: docs/stack.md
	@scripts/setup.sh stack
	@scripts/stack/stack.sh up
	@echo 'for a shell: eval "$$(scripts/stack/stack.sh env)"'

stack-stop: ## Stop them and keep their data
	@scripts/stack/stack.sh down

stack-status: ## Print which servers run
	@scripts/stack/stack.sh status

stack-reset: ## Stop them and delete their data
	@scripts/stack/stack.sh reset

setup: ## Install what building and testing need, and say what cannot be installed
	@scripts/setup.sh build test stack

setup-build:
	@scripts/setup.sh build

clean: ## Remove what was built, and the virtual environment
	$(CARGO) clean
	rm -rf "$(VENV)"
