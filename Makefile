# As root on Debian 12 everything below installs what it needs; elsewhere it says what is missing.
.DEFAULT_GOAL := help
.PHONY: help setup setup-tests run test faults alerts servers soak neighbours upgrade bench scaling lint lock sbom images
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
BENCH := .courier/bench/tools
SBOM := dist/courier.cdx.json
LOCK := requirements-runtime.txt
RUNTIME = $(shell sed -n 's/^\([a-z0-9.-]*\)==.*/\1/p' requirements-clouds.txt)

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## install the program, RabbitMQ and MongoDB
	@$(BIN)/python -m deploy.local.install

run: setup ## start the whole service with a demonstration (ONCE=1: end by itself)
	@$(BIN)/python -m deploy.local.demo $(if $(ONCE),--once)

test: setup-tests ## run the whole test suite, on real servers
	@$(BIN)/python -m pytest -n auto --dist worksteal

faults: setup-tests ## try every fault, also the slow ones, and write docs/faults.md
	@$(BIN)/python -m pytest tests/faults --ignore tests/faults/test_alerts.py -m "slow or not slow"; \
		status=$$?; $(BIN)/python -m tests.faults.report && exit $$status

alerts: setup-tests ## make every alert fire at a real Prometheus, and write docs/alerts.md
	@$(BIN)/python -m pytest tests/faults/test_alerts.py -m "slow or not slow"; \
		status=$$?; $(BIN)/python -m tests.faults.alert_report && exit $$status

servers: setup-tests ## try every customer's server, and write docs/servers.md
	@$(BIN)/python -m pytest tests/contract/test_servers.py -k "not the_table" -m "slow or not slow"; \
		status=$$?; $(BIN)/python -m tests.contract.servers && exit $$status

soak: setup-tests ## random faults for MINUTES=10 (NODES=3 of RabbitMQ), then the accounting
	@$(BIN)/python -m tests.faults.soak --minutes $(or $(MINUTES),10) --nodes $(or $(NODES),1)

neighbours: setup-tests ## 20 accounts on one real sshd, one with a wrong password, for MINUTES=60; docs/neighbours.md
	@$(BIN)/python -m tests.faults.neighbours --minutes $(or $(MINUTES),60)

upgrade: setup-tests ## old and new workers beside each other (FROM=COMMIT), and write docs/upgrade.md
	@$(BIN)/python -m tests.faults.upgrade $(FROM)

bench: setup-tests $(BENCH)/installed ## compare with sftp, lftp, rclone, sr3 and Celery (ONLY=a,c ROUNDS=3 QUICK=1: a part)
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(QUICK),--quick)

scaling: setup-tests $(BENCH)/installed ## workers, accounts, queues, services alone (ONLY, ROUNDS, QUICK)
	@$(BIN)/python -m tests.bench.scaling $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(QUICK),--quick)
	@$(if $(ONLY)$(QUICK),,$(BIN)/python -m tests.bench.ledger)

images: setup-tests ## build and try the image and the compose file (root), and write docs/images.md
	@$(BIN)/python -m deploy.images $(TESTS)

lint: $(STAMP) ## formatter, linter, strict types, licences
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pip-licenses --packages $(RUNTIME) >/dev/null

lock: ## write the requirements files anew, with hashes
	@deploy/lock

sbom: $(STAMP) ## list what the program runs with for scanners (CycloneDX): dist/courier.cdx.json (LOCK=requirements-clouds.txt)
	@mkdir -p $(dir $(SBOM))
	@$(BIN)/python -W ignore -m cyclonedx_py requirements $(LOCK) \
		--pyproject pyproject.toml --output-reproducible --output-file $(SBOM)

setup-tests: $(STAMP)
	@$(BIN)/python -m deploy.local.install --tests

$(STAMP): requirements.txt pyproject.toml deploy/venv
	@PYTHON=$(PYTHON) deploy/venv $(VENV)
	@touch $@

# Programs of others that are only run: in an environment of their own, and in no lock of this one.
$(BENCH)/installed: tests/bench/tools/requirements.txt
	@$(PYTHON) -m venv --clear $(BENCH)
	@$(BENCH)/bin/pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@
