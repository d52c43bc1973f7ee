# What people type. `make help` lists it.

export PATH := $(if $(CARGO_HOME),$(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
TARGET   := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
DATA     ?= .windlass
LAB      ?= demo
WINDLASS := $(TARGET)/release/windlass --data $(DATA)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup build dist ui run clean-lab test tidy fmt soak bench bench-peers docs

help: ## Lists the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Installs what is missing to build, run and test (root on Debian; else says what to install)
	@bash .ci/setup test

build: ## Builds the release binary
	@bash .ci/setup run
	@$(MAKE) --no-print-directory ui
	@echo "build: cargo build --release (the first time takes a few minutes)"
	@cargo build --release --quiet --package windlass-server

dist: ## Builds the program for servers, target/dist/windlass: it takes longer to build, and less to run
	@bash .ci/setup run
	@$(MAKE) --no-print-directory ui
	@cargo build --profile dist --quiet --package windlass-server

# All that the interface's files are made of, folders too (something may be taken out); the binary embeds what becomes of them.
UI := ui/index.html ui/package-lock.json ui/vite.config.ts ui/svelte.config.js $(shell find ui/src ui/public ui/scripts)

ui: ## Builds the interface, if something has changed since
	@if [ -e ui/node_modules/.whole ]; then $(MAKE) --silent --no-print-directory ui/dist/index.html; \
	else echo "build: WITHOUT THE INTERFACE: Node.js 20.19 and npm build it (.ci/setup run)"; fi

ui/dist/index.html: $(UI)
	@echo "build: the interface"
	@cd ui && npm run --silent build >/dev/null

run: build ## Serves at 127.0.0.1:7070, prints how to log in and launch, and shows a Sovereign: plan, cost, run (Ctrl-C ends it)
	@exec bash .ci/show $(TARGET)/release/windlass $(DATA)

clean-lab: build ## Destroys the lab that `make run` made
	@$(WINDLASS) run lab/destroy --set lab=$(LAB)

test: ## Runs everything that CI runs: format, lints, tests, workflows
	@bash .ci/setup test
	@bash .ci/test

tidy: ## Runs only the repository's own rules: layers, file sizes, docs that name what exists
	@cargo test --quiet --package windlass-tests --test tidy

fmt: ## Formats the sources
	@cargo fmt --all

bench: ## Measures the engine on this machine (more with ARGS="--help")
	@bash .ci/setup run
	@cargo build --release --quiet --package windlass-server
	@WINDLASS_BIN=$(abspath $(TARGET))/release/windlass cargo run --release --quiet --package windlass-tests --bin windlass-bench -- $(ARGS)

bench-peers: ## Measures Windlass beside Restate, DBOS and Prefect, and writes docs/benchmarks.md (more with ARGS="--help")
	@bash .ci/setup test
	@$(MAKE) --no-print-directory dist
	@cargo build --release --quiet --package windlass-tests --bin windlass-load
	@python3 -B tests/peers/bench.py --folder "$(TARGET)/peers" --windlass "$(TARGET)/dist/windlass" \
		--load "$(TARGET)/release/windlass-load" --write docs/benchmarks.md $(ARGS)

soak: ## Breaks nodes, networks, disks and databases, and looks whether what is promised holds (SEED=7 SEEDS=1 SECONDS=20)
	@bash .ci/setup test
	@cargo build --quiet --package windlass-server --package windlass-tests --bins
	@$(TARGET)/debug/windlass-soak --seed $(or $(SEED),1) --seeds $(or $(SEEDS),1) --seconds $(or $(SECONDS),20)

docs: build ## Writes the pages that are generated from the code: docs/reference/
	@bash .ci/docs "$(TARGET)/release/windlass"
