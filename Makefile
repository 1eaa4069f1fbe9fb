# Every verb is one visible line; CI calls the same targets. `make help` lists them.
SHELL := /bin/bash
UV ?= uv
PYTHON := .venv/bin/python
STAMP := .venv/.installed
PYTEST := $(PYTHON) -m pytest
# A second run of what failed tells a defect from a machine that was too busy for an hour of real services.
AGAIN := --last-failed --last-failed-no-failures none
PACKETS := -m "packets and not pending" tests/packets

.PHONY: help setup check test test-packets test-quick test-lab demo demo-down lab-up lab-down lab-status kill packets fuzz conformance bench bench-packets sample-config lock clean

help: ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## make the project's Python environment

$(STAMP): requirements/dev.lock pyproject.toml osc/pyproject.toml
	@command -v $(UV) >/dev/null || { echo "uv is missing: pip install uv"; exit 1; }
	$(UV) venv --quiet --allow-existing --python 3.11 .venv
	$(UV) pip install --quiet --python .venv -r requirements/dev.lock
	$(UV) pip install --quiet --python .venv --no-deps -e . -e osc
	@touch $(STAMP)

packages: setup ## install the Debian packages that tests and the lab need (or say which)
	$(PYTHON) -m lab install

check: setup ## lint, types, import floors, house rules, known holes in what we depend on
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTHON) tools/house_check.py
	$(PYTHON) tools/audit.py

demo: setup ## start the lab and tricircle, register two pods, walk through with stock clients
	$(PYTHON) -m lab demo

demo-down: setup ## end all that `make demo` started, and nothing else
	$(PYTHON) -m lab down

test: check packages ## run every test (of kills, bad requests and personas a sample), those on the lab too; what failed runs once more
	$(PYTEST) -m "not lab" || $(PYTEST) -m "not lab" $(AGAIN)
	if $(PYTHON) -m lab datapath; then $(MAKE) test-packets; else test $$? = 3; fi
	$(PYTHON) -m lab up --pods 2 --rabbit --datapath imitated --fresh
	$(PYTEST) -m "lab and not pending and not packets" || $(PYTEST) -m "lab and not pending and not packets" $(AGAIN)
	$(PYTHON) -m lab up --rabbit pod2
	$(PYTEST) -m "lab and not pending" tests/lab tests/e2e || $(PYTEST) -m "lab and not pending" tests/lab tests/e2e $(AGAIN)
	$(MAKE) powered

test-packets: setup ## ping between servers of several pods, with real switches (as root; a part of make test where that may be)
	$(PYTHON) -m lab up --fresh --pods 2 --rabbit --older --hosts 1 --datapath ovn
	$(PYTEST) $(PACKETS) || $(PYTEST) $(PACKETS) $(AGAIN)

test-quick: check ## run the tests that need no lab
	$(PYTEST) -m "not lab" -x -q

lab-up: setup ## start (or complete) the lab
	$(PYTHON) -m lab up

lab-down: setup ## stop the lab, keep its data
	$(PYTHON) -m lab down

lab-status: setup ## what of the lab is up
	$(PYTHON) -m lab status

powered: setup ## the OpenStack Powered tests, directly on a pod and through three; begins with a fresh lab
	$(PYTHON) -m lab up --fresh --pods 3 --no-pod-glance --rabbit --older --hosts 1 --datapath imitated
	$(PYTHON) -m conformance --powered --again --target pod --target three --put-back
	$(PYTHON) -m lab up --pods 2 --pod-glance

conformance: setup ## run Tempest directly on a pod and through tricircle; goes on where it was cut off
	$(PYTHON) -m lab up --pods 3 --no-pod-glance --hosts 2
	$(PYTHON) -m conformance

kill: setup ## end processes of ours at every single call that they make (an hour and a half)
	$(PYTHON) -m lab up --pods 2
	TRICIRCLE_KILL=all $(PYTEST) -s -m kill tests/kill

packets: setup packages ## the same, and write down every ping in docs/packets.json; the lab stays up, as after make demo
	$(PYTHON) -m lab up --fresh --pods 2 --rabbit --older --hosts 1 --datapath ovn
	TRICIRCLE_PACKETS=write $(PYTEST) $(PACKETS)

fuzz: setup ## send about 5,000 bad requests to every door
	$(PYTHON) -m lab up --pods 2
	TRICIRCLE_FUZZ=all $(PYTEST) -s -m fuzz tests/fuzz

bench: setup ## run the benchmarks; each prints ratios measured in one run; those on the lab begin with a fresh one
	$(PYTHON) -m benchmarks.forward
	$(PYTHON) -m benchmarks.sick_pod
	$(PYTHON) -m benchmarks.sweep
	$(PYTHON) -m benchmarks.many_boots
	$(PYTHON) -m lab up --fresh --pods 2 --rabbit --older --hosts 1 --datapath imitated
	$(PYTHON) -m benchmarks.security_groups
	if $(PYTHON) -m lab datapath; then $(MAKE) bench-packets; else test $$? = 3; fi

bench-packets: setup ## time real packets, and count calls to pods (as root; a part of make bench where that may be)
	$(PYTHON) -m lab up --fresh --pods 2 --rabbit --older --hosts 1 --datapath ovn
	$(PYTHON) -m benchmarks.networking

sample-config: setup ## regenerate etc/tricircle.conf.sample
	$(PYTHON) tools/sample_config.py

lock: ## resolve the locked versions anew
	$(UV) pip compile --quiet --python-version 3.11 pyproject.toml --extra gateway --group dev -o requirements/dev.lock
	$(UV) pip compile --quiet --python-version 3.11 pyproject.toml --extra gateway -c requirements/dev.lock -o requirements/runtime.lock

clean: ## remove what tools leave behind (keeps .lab)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
