"""The browser that the page's own tests drive."""

from tests.demo.conftest import browser  # noqa: F401  # a fixture
