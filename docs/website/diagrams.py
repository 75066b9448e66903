"""Writes the figures of docs/diagrams: `python docs/website/diagrams.py`.

The house is drawn from the table in tests/test_layout.py, an architecture from its lanes in architectures.yaml.
They are no Mermaid, whose program of three megabytes the theme would fetch from another server for each reader.
"""

import ast
import math
from pathlib import Path

import yaml
from drawing import Drawing

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "diagrams"
LANES = Path(__file__).with_name("architectures.yaml")
OUTER = {"demo", "cli", "app.py", "train.py"}  # what people start


def house() -> Drawing:
    """The rooms of the package, level by level; each imports only from below."""
    tree = ast.parse((ROOT / "tests" / "test_layout.py").read_text(encoding="utf-8"))
    (table,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "LEVELS"
    )
    levels: dict[int, list[str]] = {}
    for room, level in ast.literal_eval(table).items():
        if not room.startswith("_"):
            levels.setdefault(level, []).append(room)
    drawing = Drawing(820, 44 * len(levels) + 50, "The rooms of gan_hub, level by level; each imports only from below")
    for row, level in enumerate(sorted(levels, reverse=True)):
        y = 8 + 44 * row
        drawing.text(16, y + 17, str(level), 12, "note")
        x = 36.0
        for room in levels[level]:
            width = 6.6 * len(room) + 14
            kind = (
                "c"
                if room in OUTER
                else "a"
                if room in ("models", "pipeline")
                else "b"
                if room == "training"
                else "box"
            )
            drawing.box(x, y, width, 34, room, kind, 11)
            x += width + 5
    drawing.text(36, 44 * len(levels) + 26, "A room imports only from the levels below it.", 12, "note", "start")
    return drawing


def training_step() -> Drawing:
    """One step of a run: k updates of the discriminator, one of the generator, the average."""
    drawing = Drawing(
        860, 330, "A training step: k updates of the discriminator, one of the generator, then the average"
    )
    drawing.text(12, 18, "k times: the discriminator", 13, anchor="start")
    drawing.box(12, 36, 92, 40, "z of\n(seed, step)")
    drawing.box(140, 36, 64, 40, "G", "a", 15)
    drawing.box(240, 36, 84, 40, "fakes,\ndetached")
    drawing.box(240, 96, 84, 40, "reals of\n(seed, step)")
    drawing.box(362, 66, 78, 40, "augment,\nnoise")
    drawing.box(476, 66, 64, 40, "D", "b", 15)
    drawing.box(578, 40, 120, 40, "loss, in the\nrun's precision")
    drawing.box(578, 96, 120, 40, "every n-th step:\nR1 …, in fp32")
    drawing.box(736, 66, 112, 40, "Adam of D,\nits own scaler", "b")
    for x0, x, y in ((104, 140, 56), (204, 240, 56)):
        drawing.arrow((x0, y), (x, y))
    drawing.arrow((324, 56), (343, 56), (343, 80), (362, 80))
    drawing.arrow((324, 116), (343, 116), (343, 92), (362, 92))
    drawing.arrow((440, 86), (476, 86))
    drawing.arrow((540, 80), (559, 80), (559, 60), (578, 60))
    drawing.arrow((540, 92), (559, 92), (559, 116), (578, 116))
    drawing.arrow((698, 60), (717, 60), (717, 80), (736, 80))
    drawing.arrow((698, 116), (717, 116), (717, 92), (736, 92))
    drawing.text(12, 178, "Once: the generator", 13, anchor="start")
    drawing.box(12, 198, 92, 40, "new z of\n(seed, step)")
    drawing.box(140, 198, 64, 40, "G", "a", 15)
    drawing.box(240, 198, 84, 40, "fakes, with\na gradient")
    drawing.box(362, 198, 78, 40, "augment,\nnoise")
    drawing.box(476, 198, 64, 40, "D, frozen", "b")
    drawing.box(578, 198, 120, 40, "loss, in the\nrun's precision")
    drawing.box(736, 198, 112, 40, "Adam of G,\nits own scaler", "a")
    for x0, x in ((104, 140), (204, 240), (324, 362), (440, 476), (540, 578), (698, 736)):
        drawing.arrow((x0, 218), (x, 218))
    drawing.box(736, 272, 112, 40, "average of G\n(EMA)", "c")
    drawing.arrow((792, 238), (792, 272))
    drawing.text(
        716, 292, "what is published: the averaged generator, with the discriminator of that moment", 12, "note", "end"
    )
    return drawing


FOLDER_PARTS = (
    ("draws", "a", ("model_index.json", "config.json", "generator/config.json", "generator/…safetensors")),
    ("judges", "b", ("discriminator/config.json", "discriminator/…safetensors", "judge.json")),
    ("plays", "box", ("concepts.safetensors", "segmentations.safetensors", "real_samples.png, .json")),
    ("proves", "c", ("manifest.json", "reference.safetensors", "split.json", "scores.json")),
    ("tells", "box", ("README.md", "samples.png, plot.png", "recipe.yaml, log.jsonl", "timelapse.webp")),
)


def model_folder() -> Drawing:
    """What lies in a model's folder, by what it is for."""
    drawing = Drawing(
        860, 190, "A model's folder: what draws, what judges, what is played with, what proves, what tells"
    )
    for column, (title, kind, files) in enumerate(FOLDER_PARTS):
        x = 8 + 170 * column
        drawing.text(x + 82, 14, title, 13)
        for row, file in enumerate(files):
            drawing.box(x, 30 + 38 * row, 164, 30, file, kind, 10.5)
    return drawing


def center(place: tuple[float, float, float, float]) -> float:
    """The x of the middle of a block at (left, right, top, bottom)."""
    return (place[0] + place[1]) / 2


def lane(drawing: Drawing, y: float, description: dict, kind: str) -> None:
    """One network as a row of blocks: higher for finer grids, with what comes in from above and goes out below."""
    blocks = description["blocks"]
    middle, x, places = y + 62, 8.0, []
    drawing.text(8, y, description["title"], 13, anchor="start")
    for words, size in blocks:
        width, height = (84, 96 if size >= 64 else 30 + 15 * math.log2(max(size, 4) / 2)) if size else (74, 34)
        color = "box" if not size and len(places) in (0, len(blocks) - 1) else kind
        drawing.box(x, middle - height / 2, width, height, words, color, 10.5)
        if size:
            drawing.text(x + width / 2, middle + 60, f"{size} × {size}", 10, "note")
        if places:
            drawing.arrow((places[-1][1], middle), (x, middle))
        places.append((x, x + width, middle - height / 2, middle + height / 2))
        x += width + 20
    into = description.get("into", ())
    for index in into:
        drawing.arrow((center(places[index]), y + 8), (center(places[index]), places[index][2]))
    if into:
        first, last = center(places[into[0]]), center(places[into[-1]])
        drawing.parts.append(f'<line x1="{first:g}" y1="{y + 8:g}" x2="{last:g}" y2="{y + 8:g}" class="line"/>')
        drawing.text((first + last) / 2, y - 2, description["what"], 11, "note")
    for start, end in description.get("over", ()):
        left, right = center(places[start]), center(places[end])
        around = (left, places[start][3]), (left, middle + 72), (right, middle + 72), (right, places[end][3])
        drawing.arrow(*around, dashed=True)
    if "note" in description:
        drawing.text(8, middle + 86, description["note"], 11, "note", "start")


def architecture(name: str, lanes: list[dict]) -> Drawing:
    """The networks of an architecture, one below the other."""
    widest = max(sum(104 if size else 94 for _, size in each["blocks"]) for each in lanes)
    drawing = Drawing(max(widest, 560) + 8, 172 * len(lanes) + 4, f"The networks of {name}")
    for number, description in enumerate(lanes):
        kind = (
            "c"
            if description["title"].startswith("mapping")
            else "b"
            if "discriminator" in description["title"]
            else "a"
        )
        lane(drawing, 18 + 172 * number, description, kind)
    return drawing


def figures() -> dict[str, str]:
    """The name of each figure's file → the file."""
    lanes = yaml.safe_load(LANES.read_text(encoding="utf-8"))
    drawings = {"house": house(), "training-step": training_step(), "model-folder": model_folder()}
    drawings |= {name: architecture(name, described) for name, described in lanes.items()}
    return {f"{name}.svg": drawing.svg() for name, drawing in drawings.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in figures().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
