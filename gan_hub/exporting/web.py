"""A model as a folder for any web server: a page that draws from seeds in the browser alone, with the model as ONNX beside it."""

import html
import json
import os
from base64 import b64encode
from dataclasses import asdict
from pathlib import Path

from gan_hub.atomic import atomic_folder, write_bytes, write_text
from gan_hub.exporting.facts import Facts
from gan_hub.exporting.onnx_folder import README_NAME, OnnxExport, annotated_graphs, new_folder, readme
from gan_hub.exporting.runtime import TITLE, read_runtime, runtime_files
from gan_hub.pipeline import GANPipeline

FRONT = Path(__file__).with_name("front")
PAGE_NAME, SCRIPT_NAME, RUNTIME_FOLDER = "index.html", "page.js", "onnxruntime"


def export_web(
    pipe: GANPipeline,
    folder: str | os.PathLike[str],
    *,
    name: str | None = None,
    runtime: str | os.PathLike[str] | None = None,
) -> OnnxExport:
    """Write a page that draws a model's pictures in the browser alone: a folder for any web server, or to be opened as a file.

    It asks no other host for anything. A seed is the picture that the pipeline draws of it, to one of 256 levels.

    Args:
        pipe: the model; it is not changed. One that draws from maps offers its example maps.
        folder: where to write, new or empty.
        name: the page's title, by default the name of the folder that the model was loaded from.
        runtime: ONNX Runtime Web, as `gan_hub.exporting.runtime.read_runtime` finds it: "download", a path, or None for what is
            kept from an earlier download.

    Returns:
        As of `export_onnx`.

    Raises:
        ValueError: as of `export_onnx`, where the runtime is not there, and for a model without the example maps it needs.
    """
    folder = new_folder(folder)
    facts = Facts.of(pipe, name)
    if facts.semantic_names is not None and pipe.segmentations is None:
        raise ValueError(
            "this model draws from maps and has no examples of them, which a page would offer; nothing was written."
        )
    script = runtime_files(read_runtime(runtime))
    graphs, export = annotated_graphs(pipe, facts, discriminator=False)
    with atomic_folder(folder) as fresh:
        (fresh / RUNTIME_FOLDER).mkdir()
        for file, content in script.items():
            write_bytes(fresh / RUNTIME_FOLDER / file, content)
        for file, graph in graphs.items():
            write_bytes(fresh / file, graph)
            write_text(fresh / f"{file}.js", _as_script(file, graph))
        write_text(fresh / SCRIPT_NAME, (FRONT / SCRIPT_NAME).read_text(encoding="utf-8"))
        write_text(fresh / PAGE_NAME, _page(facts, pipe, list(graphs)))
        write_text(fresh / README_NAME, readme(facts, export))
    return export


def _as_script(file: str, graph: bytes) -> str:
    """A graph as a script: a page that is opened as a file may load scripts and nothing else."""
    return f'var FILES = {{ ...globalThis.FILES, "{file}": "{b64encode(graph).decode("ascii")}" }};\n'


def _page(facts: Facts, pipe: GANPipeline, files: list[str]) -> str:
    """The page's HTML with all that its script has to know."""
    about = asdict(facts) | {"files": files, "runtime": TITLE}
    if pipe.segmentations is not None:
        about |= {
            "map_count": len(pipe.segmentations),
            "maps": b64encode(pipe.segmentations.numpy().tobytes()).decode("ascii"),
        }
    # A name may hold what would end the element.
    data = json.dumps(about, ensure_ascii=False).replace("<", "\\u003c")
    text = (FRONT / PAGE_NAME).read_text(encoding="utf-8")
    return text.replace("{{model}}", data, 1).replace("{{title}}", html.escape(facts.name), 1)  # the title stands first
