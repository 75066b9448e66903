"""Pages of the reference that are read off the code: public names, options of a run, commands, files of a model."""

import argparse
import ast
import dataclasses
import importlib
import inspect
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Module → what stands in it. What is imported from any other module is no promise.
MODULES = {
    "gan_hub": "The names that most programs need; each is imported when it is first used.",
    "gan_hub.pipeline": "Drawing and judging with one model.",
    "gan_hub.models": "Architectures, and how your own join them.",
    "gan_hub.latents": "Seeds, interpolation, arithmetic, truncation, mixing.",
    "gan_hub.sampling": "Images of many seeds into files.",
    "gan_hub.engines": "Ways to draw the same images faster.",
    "gan_hub.data": "Images from files as arrays.",
    "gan_hub.data.avatars": "Cartoon faces with exactly known attributes.",
    "gan_hub.training": "A run and its callbacks.",
    "gan_hub.training.monitors": "Alarms for any training loop.",
    "gan_hub.training.command": "What `train.py` and `gan-hub train` call.",
    "gan_hub.training.export_checkpoint": "A model of a run at any time.",
    "gan_hub.losses": "Losses and gradient penalties, a function each.",
    "gan_hub.augment": "Augmentation and noise of what a discriminator sees.",
    "gan_hub.ema": "The averaged generator.",
    "gan_hub.metrics": "Scores with provenance.",
    "gan_hub.metrics.card_scores": "Scores into a model's card.",
    "gan_hub.concepts_discovery.edit": "Finding, naming and keeping directions of the latents.",
    "gan_hub.concepts_discovery.discover": "Directions of an attribute, measured.",
    "gan_hub.inversion": "The latent whose image comes nearest to a picture.",
    "gan_hub.foreign.convert": "Another program's checkpoint as a model.",
    "gan_hub.toy": "The game in two dimensions, over in seconds.",
    "gan_hub.exporting": "A model as ONNX files, or as a page that draws without a server.",
    "gan_hub.style_transfer": "One picture in the style of another.",
    "gan_hub.hub.upload": "A model's folder to the Hub.",
    "gan_hub.verify": "Every file of a model checked.",
    "gan_hub.theory": "Optimal discriminators and divergences in closed form.",
    "gan_hub.video": "Films of pictures.",
    "gan_hub.images": "Tensors and pictures.",
    "gan_hub.seeds": "Seeds as people write them.",
}
# Of modules without `__all__`: what else is promised than classes and functions, and what is not, as it serves the package.
TABLES = {"gan_hub.losses": ["ADVERSARIAL", "MATCHING", "PENALTIES"]}
INNER = {
    "gan_hub.latents": {"check_seeds", "format_seeds", "as_int", "as_float", "check_psi", "check_seeds_like"},
    "gan_hub.images": {
        "TooManyPixelsError",
        "normalize_pil",
        "upright",
        "has_opacity",
        "over_white",
        "fit_map",
        "as_json",
    },
    "gan_hub.training.monitors": {"Alarm"},
}
EXAMPLES = Path(__file__).with_name("examples")
SAME_EXAMPLE = {
    "gan_hub.training.command": "gan_hub.training",
    "gan_hub.training.export_checkpoint": "gan_hub.training",
}
TABLE = "<!-- models: {} -->"  # stands in an architecture's page where its arguments, recipes and models belong


def public_names(module: str) -> list[str]:
    """The names a module promises: its `__all__`, or the classes and functions that it defines without an underscore."""
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", None)
    if names is None:
        tree = ast.parse(Path(loaded.__file__).read_text(encoding="utf-8"))
        definitions = (ast.ClassDef, ast.FunctionDef)
        names = [node.name for node in tree.body if isinstance(node, definitions)] + TABLES.get(module, [])
    return [name for name in names if not name.startswith("_") and name not in INNER.get(module, ())]


def home_of(module: str, name: str) -> str:
    """The dotted path under which a name is defined; that of the module itself for what is no class or function."""
    thing = getattr(importlib.import_module(module), name)
    is_defined = inspect.isclass(thing) or inspect.isfunction(thing)
    return f"{thing.__module__}.{thing.__qualname__}" if is_defined else f"{module}.{name}"


def page_of(module: str) -> str:
    """The place of a module's page."""
    return f"reference/api/{module.removeprefix('gan_hub.').replace('.', '-')}.md"


def first_sentence(text: str | None) -> str:
    """The first sentence of a docstring."""
    return re.split(r"(?<=[.:;])\s|\n\n", (text or "").strip())[0].rstrip(":;").replace("\n", " ").replace("|", "\\|")


def inherited(thing: object) -> list[str]:
    """The methods that a class has from other files of this package; not those of torch and diffusers."""
    if not inspect.isclass(thing) or thing.__name__ != "GANPipeline":  # a network's are on the page of GANModel
        return []
    own = [base for base in thing.__mro__[1:] if base.__module__.startswith("gan_hub")]
    return sorted({name for base in own for name in vars(base) if not name.startswith("_")} - vars(thing).keys())


def section(module: str, name: str) -> str:
    """The section of one name, for mkdocstrings to fill in. Its anchor is where the name is imported from."""
    path, more = home_of(module, name), inherited(getattr(importlib.import_module(module), name))
    anchor = "" if path == f"{module}.{name}" else f"<span id='{module}.{name}'></span>\n\n"
    options = f"    options:\n      inherited_members: [{', '.join(more)}]\n" if more else ""
    return f"{anchor}::: {path}\n{options}"


def room_of(name: str) -> str:
    """The module besides gan_hub that promises one of gan_hub's names; "" where none does."""
    thing = getattr(importlib.import_module("gan_hub"), name)
    for module in MODULES:
        if module != "gan_hub" and name in public_names(module):
            if getattr(importlib.import_module(module), name) is thing:
                return module
    return ""


def overview() -> str:
    """The page of `gan_hub`: each name with one line, led to the page of its room; in full what no other room promises."""
    rows, sections = [], []
    for name in public_names("gan_hub"):
        thing = getattr(importlib.import_module("gan_hub"), name)
        about = (
            "name in a recipe → the pair of classes"
            if name == "ARCHITECTURES"
            else first_sentence(inspect.getdoc(thing))
        )
        if room := room_of(name):
            place, link = f"<span id='gan_hub.{name}'></span>", f"{Path(page_of(room)).name}#{room}.{name}"
        else:
            place, link = "", f"#gan_hub.{name}"
            sections.append(section("gan_hub", name))
        rows.append(f"| {place}[`{name}`]({link}) | {about} |")
    head = f"# `gan_hub`\n\n{MODULES['gan_hub']}\n"
    return "\n".join([head, "| name | |", "|---|---|", *rows, "", *sections])


def example_of(module: str) -> str:
    """A program that uses a module's names; "" where each has an example in its docstring. A test runs it."""
    path = EXAMPLES / f"{Path(page_of(SAME_EXAMPLE.get(module, module))).stem}.py"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def module_page(module: str) -> str:
    """The page of one module."""
    example = example_of(module)
    head = f"# `{module}`\n\n{MODULES[module]}\n" + (f"\n```python\n{example}```\n" if example else "")
    return "\n".join([head, *(section(module, name) for name in public_names(module))])


def shown(value: object) -> str:
    """A value as it is written in a recipe."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value == "":
        return "empty"
    return f"`{value}`"


def in_a_cell(text: str) -> str:
    """A text that stands in a table, in which < and | have no other meaning."""
    return text.replace("<", "&lt;").replace("|", "\\|")


def allowed(spec) -> str:
    """What values an option takes."""
    from gan_hub.training.options import type_name

    if spec.metadata["choices"]:
        return ", ".join(f"`{choice}`" for choice in spec.metadata["choices"])
    low, high = spec.metadata["low"], spec.metadata["high"]
    if low is None:
        limits = "" if high is None else f", to {high:,}"
    else:
        limits = f", from {low:,}" if high is None else f", {low:,} to {high:,}"
    return type_name(spec.type) + limits


def options_page() -> str:
    """Every option of a run: section by section, default, values, and whether a resumed run may change it."""
    from gan_hub.training.options import default_of
    from gan_hub.training.sections import SECTIONS

    parts = [
        "# Options of a run\n\nEach is a line of a recipe, a flag of `gan-hub train` and `train.py`, and an argument of "
        "[`TrainConfig`](api/training.md#gan_hub.training.TrainConfig). [Training](../training.md) has the formula behind each "
        "switch, and which ones go together.\n\n**Resume** says what `--resume` allows: *free* changes no weight; *from then on* "
        "changes the weights from the next step; of what is empty another value is a new run.\n"
    ]
    for section in SECTIONS.values():
        heading, about = section.__doc__.rstrip(".").split(": ", 1)
        rows = [
            f"| `{spec.name}` | {shown(default_of(spec))} | {allowed(spec)} | {in_a_cell(spec.metadata['help'])} | "
            f"{'free' if spec.metadata['free'] else 'from then on' if spec.metadata['may_change'] else ''} |"
            for spec in dataclasses.fields(section)
        ]
        parts += [f"## {heading}\n\n{about[0].upper()}{about[1:]}.\n", "| option | default | values | | resume |"]
        parts += ["|---|---|---|---|---|", *rows, ""]
    return "\n".join(parts)


def command_page() -> str:
    """What each command says to --help."""
    from gan_hub.cli.program import parser

    root = parser()
    parts = ["# The command line\n\nWhat `--help` says. [Commands](../commands.md) has them in one table.\n"]
    (commands,) = (action for action in root._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        if name == "train":
            text = (
                "Every option of a run is a flag: see [Options of a run](options.md), and [Training](../training.md).\n"
            )
        else:
            text = f"```text\n{command.format_help().rstrip()}\n```\n"
        parts.append(f"## `gan-hub {name}`\n\n{text}")
    return "\n".join(parts)


ABOUT_FILES = """
```text
config.json                      resolution, latent size, label names
model_index.json                 which classes the two networks are of
generator/, discriminator/       config.json, diffusion_pytorch_model.safetensors (averaged weights), …fp16.safetensors
judge.json                       scale and bias that make a logit a probability; held-out AUC and calibration error
manifest.json                    sha256 and size of every file that decides an image, a verdict or a round of the game
reference.safetensors            four seeds with their pixels: pipe.verify_reference() draws them again
README.md                        the card; beside it samples.png, scores.json, log.jsonl, plot.png, recipe.yaml
timelapse.webp, .json            the same latents drawn again and again while it learned, and the images seen at each frame
split.json                       which images were trained on and which held out: counts and sha256
real_samples.png, .json          held-out real images for the game, where their licence allows
segmentations.safetensors        of a model that draws from maps: some held-out ones to begin with
concepts.safetensors             named directions with exemplars and measured effects, where somebody looked for them
```

A push replaces what it brings; variants of the very same weights stay and load on, other people's files stay, and weights of
another model go.
"""


def folder_page() -> str:
    """The files of a model's folder."""
    from gan_hub.model_folder.files import FILES, PICKLE_SUFFIXES, Unlisted

    rows = [
        f"| `{file.name}` | {file.max_bytes / 1e6:,.0f} MB | "
        f"{'' if file.unlisted is Unlisted.NORMAL else 'yes'} | "
        f"{'every download' if file.fetched else 'with its network' if '/' in file.name else ''} | {file.on_hub.value} | "
        f"{f'`{file.read_by}`' if file.read_by else ''} |"
        for file in FILES
    ]
    return "\n".join(
        [
            "# The files of a model\n",
            "![A model's folder: what draws, what judges, what proves, what tells](../diagrams/model-folder.svg)\n",
            ABOUT_FILES,
            "`save_pretrained` and a run's export write such a folder, `from_pretrained` reads it, and the Hub has it so. "
            "[Why safetensors only](../explanation/safetensors.md) says what is never among the files: "
            + ", ".join(f"`{ending}`" for ending in PICKLE_SUFFIXES)
            + ".\n",
            "**Manifest**: the file's size and sha256 stand in `manifest.json`, and a file that differs is refused. "
            "**Fetched**: what a download brings. **On the Hub**: what becomes of an older file that a push does not bring.\n",
            "| file | at most | manifest | fetched | on the Hub | read by |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "Weights in another dtype lie beside the full ones, as `diffusion_pytorch_model.fp16.safetensors`, and are "
            'asked for by `variant="fp16"`.\n',
        ]
    )


def arguments_of(cls: type) -> list[str]:
    """A table of the arguments of a network, which are the keys of its config.json."""
    from gan_hub.models.config_schema import rules

    init = cls.__init__.__wrapped__
    signature = inspect.signature(init)
    rows = [
        f"| `{name}` | {shown(signature.parameters[name].default)} | {rule} |" for name, rule in rules(init).items()
    ]
    return ["| key | default | allowed |", "|---|---|---|", *rows, ""]


def about_architecture(name: str) -> str:
    """Arguments, recipes and bundled models of an architecture."""
    from gan_hub import ARCHITECTURES, list_models
    from gan_hub.hub.resolve import bundled_models
    from gan_hub.model_folder.strict import read_json
    from gan_hub.training.recipes import read_recipe

    pair = ARCHITECTURES[name]
    parts = []
    for title, cls in zip(("generator", "discriminator"), pair):
        if cls is not None:
            link = f"[`{cls.__name__}`](../reference/api/models.md#gan_hub.models.{cls.__name__})"
            parts += [f"## Arguments of its {title}\n", f"{link}; `{title}:` in a recipe.\n", *arguments_of(cls)]
    recipes = [
        path for path in sorted((ROOT / "recipes").glob("*.yaml")) if read_recipe(path).get("architecture") == name
    ]
    folders = bundled_models()
    models = [
        model.name for model in list_models()
        if read_json(folders[model.name] / "generator" / "config.json")["_class_name"] == pair.generator.__name__
    ]  # fmt: skip
    links = ", ".join(f"[{path.stem}](../../recipes/{path.name})" for path in recipes)
    cards = ", ".join(f"[{model}](../../model_cards/{model}/README.md)" for model in models)
    return "\n".join(
        [f"**Recipes:** {links or 'none yet'}.\n", f"**Bundled models:** {cards or 'none yet'}.\n", *parts]
    )


def filled(text: str) -> str:
    """A page with what stands in place of its marks."""
    return re.sub(TABLE.format(r"(\w+)"), lambda mark: about_architecture(mark[1]), text)


def pages() -> dict[str, str]:
    """Place → text of every page that is read off the code."""
    return {
        **{page_of(module): module_page(module) for module in MODULES if module != "gan_hub"},
        page_of("gan_hub"): overview(),
        "reference/options.md": options_page(),
        "reference/command-line.md": command_page(),
        "reference/model-folder.md": folder_page(),
    }
