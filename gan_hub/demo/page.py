"""The page as Gradio serves it: behind the request filter and with a fair queue, no matter who launches it."""

import importlib.util
import traceback
from typing import Any, Literal

import gradio as gr
from gradio.components.api_component import Api
from gradio.routes import App
from starlette.middleware import Middleware

from gan_hub.demo.components import clamped
from gan_hub.demo.first_page import FirstPage
from gan_hub.demo.front import files, theme
from gan_hub.demo.inputs import BadInputError, error_toast
from gan_hub.demo.job_queue import MAX_QUEUED, JobQueue
from gan_hub.demo.request_filter import EXCEPTION_HANDLERS, RequestFilter
from gan_hub.demo.texts import I18N

MAX_QUOTE = 150  # characters of Gradio's message about a value, which would list all choices
LAUNCH_OPTIONS = {
    "theme": theme.THEME,
    "css": files.css(),
    "head": files.head(),
    "i18n": I18N,
    "footer_links": ["api"],
    "max_file_size": "100kb",  # nothing is uploaded here
    "state_session_capacity": 200,  # visitors; games are kept apart, see tabs/game/rounds.py
    "enable_monitoring": False,
    "ssr_mode": False,
    "run_history": False,
}


def has_mcp() -> bool:
    """Whether Gradio's extra "mcp" is installed, with which language models can make the page's calls."""
    if importlib.util.find_spec("mcp") is None:
        return False
    try:
        for module in ("mcp.server.lowlevel.helper_types", "mcp.server.sse", "mcp.server.streamable_http_manager"):
            importlib.import_module(module)
    except ImportError:  # a version that Gradio does not know, or a part of one
        return False
    return True


class Page(gr.Blocks):
    """Gradio's Blocks with what a public page needs; main() and a Space call `launch` without options of this kind."""

    def queue(
        self,
        status_update_rate: float | Literal["auto"] = "auto",
        api_open: bool = False,
        max_size: int | None = MAX_QUEUED,
        **options: Any,
    ) -> "Page":
        """As in Blocks, except that visitors take turns (JobQueue), and the routes around the queue are closed.

        Args:
            status_update_rate, options: as in Blocks.
            api_open: whether calls may go around the queue.
            max_size: waiting calls.

        Returns:
            The page itself.
        """
        super().queue(status_update_rate, api_open, max_size, **options)
        self._queue = JobQueue.replacing(self._queue)
        return self

    def launch(self, *args: Any, app_kwargs: dict[str, Any] | None = None, **options: Any) -> tuple[App, str, str]:
        """As in Blocks, with the page's own theme, texts and limits as defaults."""
        app = dict(app_kwargs or {})
        app["middleware"] = [*app.get("middleware", ()), Middleware(RequestFilter, page=self), Middleware(FirstPage)]
        app["exception_handlers"] = EXCEPTION_HANDLERS | app.get("exception_handlers", {})
        return super().launch(*args, app_kwargs=app, **{**LAUNCH_OPTIONS, "mcp_server": has_mcp(), **options})

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """As in Blocks, except that a value that a component cannot take is bad input, not a failure.

        A call by name may leave the last of its parameters out: a program that was written before there were as many goes on.
        """
        missing = block_fn.inputs[len(inputs) :]
        if all(isinstance(part, Api) for part in missing):
            inputs = [*inputs, *(part.value for part in missing)]
        if len(inputs) == len(block_fn.inputs):
            pairs = zip(inputs, block_fn.inputs, strict=True)
            inputs = [clamped(value, part) if isinstance(part, gr.Slider) else value for value, part in pairs]
        try:
            return await super().preprocess_data(block_fn, inputs, *args, **kwargs)
        except gr.Error as error:  # it may quote the names of models, which are untrusted and long
            raise BadInputError("refused_value", reason=str(error.message)[:MAX_QUOTE]) from error
        except Exception as error:
            raise BadInputError("bad_value") from error

    async def process_api(self, *args: Any, request: Any = None, **kwargs: Any) -> dict[str, Any]:
        """As in Blocks, except that any failure, also outside the handlers, is answered with a sentence."""
        try:
            return await super().process_api(*args, request=request, **kwargs)
        except gr.Error:
            raise
        except BadInputError as error:
            raise error_toast(request, error.key, **error.values) from error
        except Exception as error:
            traceback.print_exc()
            raise error_toast(request, "broken") from error
