"""The shelf: pictures that a visitor keeps. They stay in the browser, and the server never sees them (front/shelf.js)."""

import gradio as gr


def shelf() -> gr.HTML:
    """The strip of kept pictures, for the bottom of the page."""
    return gr.HTML(
        None,
        html_template='<section class="shelf" tabindex="-1"></section>',
        js_on_load="ganHub.shelf(element);",
        elem_id="shelf",
    )
