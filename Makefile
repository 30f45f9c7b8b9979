# Lockstep: two commands to start with are `make demo` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types imports check format bench ui mlflow serve spark-jars \
	kafka-jars airflow-env unit contract integration dags manifests docs images up down smoke clean

PYTHON ?= python3
UV := .uv/bin/uv
VENV := .venv
RUN := $(VENV)/bin
export UV_PYTHON_DOWNLOADS = never
ONLY ?=

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.synced ## make the environment from uv.lock
$(VENV)/.synced: uv.lock pyproject.toml lockstep/contract/_trees.c lockstep/stores/_vectors.c
	@test -x $(UV) || { $(PYTHON) -m venv .uv && .uv/bin/pip install --quiet uv; }
	$(UV) sync --quiet --frozen --python $(PYTHON)
	@touch $@

demo: setup ## raw transactions to a served fraud score, and the proof
	@$(RUN)/lockstep demo

test: setup check ## linters, types, import contracts, then all tests
	$(RUN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

# The parts of `make test`, for continuous integration, which runs them beside each other.
PYTEST := $(RUN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile
unit: setup ## tests of single parts, and doctests
	$(PYTEST) tests/unit tests/conformance lockstep feature_repo training serving
contract: setup ## one suite over every backend
	$(PYTEST) tests/contract
integration: setup ## tests with real servers
	$(PYTEST) tests/integration
dags: setup ## Airflow's DAGs, in Airflow's own environment
	$(PYTEST) tests/ops/airflow
manifests: setup ## images, compose, Kubernetes, monitoring and workflows, by their own tools
	$(PYTEST) tests/ops --ignore=tests/ops/airflow
docs: setup ## the commands that the documentation tells
	$(PYTEST) tests/docs

airflow-env: setup ## Airflow's own environment, .airflow-venv
	@airflow/make-environment

check: lint types imports ## everything that needs no test run
lint: setup
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
types: setup
	$(RUN)/mypy
imports: setup
	$(RUN)/lint-imports

format: setup ## rewrite the code in house style
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

bench: setup ## measure against peers; ONLY=name for one
	$(RUN)/python -m benchmarks.run $(ONLY)

serve: setup ## the prediction API and its console on the demo's data, http://127.0.0.1:8000
	@$(RUN)/lockstep redis start
	@$(RUN)/lockstep keys list 2>/dev/null | grep -q predict || \
	  { echo "Your API key:"; $(RUN)/lockstep keys add me --scope predict --scope read; }
	@$(RUN)/lockstep serve

ui: setup ## the Feast UI, http://127.0.0.1:8888
	cd feature_repo && ../$(RUN)/feast ui --host 127.0.0.1

mlflow: setup ## the MLflow UI, http://127.0.0.1:5000
	$(RUN)/mlflow ui --host 127.0.0.1 --backend-store-uri sqlite:///.lockstep/mlflow.db

JARS := $(VENV)/share/lockstep/spark-jars
POM := lockstep/lake/spark/jars
spark-jars: setup $(JARS)/.verified ## what Spark needs to read s3:// and Kafka (once, with Maven)
$(JARS)/.verified: $(POM)/pom.xml $(POM)/SHA256SUMS
	@rm -rf $(JARS)
	@mvn --quiet --batch-mode --file $(POM)/pom.xml \
		dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(JARS)
	@cd $(JARS) && sha256sum --check --quiet --strict $(CURDIR)/$(POM)/SHA256SUMS
	@touch $@

KAFKA_JARS := $(VENV)/share/lockstep/kafka-jars
KAFKA_POM := lockstep/stream/kafka_jars
kafka-jars: setup $(KAFKA_JARS)/.verified ## a Kafka broker of one's own (once, with Maven)
$(KAFKA_JARS)/.verified: $(KAFKA_POM)/pom.xml $(KAFKA_POM)/SHA256SUMS
	@rm -rf $(KAFKA_JARS)
	@mvn --quiet --batch-mode --file $(KAFKA_POM)/pom.xml \
		dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(KAFKA_JARS)
	@cd $(KAFKA_JARS) && sha256sum --check --quiet --strict $(CURDIR)/$(KAFKA_POM)/SHA256SUMS
	@touch $@

# PROFILES=ui,airflow starts more than the default; docs/compose.md has them all.
PROFILES ?=
export LOCKSTEP_VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
COMPOSE := docker compose --file compose/compose.yaml
images: ## build the images lockstep-api, lockstep-jobs and lockstep-airflow (needs Docker)
	$(COMPOSE) --profile '*' build
up: setup ## the whole platform in containers; PROFILES=ui,airflow for more (needs Docker)
	@compose/make-secrets
	COMPOSE_PROFILES=$(PROFILES) $(COMPOSE) up --build --detach --wait
down: ## stop the containers; VOLUMES=1 deletes their data too
	$(COMPOSE) --profile '*' down $(if $(VOLUMES),--volumes)
smoke: setup ## the demo against what `make up` started
	@compose/smoke

clean: ## forget the data, not the environment
	@test ! -x $(RUN)/lockstep || $(RUN)/lockstep redis stop || true
	rm -rf .lockstep
