"""What the page's calls by name are made of, for `gradio_client`, any HTTP client, and tools of language models.

The calls themselves stand in the folders of the tabs.
"""

from collections.abc import Callable
from typing import Any, TypedDict, get_type_hints

from gradio.context import get_blocks_context
from gradio.events import api
from gradio.utils import get_function_description

from gan_hub.demo.components import LONG_QUEUE, MODEL_QUEUE
from gan_hub.demo.inputs import with_error_toast


class FileMeta(TypedDict):
    """Marks a file for the clients, which download it."""

    _type: str


class File(TypedDict):
    """A file of the answer."""

    path: str
    meta: FileMeta


def as_file(path: str) -> File:
    """A file of Gradio's cache as a part of an answer."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def publish(name: str, call: Callable[..., Any], is_long: bool) -> None:
    """Offer a call by name on the page that is being composed, described by its docstring.

    Args:
        name: of the call.
        call: a typed function with a section on its arguments and one on what it returns.
        is_long: whether it waits in the line of long work.
    """
    handler, line = with_error_toast(call), LONG_QUEUE if is_long else MODEL_QUEUE
    handler.__name__ = name  # of the tool that a language model sees
    event, page = api(handler, api_name=name, **line), get_blocks_context()
    assert page is not None
    inputs, outputs = page.fns[event["id"]].inputs, page.fns[event["id"]].outputs
    _, parameters, returned = get_function_description(call)
    named = [parameter for parameter in get_type_hints(call) if parameter not in ("request", "return")]
    for component, parameter in zip(inputs, named, strict=True):
        # Not the parameter's name alone: Gradio's front end translates each label that is a word of its own, such as "label".
        _describe(component, f"{name}.{parameter}", additional_description=parameters[parameter])
    _describe(outputs[0], ", ".join(get_type_hints(get_type_hints(call)["return"])), description=" ".join(returned))


def _describe(component: Any, label: str, **texts: str) -> None:
    """Give a nameless component of a call a name and a description, where Gradio looks for them."""
    component.label = label
    component._api_info = {**component._api_info, **texts}
