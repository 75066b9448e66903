# style: rewrite; quality: check, change nothing; test: everything, the browser included where Chromium is found
.PHONY: style quality test

style:
	ruff check --fix .
	ruff format .

quality:
	ruff check .
	ruff format --check .

test:
	python -m pytest -n auto --dist worksteal
