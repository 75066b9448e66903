"""Latent arithmetic on avatars, counted: `python benchmarks/avatar_arithmetic.py MODEL --out FILE.json --picture FILE.png`.

The figure of the lessons is "smiling woman − neutral woman + neutral man = smiling man" (Radford et al. 2016, figure
7). How often does that hold? Here 200 random trials of each change (glasses, beard, smile) are judged by a classifier:

    with the change, like A  −  without it, like A  +  without it, like B  =  with it, and like B

where A and B are two values of a second attribute. The exemplars are the generator's own pictures, chosen by the same
classifier, which was trained on drawn faces alone (some minutes on one CPU core, once: `--classifier` keeps it).

Shapes: N images (N, 3, 64, 64) in [-1, 1]; D the size of a latent, Z in the space "z", W in "w".
"""

import argparse
import json
import math
import platform
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

import gan_hub
from gan_hub import GANPipeline
from gan_hub.data import avatars, load_images
from gan_hub.data.avatars import SIDE, VALUES, Attributes
from gan_hub.data.avatars.faces import BEARDS, GLASSES
from gan_hub.data.cache import cache_root
from gan_hub.images import from_uint8, save_png, to_pil
from gan_hub.latents import arithmetic, neighbours
from gan_hub.model_folder.strict import sha256
from gan_hub.models.mixins import StyleBased

EPOCHS, BATCH, LEARNING_RATE = 6, 128, 2e-3
WIDTHS = (32, 64, 128, 128)  # channels after each halving
POOL = 4000  # generated pictures among which the exemplars are looked for: seeds 0, 1, 2, …
TRIALS = 200  # of each change
GROUP = 3  # exemplars whose mean is taken
CONFIDENT = 0.9  # the least probability of what an exemplar is said to show
RADIUS = 0.25  # of the neighbours, in standard deviations of a latent's numbers


@dataclass(frozen=True)
class Change:
    """What the arithmetic is to carry over: an attribute that has one of the values `present`, and not of `absent`."""

    attribute: str
    present: tuple[str, ...]
    absent: tuple[str, ...]


CHANGES = {
    "glasses": Change("glasses", GLASSES, ("none",)),
    "beard": Change("beard", BEARDS, ("none",)),
    "smile": Change("mouth", ("smile", "laugh"), ("serious", "sad")),
}
# The second attributes, which are to be kept: name → its kinds, each a set of values.
KEPT = {name: tuple((value,) for value in VALUES[name]) for name in ("background", "skin", "hair", "hair_colour")}
KEPT |= {name: (change.present, change.absent) for name, change in CHANGES.items()}

Probabilities = dict[str, torch.Tensor]  # attribute → (N, number of its values)


# ----------------------------------------------------------------------------------------------- the classifier


class Reader(nn.Module):
    """Reads all attributes off pictures (N, 3, 64, 64): four halvings, a hidden layer, one linear head an attribute."""

    def __init__(self):
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((3, *WIDTHS), WIDTHS):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        side = SIDE // 2 ** len(WIDTHS)
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(WIDTHS[-1] * side**2, 128), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Linear(128, len(values)) for name, values in VALUES.items()})

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = self.body(images)  # (N, 128)
        return {name: head(hidden) for name, head in self.heads.items()}

    @torch.no_grad()
    def read(self, images: torch.Tensor) -> Probabilities:
        """Images (N, 3, H, W) in [-1, 1] of any size → the probability of each value of each attribute."""
        if images.shape[1] != 3:
            raise ValueError(f"avatars have 3 channels, these images {images.shape[1]}.")
        found = []
        for some in images.split(256):
            if some.shape[2:] != (SIDE, SIDE):
                some = F.interpolate(some, (SIDE, SIDE), mode="bilinear", antialias=True)
            found.append(self.eval()(some))
        return {name: torch.cat([each[name] for each in found]).softmax(1) for name in VALUES}


def targets(faces: Sequence[Attributes]) -> dict[str, torch.Tensor]:
    """Attribute → the number (N,) of its value in each face, −100 where that cannot be seen (or not well)."""
    numbers = {
        name: torch.tensor([values.index(getattr(face, name)) for face in faces]) for name, values in VALUES.items()
    }
    numbers["eyes"][[face.glasses == "sunglasses" for face in faces]] = -100
    numbers["hair_colour"][[face.hair == "bald" and face.beard == "none" for face in faces]] = -100
    return numbers


def roughened(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """As a generator might draw them: each moved by up to 3 pixels, blurred, noisy and faded by a random amount."""

    def some(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(len(images), *shape, generator=generator)

    place = torch.zeros(len(images), 2, 3)
    place[:, 0, 0] = place[:, 1, 1] = some(0.95, 1.05)
    place[:, :, 2] = some(-1, 1, 2) * 2 * 3 / SIDE
    grid = F.affine_grid(place, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    moved = moved.lerp(F.avg_pool2d(moved, 3, 1, 1, count_include_pad=False), some(0, 1, 1, 1, 1))
    moved = moved * some(0.85, 1.05, 1, 1, 1) + some(-0.08, 0.08, 3, 1, 1)
    noise = torch.randn(images.shape, generator=generator) * some(0, 0.12, 1, 1, 1)
    return (moved + noise).clamp(-1, 1)


def train_reader(seed: int = 0) -> Reader:
    """A reader of the 20,000 training pictures; says after each epoch how it goes."""
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    pictures, wanted = load_images("avatars", SIDE, 3), targets(avatars.attributes("train"))
    reader = Reader().train().to(memory_format=torch.channels_last)  # in bf16, twice as fast on a CPU
    optimizer = torch.optim.AdamW(reader.parameters(), LEARNING_RATE, weight_decay=0.01)
    steps = EPOCHS * (len(pictures) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    for epoch in range(EPOCHS):
        order, losses = torch.randperm(len(pictures), generator=chance), []
        for rows in order[: len(order) // BATCH * BATCH].split(BATCH):
            images = roughened(from_uint8(pictures.images[rows.numpy()]), chance)
            with torch.autocast("cpu", torch.bfloat16):
                logits = reader(images.contiguous(memory_format=torch.channels_last))
            loss = sum(F.cross_entropy(logits[name].float(), wanted[name][rows]) for name in VALUES)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"classifier, epoch {epoch + 1} of {EPOCHS}: loss {sum(losses) / len(losses):.3f}", flush=True)
    return reader.eval().to(memory_format=torch.contiguous_format)


def accuracy(reader: Reader) -> dict[str, dict[str, float]]:
    """Of the 2,000 test pictures, as drawn and roughened: the share read rightly by attribute, where it can be seen."""
    drawn = from_uint8(load_images("avatars", SIDE, 3, "test").images)
    wanted, shares = targets(avatars.attributes("test")), {}
    for kind, images in (("drawn", drawn), ("roughened", roughened(drawn, torch.Generator().manual_seed(0)))):
        read = reader.read(images)
        seen = {name: wanted[name] >= 0 for name in VALUES}
        right = {name: (read[name].argmax(1) == wanted[name])[seen[name]] for name in VALUES}
        shares[kind] = {name: round(right[name].float().mean().item(), 4) for name in VALUES}
    return shares


def reader_of(path: Path | None = None) -> tuple[Reader, dict]:
    """The classifier that is kept in `path`, trained first where there is none, and what is known of it.

    By default it lies beside the decoded data sets. Raises ValueError for a classifier of other attributes.
    """
    path = path or cache_root("classifiers") / "avatars.safetensors"
    if not path.is_file():
        reader = train_reader()
        known = {"accuracy": accuracy(reader), "test_images": avatars.SPLITS["test"][1], "values": VALUES}
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        save_file(reader.state_dict(), fresh, {"about": json.dumps(known)})
        fresh.replace(path)
    with safe_open(path, "pt") as file:
        known = json.loads((file.metadata() or {}).get("about", "{}"))
        if known.pop("values", None) != {name: list(values) for name, values in VALUES.items()}:
            raise ValueError(f"{path} is no classifier of these avatars; delete it, or give another --classifier.")
        reader = Reader().eval()
        reader.load_state_dict({name: file.get_tensor(name) for name in file.keys()})
    parameters = sum(parameter.numel() for parameter in reader.parameters())
    return reader, known | {"parameters": parameters, "sha256": sha256(path.read_bytes())}


def attribute_scores(pipe: GANPipeline, seeds: Sequence[int], reader: Reader | None = None) -> Probabilities:
    """Name → probability (N,) that the image of each seed shows it, by the classifier.

    Names are the changes ("glasses", "beard", "smile") and each value as "attribute: value" ("hair_colour: red").
    """
    reader = reader or reader_of()[0]
    return scores_of(reader.read(pipe(seeds=seeds, output_type="pt", batch_size=16).images))


def scores_of(read: Probabilities) -> Probabilities:
    """The probabilities by attribute as one (N,) a name, see `attribute_scores`."""
    scores = {name: share_of(read, change.attribute, change.present) for name, change in CHANGES.items()}
    return scores | {
        f"{name}: {value}": read[name][:, number]
        for name, values in VALUES.items()
        for number, value in enumerate(values)
    }


def share_of(read: Probabilities, attribute: str, values: Sequence[str]) -> torch.Tensor:
    """The probability (N,) that an attribute has one of `values`."""
    return read[attribute][:, [VALUES[attribute].index(value) for value in values]].sum(1)


# --------------------------------------------------------------------------------------------------- the trials


@dataclass(frozen=True)
class Trial:
    """Seeds of the three groups, and what the result is to show: the change, and `kept` of its kind number `kind`."""

    change: str
    kept: str  # the second attribute
    other: int  # the kind of it that the first two groups have
    kind: int  # the kind of it that the third group has, and the result should
    plus: tuple[int, ...]
    minus: tuple[int, ...]
    then_plus: tuple[int, ...]


def groups(read: Probabilities, change: str, kept: str) -> list[tuple[list[int], list[int]]]:
    """For each kind of `kept`: the rows that surely are of it and show the change, and those that surely do not."""
    wanted, attribute = CHANGES[change], attribute_of(kept)
    found = []
    for values in KEPT[kept]:
        sure = share_of(read, attribute, values) >= CONFIDENT
        if kept == "hair_colour":  # which a bald head does not have
            sure &= share_of(read, "hair", ("bald",)) <= 1 - CONFIDENT
        sides = (share_of(read, wanted.attribute, side) >= CONFIDENT for side in (wanted.present, wanted.absent))
        found.append(tuple((sure & side).nonzero().flatten().tolist() for side in sides))
    return found


def attribute_of(kept: str) -> str:
    return CHANGES[kept].attribute if kept in CHANGES else kept


def draw_trials(read: Probabilities, change: str, count: int, rng: random.Random) -> list[Trial]:
    """`count` random trials over the seeds 0, 1, 2, … whose pictures were `read`.

    The second attribute is drawn first, then its two kinds, then GROUP exemplars for each group, none of them twice.
    Raises ValueError where the pool has too few pictures for any trial.
    """
    found = {kept: groups(read, change, kept) for kept in KEPT if kept != change}
    possible = {}
    for kept, kinds in found.items():
        full = [[len(rows) >= GROUP for rows in pair] for pair in kinds]
        ways = [(a, b) for a in range(len(kinds)) for b in range(len(kinds)) if a != b and all(full[a]) and full[b][1]]
        if ways:
            possible[kept] = ways
    if not possible:
        pool = len(read[attribute_of(change)])
        raise ValueError(f"{change}: among {pool} pictures, the classifier finds too few with and without it.")
    trials = []
    for _ in range(count):
        kept = rng.choice(list(possible))
        other, kind = rng.choice(possible[kept])
        (plus, minus), (_, then_plus) = found[kept][other], found[kept][kind]
        chosen = [tuple(rng.sample(rows, GROUP)) for rows in (plus, minus, then_plus)]
        trials.append(Trial(change, kept, other, kind, *chosen))
    return trials


def outcome(read: Probabilities, trials: Sequence[Trial]) -> tuple[list[bool], list[bool]]:
    """For the result of each trial: does it show the change, and is the second attribute of the third group's kind?"""
    changed, kept = [], []
    for row, trial in enumerate(trials):
        one = {name: values[row : row + 1] for name, values in read.items()}
        wanted, attribute = CHANGES[trial.change], attribute_of(trial.kept)
        changed.append(share_of(one, wanted.attribute, wanted.present).item() > 0.5)
        kinds = [share_of(one, attribute, values).item() for values in KEPT[trial.kept]]
        kept.append(kinds.index(max(kinds)) == trial.kind)
    return changed, kept


def interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927): unlike hits / count ± 1.96 sd, it holds near 0 and 1 as well."""
    if not 0 <= hits <= count or count < 1:
        raise ValueError(f"{hits} of {count} is no share.")
    z, share = 1.959964, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def counted(hits: Sequence[bool]) -> dict:
    low, high = interval(sum(hits), len(hits))
    share = round(sum(hits) / len(hits), 4)
    return {"hits": sum(hits), "of": len(hits), "share": share, "interval": [round(low, 4), round(high, 4)]}


# ------------------------------------------------------------------------------------------------- the latents


def latents_of(pipe: GANPipeline, seeds: Sequence[int], space: str) -> torch.Tensor:
    """(N, D) of seeds: z, or w, which is the same for all rows of the network."""
    z = pipe.sample_latents(seeds)
    return z if space == "z" else pipe.map(z)[:, 0]


def images_of(pipe: GANPipeline, latents: torch.Tensor, space: str) -> torch.Tensor:
    """(N, D) in a space → images (N, 3, H, W) in [-1, 1]."""
    if space == "z":
        return pipe(latents=latents, output_type="pt", batch_size=16).images
    rows = pipe.generator.rows
    return pipe.synthesize(latents[:, None].expand(-1, rows, -1), output_type="pt", batch_size=16)


def groups_of(trial: Trial, latents: torch.Tensor, size: int = GROUP) -> list[torch.Tensor]:
    """The three groups (size, D) of a trial, of the latents (P, D) of the seeds 0, 1, 2, …"""
    return [latents[list(seeds[:size])] for seeds in (trial.plus, trial.minus, trial.then_plus)]


def results_of(trials: Sequence[Trial], latents: torch.Tensor) -> dict[str, torch.Tensor]:
    """Way → latents (N, D), one a trial: by means, by one exemplar of each group, and the last group's mean unchanged."""
    return {
        f"means of {GROUP}": torch.stack([arithmetic(*groups_of(trial, latents)) for trial in trials]),
        "single exemplars": torch.stack([arithmetic(*groups_of(trial, latents, 1)) for trial in trials]),
        "nothing added": torch.stack([groups_of(trial, latents)[2].mean(0) for trial in trials]),
    }


def measure(
    pipe: GANPipeline, reader: Reader, trials: Sequence[Trial], space: str, latents: torch.Tensor
) -> dict[str, dict]:
    """Way (see `results_of`) → how many results show the change, kept the second attribute, and both; which did both."""
    report = {}
    for way, made in results_of(trials, latents).items():
        changed, kept = outcome(reader.read(images_of(pipe, made, space)), trials)
        both = [a and b for a, b in zip(changed, kept)]
        report[way] = {"changed": counted(changed), "kept": counted(kept), "both": counted(both)}
        names = sorted({trial.kept for trial in trials})
        report[way]["both, by what is kept"] = {
            name: counted([hit for hit, trial in zip(both, trials) if trial.kept == name]) for name in names
        }
        report[way]["right"] = [number for number, hit in enumerate(both) if hit]
    return report


# ------------------------------------------------------------------------------------------------- the picture


def picture(pipe: GANPipeline, trial: Trial, space: str, scale: int = 2) -> Image.Image:
    """A trial as one picture: of each group the exemplars and, below, their mean; right of them the result.

    The result stands in the middle of eight neighbours, latents around it at random.
    """
    chosen = [latents_of(pipe, seeds, space) for seeds in (trial.plus, trial.minus, trial.then_plus)]
    result = arithmetic(*chosen)
    spread = latents_of(pipe, range(256), space).std(0).mean().item()
    around = neighbours(result, 8, RADIUS * spread, torch.Generator().manual_seed(0))
    latents = torch.cat([torch.cat([group, group.mean(0, keepdim=True)]) for group in chosen])
    tiles = to_pil(images_of(pipe, torch.cat([latents, around[:4], result[None], around[4:]]), space))
    side = tiles[0].width * scale
    tiles = [tile.resize((side, side), Image.Resampling.NEAREST) for tile in tiles]

    gap, sign = side // 16, side // 2
    column, step, height = side + sign, side + gap, 4 * side + 4 * gap
    sheet = Image.new("RGB", (3 * column + 3 * side + 2 * gap, height), "white")
    for group in range(3):
        for row in range(GROUP + 1):
            y = row * step + (gap if row == GROUP else 0)  # the means stand apart
            sheet.paste(tiles[group * (GROUP + 1) + row], (group * column, y))
        _sign(ImageDraw.Draw(sheet), "-+="[group], group * column + side + sign // 2, height - side // 2, sign // 4)
    for number, tile in enumerate(tiles[-9:]):
        row, place = divmod(number, 3)
        sheet.paste(tile, (3 * column + place * step, height - side - (2 - row) * step))
    left, top = 3 * column + step, height - side - step
    ImageDraw.Draw(sheet).rectangle([left, top, left + side - 1, top + side - 1], outline="#1d1a24", width=gap // 2)
    return sheet


def _sign(on: ImageDraw.ImageDraw, sign: str, x: int, y: int, half: int) -> None:
    thick = max(2, half // 3)
    for offset in {"-": (0,), "+": (0,), "=": (-thick, thick)}[sign]:
        on.rectangle([x - half, y + offset - thick // 2, x + half, y + offset + thick // 2], fill="#1d1a24")
    if sign == "+":
        on.rectangle([x - thick // 2, y - half, x + thick // 2, y + half], fill="#1d1a24")


# ------------------------------------------------------------------------------------------------- the command


def spaces_of(pipe: GANPipeline) -> tuple[str, ...]:
    """Where the sums are made; the first is the one for the picture."""
    return ("w", "z") if isinstance(pipe.generator, StyleBased) else ("z",)


def measure_all(pipe: GANPipeline, reader: Reader, options: Mapping) -> tuple[dict, dict[str, list[Trial]]]:
    """(change → space → counts, change → its trials); a change of which the pool has too few is told and left out."""
    pool = attribute_pool(pipe, reader, options["pool"])
    latents = {space: latents_of(pipe, range(options["pool"]), space) for space in spaces_of(pipe)}
    results, trials = {}, {}
    for change in options["changes"]:
        rng = random.Random(f"{options['seed']} {change}")  # its own, so that no change depends on the others
        try:
            trials[change] = draw_trials(pool, change, options["trials"], rng)
        except ValueError as error:
            results[change] = {"left out": str(error)}
            continue
        results[change] = {space: measure(pipe, reader, trials[change], space, latents[space]) for space in latents}
        results[change]["trials"] = [asdict(trial) for trial in trials[change]]
    return results, trials


def attribute_pool(pipe: GANPipeline, reader: Reader, count: int) -> Probabilities:
    """What the pictures of the seeds 0 … count − 1 show; only a part of them is in memory at a time."""
    parts = []
    for first in range(0, count, 512):
        seeds = range(first, min(count, first + 512))
        parts.append(reader.read(pipe(seeds=seeds, output_type="pt", batch_size=16).images))
    return {name: torch.cat([part[name] for part in parts]) for name in VALUES}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a model's name, folder or Hub id; it draws avatars")
    parser.add_argument("--classifier", type=Path, help="where the classifier lies, or is put once it is trained")
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=list(CHANGES))
    parser.add_argument("--pool", type=int, default=POOL, help=f"generated pictures to choose from (default {POOL})")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"of each change (default {TRIALS})")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of trials (default 0)")
    parser.add_argument("--out", type=Path, help="a JSON file of everything, every trial's seeds included")
    parser.add_argument("--picture", type=Path, help="a PNG of the first trial that came out right")
    args = parser.parse_args(arguments)
    for name in ("pool", "trials"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} {getattr(args, name)} is not allowed; it is a whole number from 1.")
    reader, known = reader_of(args.classifier)
    print(json.dumps({"classifier": known}, indent=1), flush=True)

    pipe = GANPipeline.from_pretrained(args.model)
    options = {"pool": args.pool, "trials": args.trials, "seed": args.seed, "changes": args.changes}
    results, trials = measure_all(pipe, reader, options)
    versions = {"gan_hub": gan_hub.__version__, "torch": torch.__version__, "python": platform.python_version()}
    settings = options | {"group": GROUP, "confident": CONFIDENT, "interval": "95 %, Wilson"}
    report = {"model": args.model, "settings": settings, "classifier": known, "versions": versions, "changes": results}
    if args.picture:
        report["picture"] = _write_picture(pipe, results, trials, args.picture)
    if args.out:
        args.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"→ {args.out}" if args.out else json.dumps(report, ensure_ascii=False))
    for line in summary(results):
        print(line)


def summary(results: Mapping[str, Mapping]) -> list[str]:
    """A line for each change, space and way."""
    lines = []
    for change, found in results.items():
        lines += [found["left out"]] if "left out" in found else []
        for space in (space for space in found if space in ("w", "z")):
            for way, counts in found[space].items():
                shares = {key: counts[key] for key in ("changed", "kept", "both")}
                told = (
                    f"{key} {count['share']:.1%} ({count['interval'][0]:.1%} to {count['interval'][1]:.1%})"
                    for key, count in shares.items()
                )
                lines.append(f"{change} in {space}, {way}: {', '.join(told)} of {counts['both']['of']}")
    return lines


def _write_picture(pipe: GANPipeline, results: dict, trials: dict[str, list[Trial]], path: Path) -> dict | None:
    """Writes the first trial that came out right, and says which it is; None where none did."""
    space = spaces_of(pipe)[0]
    for change, some in trials.items():
        right = results[change][space][f"means of {GROUP}"]["right"]
        if right:
            save_png(picture(pipe, some[right[0]], space), path)
            return {"change": change, "space": space, "trial": right[0]}
    return None


if __name__ == "__main__":
    main()
