.PHONY: help run test lint types contracts check bench fuzz constraints openapi clean setup-run setup-test
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
FUZZ_SECONDS ?= 60
TEST_WORKERS ?= 2
BENCH_SIZE ?= small
BENCH_OUTPUT ?= build/bench/results
BENCH_PARTS ?= engines,scheduler,growth,finding,service

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup-run ## Install what is missing, then serve on 127.0.0.1:8000
	@exec $(BIN)/mayfly serve

test: setup-test ## Install what the tests need, then run all of them
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile

lint: setup-test ## Check style and format of every Python file and script
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup-test ## Check types, strictly
	@$(BIN)/pyright

contracts: setup-test ## Check import directions, container files and pinned versions
	@scripts/check-contracts

check: lint types contracts test ## All of the above that a change must pass

bench: setup-test ## Measure beside peers; BENCH_SIZE=full for what is published (see benchmarks/README.md)
	@for peer in openvino langchain mayfly $(if $(RAG_API),rag-api); do \
	  benchmarks/peers/make-venv $$peer || echo "$$peer could not be installed; the page will say so" >&2; done
	@$(BIN)/python -m benchmarks.run --size $(BENCH_SIZE) --output $(BENCH_OUTPUT) --only $(BENCH_PARTS)

fuzz: setup-test ## Damage files for FUZZ_SECONDS (60) a parser (see fuzz/README.md)
	@$(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS)

constraints: setup-test ## Pin the newest allowed versions anew
	@scripts/constraints

openapi: setup-test ## Write docs/openapi.json anew
	@$(BIN)/python -c 'from api.app import openapi_document; print(openapi_document(), end="")' > docs/openapi.json

clean: ## Remove everything that the targets above made
	@rm -rf .venv build dist *.egg-info .ruff_cache .pytest_cache .hypothesis .import_linter_cache; find . -name __pycache__ -prune -exec rm -rf {} +

setup-run:
	@scripts/setup-system run && scripts/setup-python run

setup-test:
	@scripts/setup-system test && scripts/setup-python test
