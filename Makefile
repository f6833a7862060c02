# Everything a fresh clone needs is set up by these targets themselves, from package registries only:
# Python >= 3.11 and make are enough. With uv at hand, `uv run perennial demo` and `uv run pytest` do the same.
SHELL := /bin/bash
UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen

# Every process that is started would compile all that it imports anew: a third of what the tests cost.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo dev test docs soak faults attack sbom check format lint types imports

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: .venv/.synced ## three subscribers live a virtual year; the books are compared at the end
	@$(RUN) perennial demo

dev: .venv/.synced ## everything on this machine until Ctrl-C: server, Web UI, simulator, receiver, ledger, API, worker
	@$(RUN) perennial dev

test: check ## everything CI runs: format, lint, types, import contracts, tests
	$(RUN) --group docs pytest -n 4 --dist loadfile --no-loadscope-reorder

docs: .venv/.synced ## the documentation as a site, in the folder site; a warning or a dead link is an error
	@$(RUN) --group docs python -m tests.site.build
	@echo "site/index.html is its first page"

long: .venv/.synced ## the tests that `make test` leaves out, as they take long for what they add; takes minutes
	$(RUN) pytest -n 2 -m long

soak: .venv/.synced ## many random stories: of money by the rules alone, and on a real server; takes hours
	$(RUN) pytest -n 2 tests/billing/test_paid_is_served.py --hypothesis-profile soak
	$(RUN) pytest tests/scenarios/test_any_story.py tests/scenarios/test_many_changes.py --hypothesis-profile soak
	$(RUN) pytest tests/api/test_links.py tests/api/test_description.py --hypothesis-profile soak

faults: .venv/.synced ## 300 subscribers live a year while nearly everything fails; then they are audited
	$(RUN) python -m benchmarks.fault_run

attack: .venv/.synced ## floods, silences, drips, bombs and forgeries, against what we send and what we serve; takes minutes
	$(RUN) python -m tests.attack
	$(RUN) python -m benchmarks.attack

sbom: .venv/.synced ## what the image is made of, as CycloneDX (JSON): perennial.cdx.json
	$(UV) export --frozen --no-dev --no-emit-workspace --format cyclonedx1.5 --quiet --output-file perennial.cdx.json
	@echo "perennial.cdx.json"

check: .venv/.synced
	$(RUN) ruff format --check
	$(RUN) ruff check
	$(RUN) mypy
	$(RUN) lint-imports --no-cache

format: .venv/.synced ## format and fix what can be fixed
	$(RUN) ruff format
	$(RUN) ruff check --fix

.venv/.synced: pyproject.toml uv.lock $(UV)
	$(UV) sync --frozen --quiet
	@touch $@

# The newest Python that really runs: 3.12 and later are preferred (see docs/operations.md).
.uv/bin/uv:
	@for candidate in python3.13 python3.12 python3.14 python3 python3.11; do \
		if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			python=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then echo "Perennial needs Python 3.11 or later on the PATH; none was found." >&2; exit 2; fi; \
	echo "Setting up what uv.lock names, from the package registry: once, about a minute."; \
	$$python -m venv .uv && .uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
