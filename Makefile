# Each target does its own set-up; none needs another run first. `make help` lists them.
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: setup ## Deploy the example to a throwaway host, at https://127.0.0.1:${DEMO_PORT:-8443}
	@molecule/demo.py

.PHONY: demo-down
demo-down: ## Remove that host and its secrets
	@python3 molecule/throwaway.py down demo-host
	@rm -rf .demo inventories/demo/group_vars/demo/vault.yml

.PHONY: setup
setup: .venv/ready ## Make the controller's virtualenv in .venv

.venv/ready: requirements.txt molecule/setup.sh
	@molecule/setup.sh

.PHONY: check
check: setup ## Run all tests that need no host
	@$(MAKE) --jobs=2 --output-sync=target lint units

.PHONY: lint
lint: setup
	ruff check --quiet .
	ruff format --quiet --check .
	mypy -p ansible_collections.initech.django.plugins
	mypy bench molecule tests
	yamllint .
	@# Nothing is decrypted: any file will do as the password, and nobody is asked for one. Of the inventories it reads the
	@# files; the sixty Ansibles that it starts, which see to the syntax of playbooks, need none.
	ANSIBLE_VAULT_IDENTITY_LIST=lint@LICENSE ANSIBLE_INVENTORY=/dev/null ansible-lint

.PHONY: units
units: setup
	@# The linter is one process for most of its time, so it goes first, and the tests get what it leaves of the cores.
	nice -n 5 pytest -q --numprocesses auto --dist worksteal tests/unit tests/roles tests/templates

.PHONY: test
test: check ## Run all tests: those, all versions of django-environ, Molecule on Debian 12 and 13, and deploys of a fresh clone, also to Ubuntu
	pytest --numprocesses auto tests/environ
	@# Where one fails, what molecule says last is all that a short record keeps: the failures themselves come after it.
	mkdir -p build
	molecule test --all 2>&1 | tee build/molecule.log || { grep -E '│.*(E   |FAILED|ERROR)' build/molecule.log | tail -n 30; exit 1; }
	pytest --numprocesses 2 --dist loadfile tests/hosts

.PHONY: lock
lock: setup ## Freeze the controller's own requirements with the oldest Python; UPGRADE=all moves all versions
	ansible localhost -m initech.django.lock \
	  -a "directory=$(CURDIR) python=$$(command -v python3.11 || echo python3.11) upgrade=$(UPGRADE)"

.PHONY: bench
bench: setup ## Measure what is promised of speed, each as a ratio: build/bench.json. All parts or PARTS="deploys waits"
	@BENCH_MEMORY=/dev/shm python bench/run.py $(PARTS)

.PHONY: faults
faults: setup ## Break deploys on purpose, and see what is left: build/faults.json. All, or PARTS="tasks bad --times 5"
	python tests/faults/break_deploys.py $(PARTS)

.PHONY: audit
audit: setup ## Have provisioned hosts audited by tools that others wrote: build/audit.json, docs/security.md
	python tests/audit/audit.py

.PHONY: docs
docs: setup ## Write the tables of variables in the roles' READMEs
	python tests/roles/readme.py
