# What the project can do: `make` lists it. demo and test need only make and Python 3.11 or newer.
export PYTHON ?= python3
python := .venv/bin/python
# Else each of the processes that tests start compiles all modules again, for half of its time.
unexport PYTHONDONTWRITEBYTECODE
# Of all that is built, this is written last.
assets := gateway/http/assets/page.html

.PHONY: help demo serve simulate graphiql test test-all fuzz chaos soak restarts scale doctor figures dashboard-picture browser browser-pictures frontend frontend-test frontend-picture check schema schema-check compose contract federation clients audit bench chart image sbom pip-audit deploy-check docker-lint shell-lint lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

demo: .venv/runtime ## serve the gateway over simulated backends
	@{ command -v npm >/dev/null && $(MAKE) -s graphiql; } || \
	  echo "GraphiQL could not be built; if its page comes from a CDN, it will say so."
	$(python) -m gateway demo $(args)

serve: .venv/runtime ## serve the gateway with the settings of this environment
	$(python) -m gateway serve $(args)

simulate: .venv/runtime ## serve one simulated REST API alone: make simulate args="--api commercetools"
	$(python) -m gateway simulate $(args)

graphiql: $(assets) ## build the GraphiQL page that the gateway serves itself (needs node)

test: .venv/dev ## run the tests but the slow ones; a few of them: make test args="-k paging"
	$(python) -m pytest -n auto --dist worksteal -m "not slow" $(args)

test-all: .venv/dev ## run all tests
	$(python) -m pytest -n auto --dist worksteal $(args)

browser: $(assets) .venv/runtime ## use the GraphiQL page over the demo (needs node; CHROMIUM=... if it is not Debian's)
	node --test --test-reporter=spec graphiql/browser.test.mjs

browser-pictures: browser ## renew docs/rest-calls.png and docs/explain.png
	cp build/rest-calls.png build/explain.png docs/

frontend: examples/frontend/build/gql/index.ts ## serve the app of examples/frontend over the demo (needs node)
	node examples/frontend/serve.mjs $(python)

frontend-test: examples/frontend/build/gql/index.ts ## use that app in headless Chromium (needs node)
	npm --prefix examples/frontend run check
	node --test --test-reporter=spec examples/frontend/browser.test.mjs

frontend-picture: frontend-test ## renew docs/frontend.png
	cp build/frontend.png docs/frontend.png

fuzz: .venv/dev ## compare answers with those of graphql-core, thousands of times
	FUZZ_EXAMPLES=$(or $(examples),5000) $(python) -m pytest --hypothesis-profile=random tests/engine/test_against_the_oracle.py $(args)

chaos: .venv/runtime ## hold the gateway to its promises over upstreams that misbehave; roughly: make chaos args=--short
	$(python) -m chaos $(args)

soak: .venv/runtime ## run it for ten minutes beside faults and clients that leave; a minute: make soak args=--short
	$(python) -m chaos.soak $(args)

restarts: .venv/runtime ## restart gateways under load behind haproxy and nginx, and count what is lost; roughly: make restarts args=--short
	$(python) -m chaos.restarts $(args)

scale: .venv/runtime ## two gateways behind haproxy with a real Redis: what is lost, shared and gained; roughly: make scale args=--short
	$(python) -m chaos.scale $(args)

doctor: .venv/runtime ## let the doctor examine six quirky simulated APIs, and serve each with the settings that it found
	$(python) -m chaos.doctor

figures: .venv/runtime ## measure it under attack and outage; another checkout: make figures args="--of DIR"
	$(python) -m chaos.figures $(args)

dashboard-picture: .venv/runtime ## renew docs/dashboard.svg: Grafana's dashboard, drawn from four minutes of a real Prometheus
	$(python) -m chaos.dashboard

check: .venv/dev ## lint, formatting, types, nothing that ties the project to one machine
	scripts/check

schema: .venv/runtime ## write schema.graphql
	GATEWAY_CONFIG=/dev/null $(python) -m gateway schema >.venv/schema.graphql && cp .venv/schema.graphql schema.graphql

compose: .venv/runtime composition/node_modules/.package-lock.json ## compose the schema into supergraphs (needs node)
	node composition/compose.mjs $(python)

federation: .venv/runtime composition/node_modules/.package-lock.json federation/node_modules/.package-lock.json ## run Apollo's gateway and Hive's over the gateway and its neighbours (needs node)
	node federation/check.mjs $(python)

clients: .venv/runtime build/clients/done clients/node_modules/.package-lock.json ## run Apollo Client, urql, Relay and other clients and tools over the gateway (needs node)
	node clients/check.mjs $(python) build/clients/bin

contract: .venv/runtime contract/node_modules/.package-lock.json ## hold both adapters to Prism and to a mock that nobody here wrote (needs node)
	node contract/check.mjs $(python)

schema-check: .venv/runtime composition/node_modules/.package-lock.json ## name breaking changes since the last release; at a release: args=--release
	node composition/check.mjs $(python) $(args)

audit: .venv/runtime conformance/node_modules/.package-lock.json ## hold the demo to GraphQL over HTTP (needs node)
	node conformance/audit.mjs $(python)

# Without its peers, the benchmark needs no node.
peers := $(patsubst %/package.json,%/node_modules/.package-lock.json,$(wildcard benchmarks/peers/*/package.json))
bench: .venv/runtime $(if $(findstring --smoke,$(args)),,$(peers)) ## measure the gateway and its peers; roughly: make bench args=--quick
	$(python) -m benchmarks $(args)

chart: .venv/runtime ## draw the chart of docs/performance.md; of another run: make chart args=build/bench.json
	$(python) -m benchmarks.chart $(args)

image: ## build the image, with labels (needs docker, or DOCKER="podman"); see docs/releasing.md
	$(or $(DOCKER),docker) build --tag customer-groups-gateway \
	  --build-arg VERSION=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
	  --build-arg REVISION=$$(git rev-parse HEAD) --build-arg CREATED=$$(git log -1 --format=%cI) $(args) .

sbom: build/linters/done ## write build/sbom.json: all packages that the image has of Python's, in CycloneDX
	build/linters/bin/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml \
	  --output-reproducible --short-PURLs --output-file build/sbom.json

pip-audit: build/linters/done ## look the locked packages up in the database of vulnerabilities (needs the Internet)
	build/linters/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements-otel.txt

deploy-check: build/linters/done ## check the configurations of deploy/ against the schemas of those who read them
	scripts/deploy-check

docker-lint: build/linters/done ## lint the Dockerfile
	build/linters/bin/hadolint Dockerfile

shell-lint: build/linters/done ## lint the scripts
	build/linters/bin/shellcheck $$(grep -lE '^#!.*sh$$' scripts/* .ci/run)

lock: .venv/dev ## lock every package again; to newer versions: make lock args=--upgrade
	scripts/lock $(args)

clean: ## remove everything that can be made again
	rm -rf .venv build dist $(dir $(assets)) clients/build clients/node_modules composition/node_modules conformance/node_modules contract/node_modules examples/frontend/build examples/frontend/node_modules federation/node_modules graphiql/node_modules benchmarks/peers/*/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis

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

build/clients/done: clients/requirements.txt
	scripts/venv build/clients clients/requirements.txt
	@touch $@

$(assets): graphiql/node_modules/.package-lock.json $(wildcard graphiql/build.mjs graphiql/src/* examples/*.* gateway/http/cdn/*)
	node graphiql/build.mjs

examples/frontend/build/gql/index.ts: schema.graphql $(wildcard $(addprefix examples/frontend/,codegen.yml src/*.tsx)) examples/frontend/node_modules/.package-lock.json .venv/runtime
	mkdir -p $(@D)
	GATEWAY_CONFIG=/dev/null $(python) -m gateway schema --for clients >examples/frontend/build/schema.graphql
	npm --prefix examples/frontend run codegen
	@touch $@

%/node_modules/.package-lock.json: %/package-lock.json
	npm ci --prefix $* --ignore-scripts
