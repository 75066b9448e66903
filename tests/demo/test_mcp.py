"""The page as a server of tools for language models, where Gradio's extra is installed; elsewhere it has no such route."""

import importlib.util

import httpx

from gan_hub.demo import page


def test_the_page_offers_tools_exactly_where_the_extra_is_installed(server):
    answer = httpx.get(f"{server.url}/gradio_api/mcp/schema", timeout=30)
    if not page.has_mcp():
        assert answer.status_code == 404 and not server.page.mcp_server
        return
    assert server.page.mcp_server, server.page.mcp_error
    tools = {tool["name"].rpartition("_")[2]: tool for tool in answer.json()}
    assert {"sample", "interpolate", "arithmetic"} <= set(tools)
    assert "whole numbers and ranges" in str(tools["sample"]["inputSchema"])


def test_a_version_of_the_extra_that_gradio_does_not_know_is_taken_for_none(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())

    def unknown(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(page.importlib, "import_module", unknown)
    assert page.has_mcp() is False
