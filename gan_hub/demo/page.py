"""The page as Gradio serves it: behind the gate, with a fair line, however and by whomever it is launched."""

import traceback

import gradio as gr
from starlette.middleware import Middleware

from gan_hub.demo import theme as look
from gan_hub.demo.inputs import BadInputError, refusal
from gan_hub.demo.job_queue import MOST_WAITING, JobQueue
from gan_hub.demo.request_filter import HANDLERS, RequestFilter
from gan_hub.demo.texts import t

MOST_QUOTED = 150  # letters of what Gradio says of a value; it would list all choices
LAUNCH = {
    "theme": look.THEME,
    "css": look.CSS,
    "head": look.HEAD,
    "i18n": t,
    "footer_links": ["api"],
    "max_file_size": "100kb",  # nothing is uploaded here
    "state_session_capacity": 200,  # visitors whose game is kept; each costs some 200 kB
    "enable_monitoring": False,
    "ssr_mode": False,
    "run_history": False,
}


class Page(gr.Blocks):
    """Gradio's Blocks with what a public page needs; `launch` without arguments is how app.py and a Space start it."""

    def queue(self, status_update_rate="auto", api_open: bool = False, max_size: int | None = MOST_WAITING, **options):
        """As in Blocks, but the line is a fair one, and the routes around it are closed."""
        super().queue(status_update_rate, api_open, max_size, **options)
        self._queue = JobQueue.in_place_of(self._queue)
        return self

    def launch(self, *args, app_kwargs: dict | None = None, **options):
        """As in Blocks, with the page's own look, texts and limits where no others are given."""
        app = dict(app_kwargs or {})
        app["middleware"] = [*app.get("middleware", ()), Middleware(RequestFilter, page=self)]
        app["exception_handlers"] = HANDLERS | app.get("exception_handlers", {})
        return super().launch(*args, app_kwargs=app, **{**LAUNCH, **options})

    async def preprocess_data(self, *args, **kwargs):
        """As in Blocks; values that a component cannot take are bad input, and no fault of the page."""
        try:
            return await super().preprocess_data(*args, **kwargs)
        except gr.Error as error:  # it may quote the names of all models, which are anybody's
            raise BadInputError("refused_value", said=str(error.message)[:MOST_QUOTED]) from error
        except Exception as error:
            raise BadInputError("bad_value") from error

    async def process_api(self, *args, request: gr.Request | None = None, **kwargs):
        """As in Blocks, and whatever fails is answered with a sentence, also outside the handlers."""
        try:
            return await super().process_api(*args, request=request, **kwargs)
        except gr.Error:
            raise
        except BadInputError as error:
            raise refusal(request, error.key, **error.values) from error
        except Exception as error:
            traceback.print_exc()
            raise refusal(request, "broken") from error
