# Each target does its own set-up; none needs another run first. `make help` lists them.
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: setup
setup: .venv/ready ## Make the controller's virtualenv in .venv

.venv/ready: requirements.txt molecule/setup.sh
	@molecule/setup.sh

.PHONY: check
check: setup ## All tests that need no host
	pytest -q tests/unit

.PHONY: test
test: check ## All tests
