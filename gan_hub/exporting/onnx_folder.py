"""A model as a folder of ONNX files with a README, for ONNX Runtime and other programs without torch."""

import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from gan_hub.atomic import atomic_folder, write_bytes, write_text
from gan_hub.exporting.facts import LATENTS, OUTPUT, SEEDS, Facts
from gan_hub.exporting.graphs import DISCRIMINATOR, GENERATOR, LIMIT, annotated, make_graphs
from gan_hub.pipeline import GANPipeline

README_NAME = "README.md"
# File → what it takes and what it gives.
SHAPES = {
    "generator": ("z (N, {z}){condition}", "images (N, {c}, {h}, {w})"),
    "mapping": ("z (N, {z}){condition}", "w (N, {w_size})"),
    "synthesis": ("w (N, {rows}, {w_size})", "images (N, {c}, {h}, {w})"),
    "discriminator": ("images (N, {c}, {h}, {w}){condition}", "{logits}"),
}


@dataclass(frozen=True)
class OnnxExport:
    """What was written, and how far it is from the model.

    Example:
        >>> from gan_hub.exporting import OnnxExport
        >>> print(OnnxExport({"generator.onnx": 2_808_441}, 20, {"generator": 3e-7}, "1.32.0").text())
        generator.onnx: 2,808,441 bytes, opset 20
        images differ from the model's by at most 3e-07 of [-1, 1] in ONNX Runtime 1.32.0 (allowed: 0.0001)
    """

    files: dict[str, int]  # of the ONNX files, bytes
    opset: int  # the version of their operators
    differences: dict[str, float]  # "generator", "discriminator" → how far an image or a logit is from the model's
    runtime: str  # the version of ONNX Runtime that measured it

    def text(self) -> str:
        """The report in lines."""
        lines = [f"{name}: {size:,} bytes, opset {self.opset}" for name, size in self.files.items()]
        unit = {GENERATOR: ("images", "of [-1, 1]"), DISCRIMINATOR: ("logits", "of the larger of 1 and the logit")}
        for network, difference in self.differences.items():
            what, scale = unit[network]
            lines.append(
                f"{what} differ from the model's by at most {difference:.0e} {scale} in ONNX Runtime {self.runtime} "
                f"(allowed: {LIMIT:g})"
            )
        return "\n".join(lines)


def export_onnx(
    pipe: GANPipeline, folder: str | os.PathLike[str], *, name: str | None = None, discriminator: bool = False
) -> OnnxExport:
    """Write a model's generator as ONNX files with its weights inside, and a README; for any number of images.

    A style-based generator becomes mapping.onnx and synthesis.onnx, with w between them to be truncated, moved or mixed; any
    other becomes generator.onnx. Each file says in its metadata_props whose it is, its licence, how latents are made of a
    seed, the range of its images and the names of its classes. It is written only after ONNX Runtime drew the model's images
    with it.

    Args:
        pipe: the model; it is not changed.
        folder: where to write, new or empty.
        name: the model's name, by default that of the folder it was loaded from.
        discriminator: whether to write discriminator.onnx as well.

    Returns:
        The sizes, the version of the operators, and the largest differences from the model.

    Raises:
        ValueError: for a folder that is not empty, where a package of the extra "fast" is missing, for a model without the
            discriminator asked for, and for a network that cannot be exported to 1e-4.
    """
    folder = new_folder(folder)
    facts = Facts.of(pipe, name)
    graphs, export = annotated_graphs(pipe, facts, discriminator)
    with atomic_folder(folder) as fresh:
        for file, graph in graphs.items():
            write_bytes(fresh / file, graph)
        write_text(fresh / README_NAME, readme(facts, export))
    return export


def new_folder(folder: str | os.PathLike[str]) -> Path:
    """The path of a folder to be written; raises ValueError for one that is there and not empty."""
    path = Path(folder).expanduser()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path}: it exists and is not an empty folder; give another one, as nothing is replaced.")
    return path


def annotated_graphs(pipe: GANPipeline, facts: Facts, discriminator: bool) -> tuple[dict[str, bytes], OnnxExport]:
    """The files' contents by their names, and the report of them.

    Args:
        pipe: the model.
        facts: what stands in each file's metadata.
        discriminator: whether its discriminator is wanted, too.

    Returns:
        The contents, and the report.
    """
    graphs, differences = make_graphs(pipe, discriminator)
    files, opset = {}, 0
    for part, graph in graphs.items():
        network = DISCRIMINATOR if part == DISCRIMINATOR else GENERATOR
        metadata = facts.metadata() | {"part": part, "largest_difference": f"{differences[network]:.1e}"}
        files[f"{part}.onnx"], opset = annotated(graph, metadata)
    sizes = {file: len(content) for file, content in files.items()}
    return files, OnnxExport(sizes, opset, differences, version("onnxruntime"))


def readme(facts: Facts, export: OnnxExport) -> str:
    """The README of a folder of ONNX files, Markdown."""
    rows = [f"| {file} | {size:,} | {' | '.join(_shapes(facts, file))} |" for file, size in export.files.items()]
    return "\n".join(
        [
            f"---\nlicense: {facts.license}\n---\n\n# {facts.name} as ONNX\n",
            f"Licence of the weights: {facts.license}. Made by {facts.metadata()['made_by']} of a {facts.generator}.\n",
            "| file | bytes | takes | gives |\n|---|---|---|---|",
            *rows,
            f"\nOpset {export.opset}. {_sentences(export)}\n",
            f"```python\n{_example(facts)}\n```\n",
            f"- Latents z are float32, {LATENTS[facts.seeds_like]}.",
            f"- Truncation: {facts.truncation}. `w_avg` and all else that a program needs stands in each file's metadata.",
            f"- Output: {OUTPUT}.",
            *_names(facts),
            *([] if facts.not_for is None else [f"\n## What it must not be used for\n\n{facts.not_for.strip()}"]),
            "",
        ]
    )


def _sentences(export: OnnxExport) -> str:
    """What was measured, as sentences."""
    return ". ".join(line[0].upper() + line[1:] for line in export.text().splitlines() if "differ" in line) + "."


def _shapes(facts: Facts, file: str) -> tuple[str, ...]:
    condition = ""
    if facts.semantic_names is not None:
        condition = f", maps (N, {facts.height}, {facts.width}) of int64"
    elif facts.label_names is not None:
        condition = ", labels (N,) of int64"
    sizes = {"z": facts.latent_size, "c": facts.channels, "h": facts.height, "w": facts.width, "rows": facts.rows}
    sizes |= {"condition": condition, "w_size": len(facts.w_avg or ())}
    sizes["logits"] = "logits (N,)" if facts.semantic_names is None else "logits (N, P) of P patches"
    return tuple(text.format(**sizes) for text in SHAPES[file.removesuffix(".onnx")])


def _names(facts: Facts) -> list[str]:
    """The classes in a line of a list, in their order from 0."""
    named = {"Labels": facts.label_names, "Classes of a map's pixels": facts.semantic_names}
    return [f"- {title}, from 0: {', '.join(names)}." for title, names in named.items() if names]


def _example(facts: Facts) -> str:
    """Python that draws the image of a seed."""
    makes_seeds = SEEDS[facts.seeds_like].format(size=facts.latent_size)
    lines = ["import numpy", "import onnxruntime"]
    lines += ["from PIL import Image", "", "seed, psi = 7, 1.0"]
    if "torch" in makes_seeds:
        lines.insert(2, "import torch  # for its random numbers alone")
    lines += [f"z = {makes_seeds}"]
    condition = ""
    if facts.semantic_names is not None:
        lines.append(f"maps = numpy.zeros((1, {facts.height}, {facts.width}), numpy.int64)  # a class for each pixel")
        condition = ', "maps": maps'
    elif facts.label_names is not None:
        lines.append("labels = numpy.array([0])")
        condition = ', "labels": labels'
    if facts.w_avg is None:
        lines.append('session = onnxruntime.InferenceSession("generator.onnx")')
        lines.append(f'(images,) = session.run(None, {{"z": psi * z{condition}}})')
    else:
        lines.insert(0, "import json\n")
        lines.append('mapping = onnxruntime.InferenceSession("mapping.onnx")')
        lines.append('synthesis = onnxruntime.InferenceSession("synthesis.onnx")')
        lines.append('w_avg = numpy.float32(json.loads(mapping.get_modelmeta().custom_metadata_map["w_avg"]))')
        lines.append(f'(w,) = mapping.run(None, {{"z": z{condition}}})')
        lines.append(f"w = numpy.repeat((w_avg + psi * (w - w_avg))[:, None], {facts.rows}, axis=1)")
        lines.append('(images,) = synthesis.run(None, {"w": w.astype(numpy.float32)})')
    lines.append("pixels = ((images[0].clip(-1, 1) + 1) * 127.5).round().astype(numpy.uint8)")
    lines.append('Image.fromarray(pixels.transpose(1, 2, 0).squeeze()).save("sample.png")')
    return "\n".join(lines)
