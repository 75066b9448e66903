# style: rewrite; quality: check, change nothing; test: every claim once, the browser included where Chromium is found;
# test-slow: the same in bulk, and the types; test-all: both; site: docs/ as a site in build/site (needs the extra `docs`)
# nightly: all of this, the cases of NIGHTLY in tests/conftest.py, every lesson as a notebook, and the studies of one command: hours.
# What they write is shown by git diff
.PHONY: style quality test test-slow test-all site lessons studies nightly

style:
	ruff check --fix .
	ruff format .

quality:
	ruff check .
	ruff format --check .

test:
	python -m pytest -n auto --dist worksteal

test-slow:
	python -m pytest -n auto --dist worksteal -m slow

test-all: test test-slow

site:
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict --quiet
	python docs/website/check.py build/site

lessons:
	python docs/lessons/build.py --check

studies:
	python benchmarks/ring_of_8.py
	python benchmarks/rescore_zoo.py
	python -m benchmarks.created_equal

nightly: export NIGHTLY = 1
nightly: quality test-all site lessons studies
