"""What Gradio keeps of a visitor, without its copy of the whole page.

Gradio describes each of a page's components anew for each visitor, for links that hold a session ("deep links"). Links of this
page hold its state themselves, and the route is closed; of four hundred components, such a copy takes 19 ms of the processor and
0.8 MB a visitor.
"""

from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
from gradio.state_holder import SessionState


class VisitorState(SessionState):
    """Values and changed components of one visitor."""

    def __init__(self, page: gr.Blocks) -> None:
        super().__init__(cast(gr.Blocks, SimpleNamespace(default_config=page.default_config, blocks=())))

    def __setitem__(self, key: int, value: Any) -> None:
        super().__setitem__(key, value)
        self.config_values.clear()  # a changed component is described for those links, too

    def _update_config(self, key: int) -> None:
        """Describe nothing."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Keep no second copy of a value."""


def begin(page: gr.Blocks, session: str | None) -> None:
    """Before Gradio would: the state of a visitor whose first call comes in."""
    if session and session not in page.state_holder:
        page.state_holder.session_data[session] = VisitorState(page)
