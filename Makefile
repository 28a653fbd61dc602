# What the project can do: `make` lists it. demo and test need only make and Python 3.11 or newer.
export PYTHON ?= python3
python := .venv/bin/python

.PHONY: help demo serve simulate test check schema compose docker-lint shell-lint lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/runtime ## serve the gateway over simulated backends
	$(python) -m gateway demo $(args)

serve: .venv/runtime ## serve the gateway with the settings of this environment
	$(python) -m gateway serve $(args)

simulate: .venv/runtime ## serve one simulated REST API alone: make simulate args="--api commercetools"
	$(python) -m gateway simulate $(args)

test: .venv/dev ## run the tests; a few of them: make test args="-k paging"
	$(python) -m pytest -n auto $(args)

check: .venv/dev ## lint, formatting, types, nothing that ties the project to one machine
	scripts/check

schema: .venv/runtime ## write schema.graphql
	$(python) -m gateway schema >.venv/schema.graphql && cp .venv/schema.graphql schema.graphql

compose: composition/node_modules/.package-lock.json ## compose schema.graphql into a supergraph (needs node)
	node composition/compose.mjs

docker-lint: build/linters/done ## lint the Dockerfile
	build/linters/bin/hadolint Dockerfile

shell-lint: build/linters/done ## lint the scripts
	build/linters/bin/shellcheck $$(grep -lE '^#!.*sh$$' scripts/* .ci/run)

lock: .venv/dev ## lock every package again; to newer versions: make lock args=--upgrade
	scripts/lock $(args)

clean: ## remove everything that can be made again
	rm -rf .venv build dist composition/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Installed anew only when the lock is newer than the last time.
.venv/runtime: requirements.txt
	scripts/venv .venv requirements.txt
	@touch $@

.venv/dev: .venv/runtime requirements-dev.txt pyproject.toml
	scripts/venv .venv requirements-dev.txt
	$(python) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

build/linters/done: scripts/linters.txt
	scripts/venv build/linters scripts/linters.txt
	@touch $@

composition/node_modules/.package-lock.json: composition/package-lock.json
	npm ci --prefix composition --ignore-scripts
