# The commands that a person types. Needs make and Python 3.11 or newer; everything else is installed into this folder.
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
MINISTACK := ministack==1.5.33
ENVIRONMENTS := .venv/.made .venv-ministack/.made
OURS := --extend-exclude '.venv-*' .
# Not compiled while installed: most of it is never imported, and what is, is compiled then, once.
PIP := -m pip install --quiet --disable-pip-version-check --no-compile
unexport PYTHONDONTWRITEBYTECODE

# Which Python makes the environments; evaluated only where one is made.
FIND_PYTHON = $(shell for one in $(PYTHON3) python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$one" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$one"; break; }; done)
NO_PYTHON = Python 3.11 or newer is needed, with its venv module (Debian: apt-get install python3 python3-venv)

# A part of a larger run: says its name, and how long it took.
part = @printf '== %s\n' '$(1)'; began=$$(date +%s); $(2) && printf '   %s: %s s\n' '$(1)' "$$(($$(date +%s) - began))"

.PHONY: help venv run demo demo-year test jars packaged simulate mutations lint types bench verify-statement admin catalog clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(ENVIRONMENTS)  ## install what the other commands need

run: $(ENVIRONMENTS)  ## serve on PORT (8000); DATA=folder keeps state; STRIPE_SECRET_KEY=sk_test_... uses Stripe itself
	@exec $(PYTHON) -m local.run

demo: $(ENVIRONMENTS)  ## a scripted customer against the running server, or against one of its own
	@$(PYTHON) -m local.demo

demo-year: $(ENVIRONMENTS)  ## a year of five customers, as a table of dates, charges and states
	@$(PYTHON) -m local.demo_year

test:  ## every check and every test
	@$(MAKE) --no-print-directory -j2 venv jars
	@$(MAKE) --no-print-directory -j2 lint types packaged
	$(call part,pytest,$(PYTHON) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder)

# What the tests would make while they wait for it: here it is made beside something else.
jars: .venv-ministack/.made
	@.venv-ministack/bin/python -m tests.jars

packaged: $(ENVIRONMENTS)
	$(call part,package,$(PYTHON) -m infra.package --stage test >/dev/null)

simulate: $(ENVIRONMENTS)  ## the backend under faults: SEEDS=FROM-TO (a thousand fresh ones), STEPS=200
	@$(PYTHON) -m tests.simulation --seeds '$(SEEDS)' --steps $(or $(STEPS),200)

mutations: $(ENVIRONMENTS)  ## each guard of the backend removed, and how many seeds until the simulation sees it
	@$(PYTHON) -m tests.simulation.mutations

lint: $(ENVIRONMENTS)  ## style, formatting and the rule of imports
	$(call part,ruff check,$(PYTHON) -m ruff check --quiet $(OURS))
	$(call part,ruff format,$(PYTHON) -m ruff format --quiet --check $(OURS))
	$(call part,import-linter,.venv/bin/lint-imports --no-cache)

types: $(ENVIRONMENTS)  ## mypy
	$(call part,mypy,$(PYTHON) -m mypy)

bench: $(ENVIRONMENTS)  ## what requests cost, each figure beside its baseline
	@$(PYTHON) -m bench

verify-statement:  ## check a statement, offline: FILE=statement.json AGAINST=an-older-one.json (or without)
	@$(or $(wildcard $(PYTHON)),python3) infra/verify_statement.py "$(FILE)" $(if $(AGAINST),"$(AGAINST)")

admin: $(ENVIRONMENTS)  ## make an operator, an academy, a key in a stage: ARGS="--stage prod create-operator EMAIL"
	@$(PYTHON) -m infra.admin $(ARGS)

catalog: $(ENVIRONMENTS)  ## apply FILE=catalog.yaml to ACADEMY=id or slug; STAGE= or URL= with TOKEN=; DRY_RUN=1 only prints
	@$(PYTHON) -m infra.catalog apply "$(FILE)" --academy "$(ACADEMY)" \
	  $(if $(URL),--url "$(URL)",$(if $(TABLE),--table "$(TABLE)",--stage "$(STAGE)")) $(if $(DRY_RUN),--dry-run)

clean:  ## remove everything that these commands made here
	rm -rf .venv .venv-ministack .local .cache build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

-include infra/targets.mk

package deploy rollback restart stripe-webhook smoke: .venv/.made

.venv/.made: requirements.txt requirements-dev.txt
	@found="$(FIND_PYTHON)"; test -n "$$found" || { echo '$(NO_PYTHON)' >&2; exit 1; }; \
	echo "Installing into .venv (a minute or two the first time)"; \
	test -x $(PYTHON) || "$$found" -m venv .venv
	@$(PYTHON) $(PIP) -r requirements.txt -r requirements-dev.txt
	@touch $@

# An environment of its own, since it pins another botocore.
.venv-ministack/.made: Makefile
	@found="$(FIND_PYTHON)"; test -n "$$found" || { echo '$(NO_PYTHON)' >&2; exit 1; }; \
	echo "Installing into .venv-ministack"; \
	test -x .venv-ministack/bin/python || "$$found" -m venv .venv-ministack
	@.venv-ministack/bin/python $(PIP) '$(MINISTACK)'
	@touch $@
