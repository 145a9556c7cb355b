# `make` lists the targets. Everything is installed into .venv by the targets themselves.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
FLOORS := build/floors
OF_CONSUMERS := tests/unit/runtime tests/integration/runtime $(foreach one,enricher feed notifier relay warehouse,tests/unit/$(one) tests/integration/$(one))
OF_AIOHTTP := tests/unit/test_aiohttp_fit.py tests/integration/web
PHP_SDK := 1.9.0
TOOLS  := build/tools
REQUIREMENTS := $(wildcard requirements/*.txt)
PIP    := -m pip --disable-pip-version-check --quiet
# What is installed has the hashes of requirements/, setuptools too, which then builds the package itself where it stands.
LOCKED := $(BIN)/python $(PIP) install --require-hashes -r
OURS   := $(BIN)/python $(PIP) install --no-deps --no-build-isolation --no-index -e .

# Tests that are not unit tests mostly wait for a process, a server or a lease: four at a time for each core.
WORKERS ?= $(shell $(BIN)/python -c 'import os; print(4 * (os.cpu_count() or 1))')

# Benchmarks measure another checkout beside this one: `git worktree add DIR COMMIT` makes it.
BESIDE = $(if $(BEFORE),--before $(BEFORE))

.DEFAULT_GOAL := help
.PHONY: $(shell grep -oE '^[a-z-]+:' $(MAKEFILE_LIST) | tr -d :)

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 to 3.14 is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "python3 lacks its module venv: on Debian and Ubuntu, apt install python3-venv"; exit 1; }

$(VENV)/run.stamp: pyproject.toml $(REQUIREMENTS) | $(BIN)/python
	@echo "installing the gateway and its consumers into $(VENV) …"
	$(LOCKED) requirements/run.txt
	$(OURS)
	@touch $@

$(VENV)/dev.stamp: pyproject.toml $(REQUIREMENTS) | $(BIN)/python
	@echo "installing the gateway and its development tools into $(VENV) …"
	$(LOCKED) requirements/dev.txt
	$(OURS)
	@touch $@ $(VENV)/run.stamp

$(VENV)/fuzz.stamp: pyproject.toml $(REQUIREMENTS) | $(BIN)/python
	$(LOCKED) requirements/fuzz.txt
	$(OURS)
	@touch $@ $(VENV)/dev.stamp $(VENV)/run.stamp

$(VENV)/faults.stamp: pyproject.toml $(REQUIREMENTS) | $(BIN)/python
	@echo "installing the servers of the fault tests into $(VENV) …"
	$(LOCKED) requirements/faults.txt
	$(OURS)
	@touch $@ $(VENV)/dev.stamp $(VENV)/run.stamp

$(VENV)/bench.stamp: pyproject.toml $(REQUIREMENTS) | $(BIN)/python
	@echo "installing the peers to measure against into $(VENV) …"
	$(LOCKED) requirements/bench.txt
	$(OURS)
	@touch $@ $(VENV)/dev.stamp $(VENV)/run.stamp

run: $(VENV)/run.stamp  ## everything on this machine, with a demo portal that sends events
	$(BIN)/gateway up --demo

# Where this is set, as in containers, each of some hundred processes compiles all of the code anew, and each worker
# rewrites the assertions of all tests.
test: export PYTHONDONTWRITEBYTECODE :=

test: programs  ## the tests, against real servers that they start themselves
	@$(BIN)/python -m tests.suite $(WORKERS)

# Fetched at the same time, since most of it is waiting.
programs: $(VENV)/dev.stamp
	@$(MAKE) --no-print-directory -j chromium promtool caddy helm node-tools image-parts

test-image: image-parts  ## the image, built without docker, and each service of compose.yaml run in it; needs root
	$(BIN)/python -m pytest -n 2 tests/integration/deploy/test_image.py tests/integration/deploy/test_compose.py

image-parts: $(VENV)/dev.stamp  ## what the tests build the image of: buildah, a base of Debian's packages, the pinned wheels
	@$(BIN)/python -m tests.support.image_parts

chromium: $(VENV)/dev.stamp  ## a headless Chromium for the tests of pages, if this machine has none
	@$(BIN)/python -m tests.browser.chromium

promtool: $(VENV)/dev.stamp  ## a promtool for the tests of alerts, if this machine has none
	@$(BIN)/python -m tests.support.promtool

caddy: $(VENV)/dev.stamp  ## a Caddy for the tests of deploy/Caddyfile, if this machine has none
	@$(BIN)/python -m tests.support.caddy

helm: $(VENV)/dev.stamp  ## a helm for the tests of the chart, if this machine has none
	@$(BIN)/python -m tests.support.helm

node-tools: $(VENV)/dev.stamp  ## TypeScript's compiler and AsyncAPI's parser and models of Kubernetes for tests, with npm
	@$(BIN)/python -m tests.support.node_tools

screenshots: chromium  ## the pictures of pages in docs/images
	$(BIN)/python -m tests.browser.screenshots
	SCREENSHOTS=1 $(BIN)/python -m pytest -q tests/browser/test_console.py

fuzz: $(VENV)/fuzz.stamp  ## look for bodies that break the decoder: a million, or RUNS=n
	$(BIN)/python -m tests.fuzz.fuzz_form -runs=$(or $(RUNS),1000000)

record-php: $(VENV)/dev.stamp  ## ask the installed PHP anew how it reads the bodies of tests/fuzz
	$(BIN)/python -m tests.fuzz.record_php

wire-bodies:  ## write the bodies of tests/wire/catalogue of their trees anew, by the installed PHP
	php -n tests/wire/catalogue/make.php

php-sdk:  ## have Bitrix24's SDK for PHP read the bodies of tests/wire/catalogue; composer installs it, or AUTOLOAD=FILE loads it
	@made=$$(mktemp -d) && trap "rm -r $$made" EXIT && autoload="$(AUTOLOAD)" \
	  && if [ -z "$$autoload" ]; then autoload=$$made/vendor/autoload.php \
	    && composer --quiet --no-interaction --working-dir=$$made require bitrix24/b24phpsdk:$(PHP_SDK); fi \
	  && php tests/wire/catalogue/official_php_sdk.php "$$autoload"

# TOKEN is in the environment of what is called here, as all that is set on the command line of make.
load: $(VENV)/bench.stamp  ## load an installation to its knee, account for every event: its own, or URL=http://127.0.0.1:8080 [TOKEN=…] [ARGS="…"]
	$(BIN)/python -m tests.benchmarks.load_test $(if $(URL),--url $(URL)) $(if $(TOKEN),--token env:TOKEN) $(ARGS)

bench-scaling: $(VENV)/bench.stamp  ## docs/scaling.md: what an event costs by partitions and workers, and a model held to that; half an hour
	$(BIN)/python -m tests.benchmarks.scaling measure --rounds $(or $(RUNS),3)
	$(BIN)/python -m tests.benchmarks.scaling page

plan: $(VENV)/dev.stamp  ## how many processes, partitions and Redis nodes a load takes, by that model: RATE=1000 PORTALS=1000
	@$(BIN)/python -m tests.benchmarks.scaling plan $(if $(RATE),--rate $(RATE)) $(if $(PORTALS),--portals $(PORTALS))

bench-consume: $(VENV)/bench.stamp  ## the consumer runtime against FastStream, a plain loop, or BEFORE=DIR
	$(BIN)/python -m tests.benchmarks.bench_consume $(BESIDE)

SOAK := $(BIN)/python -m tests.faults.soak $(if $(SEED),--seed $(SEED)) $(if $(SERVER),--server "$(SERVER)")

soak: $(VENV)/faults.stamp  ## an hour of random faults under load, or MINUTES=n, SEED=n, SERVER="…"; ends with the sums
	$(SOAK) --minutes $(or $(MINUTES),60)

soak-cluster: $(VENV)/faults.stamp  ## half an hour of node kills and slot moves on 3 primaries and 3 replicas, likewise
	$(SOAK) --cluster 3+3 --minutes $(or $(MINUTES),30)

bench-form: $(VENV)/dev.stamp  ## microseconds to read a body of Bitrix24
	$(BIN)/python -m tests.benchmarks.bench_form

bench-hostile: $(VENV)/dev.stamp  ## milliseconds to read the bodies that cost most: none may take five
	$(BIN)/python -m tests.benchmarks.bench_hostile

test-faults: $(VENV)/faults.stamp  ## every fault on Redis 7.0, Redis 8.2 and Valkey 9.1, with a table: twenty minutes
	$(BIN)/python -m pytest tests/faults tests/integration/runtime -m matrix -n 3

test-topologies: $(VENV)/faults.stamp  ## everything on one server, TLS, Sentinels and clusters of each kind, failing over and changing, with a table: ten minutes
	$(BIN)/python -m pytest tests/topologies -m matrix -n 2

test-missed: $(VENV)/dev.stamp  ## the receiver down for five minutes, or MINUTES=n, while 200 comments change
	OUTAGE_MINUTES=$(or $(MINUTES),5) $(BIN)/python -m pytest --timeout=3600 tests/integration/missed_events/test_outage.py

test-install: $(VENV)/dev.stamp  ## deploy/install.sh on a fresh Debian, and each process there by its unit: as root, with debootstrap
	$(BIN)/python -m pytest tests/integration/deploy/bare -m machine -v

test-floors:  ## the consumers' tests with the oldest versions that pyproject.toml admits, in an environment of their own
	rm -rf $(FLOORS) && $(PYTHON) -m venv $(FLOORS)
	$(FLOORS)/bin/python -m pip --disable-pip-version-check --quiet install uv
	$(FLOORS)/bin/uv pip install --quiet --python $(FLOORS)/bin/python --resolution lowest-direct -e '.[all]'
	$(FLOORS)/bin/uv pip install --quiet --python $(FLOORS)/bin/python -e '.[dev]'
	$(FLOORS)/bin/python -m pytest $(or $(TESTS),$(OF_CONSUMERS)) -n 2 --dist loadfile

test-aiohttp:  ## the receiver's tests with the oldest aiohttp that pyproject.toml admits and with the newest, in environments of their own
	set -e; for one in == '>='; do \
	  rm -rf $(FLOORS) && $(PYTHON) -m venv $(FLOORS); \
	  $(FLOORS)/bin/python -m pip --disable-pip-version-check --quiet install uv; \
	  $(FLOORS)/bin/uv pip install --quiet --python $(FLOORS)/bin/python -e '.[dev]' \
	    "$$(sed -n "s/^ *\"aiohttp>=\([^\"]*\)\",$$/aiohttp$$one\1/p" pyproject.toml)"; \
	  $(FLOORS)/bin/python -c 'import aiohttp; print("aiohttp", aiohttp.__version__)'; \
	  $(FLOORS)/bin/python -m pytest $(OF_AIOHTTP) -q -n 2; \
	done

test-pythons:  ## the unit tests on each Python from 3.11 to 3.14 that this machine has, in environments of their own
	$(PYTHON) -m tests.pythons $(TESTS)

bench-ingest: $(VENV)/bench.stamp  ## CPU time per accepted event, next to a bare handler and to peers
	$(BIN)/python -m tests.benchmarks.ingest $(BESIDE)

bench-lone: $(VENV)/dev.stamp  ## CPU time of an event that comes alone, or beside BEFORE=DIR
	$(BIN)/python -m tests.benchmarks.bench_lone $(BESIDE)

bench-answers: $(VENV)/dev.stamp  ## answer times at 1,000 events a second, with Redis and without
	$(BIN)/python -m tests.benchmarks.answers times

bench-drain: $(VENV)/dev.stamp  ## how fast a backlog leaves the spool while events come in
	$(BIN)/python -m tests.benchmarks.drain

bench-console: $(VENV)/dev.stamp  ## how long each page of the console takes: a million entries, ten thousand portals
	$(BIN)/python -m tests.benchmarks.console

bench-memory: $(VENV)/dev.stamp  ## the receiver's memory over ten minutes, or MINUTES=n
	$(BIN)/python -m tests.benchmarks.answers memory --minutes $(or $(MINUTES),10)

bench-footprint: $(VENV)/dev.stamp  ## memory of each process of `gateway up`, and what starts cost, or beside BEFORE=DIR
	$(BIN)/python -m tests.benchmarks.footprint $(BESIDE) --events $(or $(EVENTS),100000)

bench-report: $(VENV)/bench.stamp  ## all of the page on performance: what was not run yet, RUNS=3 times, or ONLY="… …"
	$(BIN)/python -m tests.benchmarks.report run $(ONLY) $(if $(RUNS),--runs $(RUNS))

bench-page: $(VENV)/bench.stamp  ## docs/performance.md and its pictures, of what has been run
	$(BIN)/python -m tests.benchmarks.report page

bench-profile: $(VENV)/bench.stamp  ## where processes spend their time, for that page, or of ONLY="… …"
	$(BIN)/python -m tests.benchmarks.report profile $(ONLY)

check: $(VENV)/dev.stamp  ## lint, format, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench-consumers: bench-audit bench-notifier bench-warehouse  ## how fast the consumers are

bench-audit: $(VENV)/dev.stamp  ## how fast the audit log is written and verified
	$(BIN)/python -m tests.benchmarks.bench_audit

bench-notifier: $(VENV)/dev.stamp  ## how many notifications a second, how much memory, or beside BEFORE=DIR
	$(BIN)/python -m tests.benchmarks.bench_notifier $(BESIDE)

bench-relay: $(VENV)/dev.stamp  ## what pushing an event costs beside a bare client, and what endpoints that hang delay
	$(BIN)/python -m tests.benchmarks.relay

bench-feed: $(VENV)/dev.stamp  ## memory and processor time of the feed with 1,000 streams at 200 events a second
	$(BIN)/python -m tests.benchmarks.bench_feed

bench-growth: $(VENV)/dev.stamp  ## how costs grow with what there is, or of PARTS="… …"
	$(BIN)/python -m tests.benchmarks.growth $(PARTS)

bench-warehouse: $(VENV)/dev.stamp  ## how fast events get into DuckDB and PostgreSQL, which have ROWS=n
	$(BIN)/python -m tests.benchmarks.bench_warehouse $(if $(ROWS),--rows $(ROWS))

findings:  ## show the surprises about other software in findings/ again: installs it from PyPI and Debian each time
	@failed=; for one in findings/*.sh; do echo "== $$one"; $$one || failed="$$failed $$one"; done; \
	  [ -z "$$failed" ] || { echo "not as stated (any more):$$failed"; exit 1; }

format: $(VENV)/dev.stamp  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/dev.stamp node-tools  ## write docs/settings.md, docs/events.md, docs/schema, docs/cli.md with the tables of commands, Redis's users, and the list in docs/map.md anew from the code
	$(BIN)/python -m gateway.settings.reference > docs/settings.md
	$(BIN)/python -m tests.event_reference docs/events.md
	$(BIN)/python -m gateway.contract.schema docs/schema
	$(BIN)/python -m tests.typescript_types docs/schema/events.d.ts
	$(BIN)/python -m tests.command_pages docs/cli.md
	$(BIN)/python -m tests.code_map docs/map.md
	$(BIN)/python -m tests.metric_reference docs/metrics.md
	$(BIN)/python -m tests.redis_users deploy/redis/users.acl docs/redis-rights.md
	$(BIN)/python -m tests.dashboards deploy/grafana/dashboards
	$(BIN)/python -m tests.licence_reference docs/licences.md

$(TOOLS)/build.stamp: requirements/build.txt
	rm -rf $(TOOLS) && $(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python $(PIP) install --require-hashes -r requirements/build.txt
	@touch $@

wheel: $(TOOLS)/build.stamp  ## a wheel in dist/, to install the gateway or the consumers' library from; of a commit always the same bytes
	@sha256sum "$$($(TOOLS)/bin/python -m tests.reproducible_wheel dist)"

sbom: wheel  ## what an installation of everything consists of, as CycloneDX, in dist/sbom.cdx.json
	rm -rf build/everything && $(PYTHON) -m venv --without-pip build/everything
	$(TOOLS)/bin/python $(PIP) --python build/everything/bin/python install --require-hashes -r requirements/run.txt
	$(TOOLS)/bin/python $(PIP) --python build/everything/bin/python install --no-deps "$$(ls -t dist/*.whl | head -1)"
	$(TOOLS)/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml \
	  --output-file dist/sbom.cdx.json build/everything/bin/python

# What is passed on by its tag alone may be another thing tomorrow.
release:  ## of a commit that bears its tag: wheel, SBOM and their checksums in dist/, and the image; SOURCE=URL of the repository
	@version=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' gateway/__init__.py); \
	  [ "$$(git describe --exact-match --tags 2>&1)" = "v$$version" ] || { echo "HEAD does not bear the tag v$$version"; exit 1; }; \
	  [ -z "$$(git status --porcelain)" ] || { echo "there is more here than the commit has"; exit 1; }; \
	  grep -q '^ARG BASE=.*@sha256:' deploy/Containerfile || { echo "the base of the image has no digest: make digests"; exit 1; }
	rm -rf dist
	$(MAKE) sbom image
	cd dist && sha256sum -- *.whl sbom.cdx.json | tee SHA256SUMS

image:  ## build the container image, by docker; SOURCE=URL of the repository
	docker build -f deploy/Containerfile -t bitrix24-event-gateway \
	  --build-arg "REVISION=$$(git rev-parse HEAD)" --build-arg "SOURCE=$(SOURCE)" .

digests:  ## write the digests that images of deploy/ have now behind their tags; docker asks the registries
	@set -e; for file in deploy/Containerfile deploy/compose.yaml; do \
	  for image in $$(sed -nE 's/^(ARG BASE=|    image: )([^ @]*:[^ @]+).*/\2/p' $$file); do \
	    digest=$$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' $$image); \
	    sed -i -E "s#^((ARG BASE=|    image: )$$image)(@.*)?\$$#\1@$$digest#" $$file; \
	    echo "$$file: $$image@$$digest"; \
	  done; \
	done

constraints: $(TOOLS)/build.stamp  ## compile constraints.txt and requirements/ anew from pyproject.toml
	$(TOOLS)/bin/python -m tests.pinned_requirements $(TOOLS)/bin/uv

clean:  ## remove what the targets above made, except var/
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz_cache build dist *.egg-info
