# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

.DEFAULT_GOAL := help
.PHONY: help demo demo-down check docs test test-all contract bench-models bench-users bench-settings bench-backups bench-upgrade tools lock clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

demo: tools ## Two bare hosts, from nothing to a chat on each
	@tests/demo/run

demo-down: tools ## Remove the demo
	@.venv/bin/python -m tests.testbed down demo

check: tools ## Lint and unit tests
	@.venv/bin/python .ci/sessions.py check

docs: tools ## Write docs/reference from the documentation of modules and roles
	@PATH="$$PWD/.venv/bin:$$PATH" .venv/bin/python .ci/reference.py

test: tools ## Everything; what .ci/run calls
	@.venv/bin/python .ci/sessions.py test

test-all: tools ## Also what takes long, and the unit and sanity tests on every supported ansible-core
	@.venv/bin/python .ci/sessions.py test-all

contract: tools ## The contract of an Ollama server; OLLAMA_BIN= or OLLAMA_URL= names a real one
	@.venv/bin/python .ci/sessions.py contract

bench-models: tools ## What ollama_model costs; OLLAMA_BIN= or OLLAMA_URL= adds a real server, WRITE=1 fills docs/performance.md
	@.venv/bin/python tests/bench/models.py $(if $(WRITE),--write)

bench-users: tools ## What openwebui_user costs on a real Open WebUI; WRITE=1 fills docs/performance.md
	@.venv/bin/python tests/bench/users.py $(if $(WRITE),--write)

bench-settings: tools ## What it costs to find a configuration right, on a real Open WebUI; WRITE=1 fills docs/performance.md
	@.venv/bin/python tests/bench/settings.py $(if $(WRITE),--write)

bench-backups: tools ## What a backup of 1 GB costs, and an unchanged one; WRITE=1 fills docs/performance.md
	@.venv/bin/python tests/bench/backups.py $(if $(WRITE),--write)

bench-upgrade: tools ## How long an upgrade of Open WebUI stops it; WRITE=1 fills docs/performance.md
	@.venv/bin/python tests/bench/upgrade.py $(if $(WRITE),--write)

tools: # The locked tools in .venv
	@.ci/venv

lock: tools # New versions of the tools
	@.venv/bin/python -m pip install --quiet uv
	@.venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-annotate \
		requirements/tools.in --output-file requirements/tools.txt

clean: ## Remove what these commands made here, fleets included; images stay
	@test ! -d .testbed || { .ci/venv && .venv/bin/python -m tests.testbed down --all; }
	@rm -rf .ansible .cache .mypy_cache .nox .ruff_cache .testbed .venv tests/output
