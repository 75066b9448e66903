"""Hostile and damaged model files: each is refused with a LoadError that names it, or changes nothing at all."""

import hashlib
import json
import os
import pickle
import random
import resource
import struct
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.strict import LoadError, is_finite, read_bytes, read_json, short_repr, write_json
from gan_hub.models import GANModel
from gan_hub.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_hub.pipeline import GANPipeline

PLAYERS = ("generator", "discriminator")
WEIGHTS = "diffusion_pytorch_model.safetensors"
CLASSES = {"generator": DCGANGenerator, "discriminator": DCGANDiscriminator}


# ------------------------------------------------------------------------------- the corpus of mutations


@dataclass(frozen=True)
class Mutation:
    """One file's new content. `named`: what the message must contain; `sealed`: the manifest is rewritten to match."""

    kind: str
    file: str
    content: bytes
    sealed: bool
    named: tuple[str, ...] = ()
    must_fail: bool = False


def parse(data: bytes) -> tuple[dict, bytes]:
    """The header and the tensor bytes of a safetensors file."""
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def build(header: dict | str, body: bytes) -> bytes:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + body


def repacked(tensors: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    """A well-formed safetensors file of name → (dtype, shape, bytes)."""
    header, body = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    return build(header, body)


def unpacked(data: bytes) -> dict[str, tuple[str, list[int], bytes]]:
    header, body = parse(data)
    header.pop("__metadata__", None)
    return {
        name: (entry["dtype"], entry["shape"], body[slice(*entry["data_offsets"])]) for name, entry in header.items()
    }


def damaged_bytes(original: dict[str, bytes]) -> Iterator[Mutation]:
    """Truncations, flipped bits and appended bytes in every file, the manifest left as it was."""
    draw = random.Random(0)
    for file, data in original.items():
        weights = file.endswith(".safetensors")
        ends = {0, 1, 7, 8, 9, len(data) // 2, len(data) - 1} | {draw.randrange(len(data)) for _ in range(15)}
        for end in sorted(ends):
            yield Mutation("truncated", file, data[:end], sealed=False, must_fail=weights)
        for _ in range(40):
            yield Mutation("bit flipped", file, flipped(data, draw.randrange(len(data)), draw), False, (), weights)
        yield Mutation("byte appended", file, data + b"\0", sealed=False, must_fail=True)


def flipped(data: bytes, position: int, draw: random.Random) -> bytes:
    return data[:position] + bytes([data[position] ^ 1 << draw.randrange(8)]) + data[position + 1 :]


def hostile_weights(file: str, data: bytes) -> Iterator[Mutation]:
    """Files that agree with the manifest, as a sloppy or malicious author would publish them."""

    def sealed(kind: str, content: bytes, *named: str) -> Mutation:
        return Mutation(kind, file, content, sealed=True, named=named, must_fail=True)

    tensors = unpacked(data)
    for name, (dtype, shape, content) in tensors.items():
        floating = dtype == "F32"
        count = len(content) // (4 if floating else 8)

        def changed(entry, name=name) -> bytes:
            return repacked({**tensors, name: entry})

        rest = {other: entry for other, entry in tensors.items() if other != name}
        yield sealed("tensor missing", repacked(rest), name)
        yield sealed("tensor renamed", repacked({**rest, name + "_": tensors[name]}), name)
        for other, size in {"F64": 8, "F32": 4, "F8_E4M3": 1, "I64": 8, "I8": 1, "C64": 8, "BOOL": 1, "F4": 1}.items():
            if other != dtype:
                yield sealed("wrong dtype", changed((other, shape, b"\0" * (count * size))), name, "dtype")
        yield sealed("wrong shape", changed((dtype, [*shape, 1], content)), name, "shape")
        yield sealed("wrong shape", changed((dtype, [count, 1, 1, 1, 1], content)), name, "shape")
        yield sealed("wrong shape", changed((dtype, [0], b"")), name, "shape")
        yield sealed("too much data", changed((dtype, [2, *shape], content * 2)), name, "shape")
        if floating:
            for value in (float("nan"), float("inf"), -float("inf")):
                position = len(content) // 8 * 4
                bad = content[:position] + struct.pack("<f", value) + content[position + 4 :]
                yield sealed("not finite", changed((dtype, shape, bad)), name, "NaN or Inf")
            half = torch.frombuffer(bytearray(content), dtype=torch.float32).half().numpy().tobytes()
            yield sealed("mixed dtypes", changed(("F16", shape, half)), "mix")
    yield sealed("tensor extra", repacked({**tensors, "extra": ("F32", [1], b"\0" * 4)}), "extra")
    yield sealed("tensor extra", repacked({**tensors, "../../x\0" * 1000: ("F32", [1], b"\0" * 4)}), "not part of")

    header, body = parse(data)
    text = json.dumps(header)
    first = next(name for name in header if name != "__metadata__")
    for odd in ([], {}, None, 7, True, "f32", "", ["F32"], "F" * 100_000):
        yield sealed("odd dtype", build({**header, first: {**header[first], "dtype": odd}}, body), first, "dtype")
    for odd in ([2**63 + 5], [-1], ["1"], [10**30], None, {}, "x", [[]], 10**9, [0] * 100_000):
        yield sealed("odd shape", build({**header, first: {**header[first], "shape": odd}}, body), first, "shape")
    for odd in (None, [], [0], [5, 1], [0, 2**70], [-4, 0], ["0", "4"], {}, [0, 10**30], [1, 5], [0.0, 4.5]):
        yield sealed("odd offsets", build({**header, first: {**header[first], "data_offsets": odd}}, body))
    for odd in (None, [], 7, "x", True):
        yield sealed("odd entry", build({**header, first: odd}, body))
    for odd in ([1], None, 7, "x", True, [[]]):
        yield sealed("header is no object", build(json.dumps(odd), body))
    yield sealed("duplicate name", build(text[:-1] + f", {json.dumps(first)}: {json.dumps(header[first])}}}", body))
    yield sealed("deep header", build("[" * 100_000 + "]" * 100_000, body))
    yield sealed("deep header", build('{"a":' * 100_000 + "1" + "}" * 100_000, body))
    yield sealed("not UTF-8", data[:12] + b"\xff\xfe" + data[14:])
    for length in (0, 1, len(data), 2**31, 100_000_001, 2**63, 2**64 - 1):
        yield sealed("odd header length", struct.pack("<Q", length) + data[8:])
    yield sealed("a hole", build(text, body + b"\0"))
    yield sealed("a pickle", pickle.dumps({name: [0.0] for name in tensors}))
    yield sealed("a zip", b"PK\x03\x04" + data)
    yield sealed("empty", b"")
    yield sealed("an LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")

    draw = random.Random(1)
    for position in draw.sample(range(8 + len(parse_text(data))), 120):
        yield Mutation("header bit flipped", file, flipped(data, position, draw), sealed=True)


def parse_text(data: bytes) -> bytes:
    return data[8 : 8 + struct.unpack("<Q", data[:8])[0]]


ABSURD = (10**9, 10**30, 10**4000, -1, 0.5, 1.0, True, None, "16", "", "x" * 100_000, [], [1], {}, {"a": 1}, "batch\0")
DEEP = "[" * 100_000 + "]" * 100_000
RAW = ("NaN", "Infinity", "-Infinity", "1e400", DEEP, '"\\ud800"', "0x10", "")


def hostile_json(
    file: str,
    data: bytes,
    keys: tuple[str, ...],
    legal: Callable[[str, object], bool] = lambda *_: False,
    may_lack: Collection[str] = (),
) -> Iterator[Mutation]:
    """Every key of `keys` missing, renamed, twice, and with absurd values; and contents that are no object at all."""
    content = json.loads(data)

    def sealed(kind: str, text: str | bytes, *named: str) -> Mutation:
        return Mutation(kind, file, text if isinstance(text, bytes) else text.encode(), True, named, must_fail=True)

    for key in keys:
        rest = {other: value for other, value in content.items() if other != key}
        if key not in may_lack:
            yield sealed("key missing", json.dumps(rest), key)
        yield sealed("key renamed", json.dumps({**rest, key + "_": content[key]}))
        yield sealed("key twice", data.rstrip()[:-1] + f', "{key}": {json.dumps(content[key])}}}'.encode(), key)
        for value in ABSURD:
            unchanged = type(value) is type(content[key]) and value == content[key]
            if not unchanged and not legal(key, value):
                text = json.dumps({**content, key: "@"}).replace('"@"', big(value), 1)
                yield sealed("absurd value", text, key)
        for raw in RAW:
            yield sealed("absurd value", json.dumps({**content, key: "@"}).replace('"@"', raw, 1))
    yield sealed("unknown key", json.dumps({**content, "surprise": 1}), "surprise")
    for text in ("", "null", "[1]", "7", '"x"', "true", "{", "{}", DEEP, "{" * 100_000, "\ufeff" + data.decode()):
        yield sealed("no object", text)
    yield sealed("no object", b"\xff\xfe" + data)
    yield sealed("a pickle", pickle.dumps(content))
    yield sealed("too large", data + b" " * 1_000_001, "bytes")


def legal_in_judge(key: str, value: object) -> bool:
    """The absurd values that are none here: another calibration, but a possible one."""
    if key == "images":
        return type(value) is int and 1 <= value <= 10**9
    unbounded = key.removeprefix("unlabelled_") in ("scale", "bias")
    return type(value) in (int, float) and (0 <= value <= 1 or unbounded and abs(value) <= 1e9)


def big(value: object) -> str:
    return "1" + "0" * 4000 if value == 10**4000 and type(value) is int else json.dumps(value)


def corpus(folder: Path) -> list[Mutation]:
    """Every mutation of the model in `folder`."""
    read = {name: (folder / name).read_bytes() for name in loaded_files(folder)}
    found = list(damaged_bytes(read))
    for player in PLAYERS:
        found += hostile_weights(f"{player}/{WEIGHTS}", read[f"{player}/{WEIGHTS}"])
        config = read[f"{player}/config.json"]
        found += hostile_json(
            f"{player}/config.json",
            config,
            tuple(k for k in json.loads(config) if k != "_diffusers_version"),
            # another network, but a possible one: it is the weights that do not fit it
            legal=lambda key, value: key in ("spectral_norm", "unit_range", "start_bias") and value is True,
            may_lack=CLASSES[player].CONFIG_DEFAULTS_FOR_OLD_FILES,
        )
    summary = ("resolution", "channels", "latent_size", "label_names")
    found += hostile_json("config.json", read["config.json"], summary)
    found += hostile_json("judge.json", read["judge.json"], tuple(json.loads(read["judge.json"])), legal_in_judge)
    found += hostile_json("model_index.json", read["model_index.json"], ("_class_name", "generator"))
    found += hostile_json("manifest.json", read["manifest.json"], ("files",), lambda key, value: value == {})
    found += list(hostile_manifests(json.loads(read["manifest.json"])))
    names = json.loads(read["config.json"])["label_names"]
    for odd in (names[:2], names + ["x"], [names[0]] * 3, [*names[:2], 3], [*names[:2], ""], [*names[:2], "a\x1b[31m"]):
        content = json.dumps({**json.loads(read["config.json"]), "label_names": odd}).encode()
        found.append(Mutation("label names", "config.json", content, True, ("label_names",), must_fail=True))
    index = json.loads(read["model_index.json"])
    for odd in (["os", "system"], ["gan_hub"], ["gan_hub", "GANPipeline"], ["gan_hub", []], "DCGANGenerator", [1, 2]):
        content = json.dumps({**index, "discriminator": odd}).encode()
        found.append(Mutation("class", "model_index.json", content, True, ("discriminator",), must_fail=True))
    for player, other in (PLAYERS, PLAYERS[::-1]):
        content = json.dumps({**index, player: index[other]}).encode()
        found.append(Mutation("class", "model_index.json", content, True, (player,), must_fail=True))
    return found


def hostile_manifests(manifest: dict) -> Iterator[Mutation]:
    def changed(kind: str, files: object, *named: str) -> Mutation:
        return Mutation(kind, "manifest.json", json.dumps({"files": files}).encode(), False, named, must_fail=True)

    files = manifest["files"]
    for name in loaded_names(files):
        yield changed("file not listed", {other: entry for other, entry in files.items() if other != name}, name)
        for key in ("sha256", "size"):
            for value in (None, -1, True, "x", "0" * 64, 10**30, [], {}, files[name]["sha256"].upper() + "A"):
                yield changed("manifest entry", {**files, name: {**files[name], key: value}}, name)
            yield changed("manifest entry", {**files, name: {key: files[name][key]}}, name)
        yield changed("manifest entry", {**files, name: None}, name)


def loaded_names(names) -> list[str]:
    return [name for name in names if "fp16" not in name and name != "reference.safetensors"]


def loaded_files(folder: Path) -> list[str]:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return loaded_names(files)


def seal(folder: Path, name: str, data: bytes) -> None:
    """Writes the manifest's entry for `name` anew."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    write_json(folder / "manifest.json", manifest)


def same(a: GANPipeline, b: GANPipeline) -> bool:
    """Bit-equal weights, the same configs, names and calibration, and the same image."""
    if (a.label_names, a.calibration) != (b.label_names, b.calibration):
        return False
    for player in PLAYERS:
        ours, theirs = getattr(a, player), getattr(b, player)
        if ours is None or theirs is None:
            return False
        if ours.state_dict().keys() != theirs.state_dict().keys():
            return False
        if not all(torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in ours.state_dict().items()):
            return False
    image = (pipe(seeds=[3], labels=1, output_type="pt").images for pipe in (a, b))
    return torch.equal(*image)


class AddressSpace:
    """Inside, at most `megabytes` more address space can be had: an attempt to take more raises MemoryError."""

    def __init__(self, megabytes: int):
        self.megabytes = megabytes

    def __enter__(self):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        self.before = resource.getrlimit(resource.RLIMIT_AS)
        limit = pages * resource.getpagesize() + self.megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, self.before[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_AS, self.before)


# --------------------------------------------------------------------------------------- the long test


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc to bound the memory")
def test_every_mutated_file_is_refused_by_name_or_loads_bit_identical(tiny_pipeline, tiny_model_copy, capsys):
    folder = tiny_model_copy
    original = {name: (folder / name).read_bytes() for name in loaded_files(folder)}
    counts, kinds, wrong, slowest = Counter(), Counter(), [], 0.0

    with AddressSpace(megabytes=300):
        for number, mutation in enumerate(corpus(folder)):
            (folder / mutation.file).write_bytes(mutation.content)
            if mutation.sealed and mutation.file != "manifest.json":
                seal(folder, mutation.file, mutation.content)
            start = time.perf_counter()
            outcome = tried(folder, mutation, tiny_pipeline)
            slowest = max(slowest, time.perf_counter() - start)
            counts[outcome] += 1
            kinds[mutation.kind] += 1
            if outcome not in ("refused", "identical") or (outcome == "identical" and mutation.must_fail):
                wrong.append((number, mutation.kind, mutation.file, mutation.named, outcome, mutation.content[-200:]))
            for name in {mutation.file, "manifest.json"}:
                (folder / name).write_bytes(original[name])

    with capsys.disabled():
        print(f"\n{counts.total()} mutated files: {dict(counts)}; slowest {slowest:.2f} s\n{dict(kinds)}")
    assert not wrong, f"{len(wrong)} wrong: {wrong[:5]}"
    assert counts["refused"] + counts["identical"] == counts.total() >= 1000
    assert counts["refused"] >= 900, "the corpus has grown harmless"
    assert slowest < 5
    assert same(GANPipeline.from_pretrained(folder), tiny_pipeline), "the folder was not restored"


def tried(folder: Path, mutation: Mutation, expected: GANPipeline) -> str:
    try:
        loaded = GANPipeline.from_pretrained(folder)
    except LoadError as error:
        message = str(error)
        if len(message) > 1000 + len(str(folder)):
            return f"flooded: {len(message)} characters"
        files = {mutation.file} if mutation.sealed else {mutation.file, "manifest.json"}
        if not any(str(folder / file) in message for file in files) and not (
            mutation.file == "manifest.json" and "manifest.json" in message
        ):
            return f"file not named: {message}"
        missing = [word for word in mutation.named if word not in message]
        return f"not named {missing}: {message}" if missing else "refused"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return "identical" if same(loaded, expected) else "DIFFERENT"


# ------------------------------------------------------------------------------- files that are no files


def test_a_fifo_a_folder_a_device_or_a_dangling_link_as_weight_file_is_refused_at_once(tiny_model_copy):
    path = tiny_model_copy / "generator" / WEIGHTS
    makers: dict[str, tuple[Callable[[], object], str]] = {
        "fifo": (lambda: os.mkfifo(path), "not a regular file"),
        "folder": (lambda: path.mkdir(), "cannot be read|not a regular file"),
        "device": (lambda: path.symlink_to("/dev/zero"), "not a regular file"),
        "dangling": (lambda: path.symlink_to("nowhere"), "cannot be read"),
        "loop": (lambda: path.symlink_to(path), "cannot be read"),
        "text": (lambda: path.symlink_to("/etc/passwd"), "not a safetensors file"),
    }
    for name, (make, sentence) in makers.items():
        path.unlink()
        make()
        start = time.perf_counter()
        with pytest.raises(LoadError, match=r"generator/diffusion_pytorch_model\.safetensors: " + sentence):
            GANPipeline.from_pretrained(tiny_model_copy)
        assert time.perf_counter() - start < 1, name
        if path.is_dir():
            path.rmdir()
            path.touch()
    path.unlink()


def test_a_link_to_the_same_bytes_outside_loads_as_the_hub_cache_needs(tiny_model_copy, tiny_pipeline, tmp_path):
    path = tiny_model_copy / "generator" / WEIGHTS
    os.replace(path, tmp_path / "blob")
    path.symlink_to(tmp_path / "blob")
    assert same(GANPipeline.from_pretrained(tiny_model_copy), tiny_pipeline)


def test_a_terabyte_of_weights_is_refused_before_it_is_read(tiny_model_copy):
    path = tiny_model_copy / "generator" / WEIGHTS
    os.truncate(path, 10**12)
    with AddressSpace(megabytes=100), pytest.raises(LoadError, match="1,000,000,000,000 bytes"):
        GANPipeline.from_pretrained(tiny_model_copy)


def test_every_absurd_config_value_is_refused_without_taking_memory_or_time(tiny_model_copy):
    for player in PLAYERS:
        path = tiny_model_copy / player / "config.json"
        content = json.loads(path.read_bytes())
        for key in CLASSES[player].__init__.__wrapped__.__annotations__:
            write_json(path, {**content, key: 10**9})
            start = time.process_time()
            with AddressSpace(megabytes=100), pytest.raises(LoadError, match=key):
                CLASSES[player].from_pretrained(tiny_model_copy, subfolder=player)
            assert time.process_time() - start < 1
        write_json(path, content)


def test_the_largest_config_that_is_allowed_is_compared_with_the_file_before_memory_is_taken(tiny_model_copy):
    path = tiny_model_copy / "generator" / "config.json"
    config = {**json.loads(path.read_bytes()), "latent_size": 4096, "base_channels": 1024, "num_classes": 10_000}
    write_json(path, config)
    seal(tiny_model_copy, "generator/config.json", path.read_bytes())
    start = time.process_time()
    with AddressSpace(megabytes=100), pytest.raises(LoadError, match="the config asks for"):
        GANPipeline.from_pretrained(tiny_model_copy)
    assert time.process_time() - start < 1


# ------------------------------------------------------------------------------------------- no pickles


class Bomb:
    """Unpickling it creates the file that it names."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.bin", "pytorch_model.bin", "model.pt", "network.pkl"])
def test_a_pickle_in_place_of_safetensors_is_named_and_never_opened(tiny_model_copy, tmp_path, name):
    sentinel, folder = tmp_path / "it ran", tiny_model_copy / "generator"
    for path in folder.glob("*.safetensors"):
        path.unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb(sentinel)))
    with pytest.raises(LoadError, match=f"{name}: a pickle"):
        GANPipeline.from_pretrained(tiny_model_copy)
    with pytest.raises(LoadError, match=f"{name}: a pickle"):
        DCGANGenerator.from_pretrained(tiny_model_copy, subfolder="generator")
    with pytest.raises(ValueError, match="use_safetensors=False is not allowed"):
        DCGANGenerator.from_pretrained(tiny_model_copy, subfolder="generator", use_safetensors=False)
    assert not sentinel.exists()
    pickle.loads((folder / name).read_bytes())
    assert sentinel.exists(), "the bomb was a dud, and this test proves nothing"


def test_a_pickle_under_the_safetensors_name_is_refused(tiny_model_copy, tmp_path):
    path, sentinel = tiny_model_copy / "generator" / WEIGHTS, tmp_path / "it ran"
    path.write_bytes(pickle.dumps(Bomb(sentinel)))
    seal(tiny_model_copy, f"generator/{WEIGHTS}", path.read_bytes())
    with pytest.raises(LoadError, match="not a safetensors file"):
        GANPipeline.from_pretrained(tiny_model_copy)
    assert not sentinel.exists()


# ---------------------------------------------------------------------------- the network by itself, variants


def test_a_network_alone_loads_strictly_without_a_manifest(tiny_model_copy, tiny_pipeline):
    (tiny_model_copy / "manifest.json").unlink()
    loaded = DCGANGenerator.from_pretrained(tiny_model_copy, subfolder="generator")
    for name, tensor in tiny_pipeline.generator.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    path = tiny_model_copy / "generator" / WEIGHTS
    tensors = load_file(path)
    tensors["project.weights"] = tensors.pop("project.weight")
    save_file(tensors, path)
    with pytest.raises(LoadError, match="'project.weight' is missing"):
        DCGANGenerator.from_pretrained(tiny_model_copy, subfolder="generator")


def test_a_pipeline_without_a_manifest_is_refused(tiny_model_copy):
    (tiny_model_copy / "manifest.json").unlink()
    with pytest.raises(LoadError, match="manifest.json"):
        GANPipeline.from_pretrained(tiny_model_copy)


def test_a_judge_that_the_manifest_does_not_list_is_refused_and_not_forgotten(tiny_model_copy):
    manifest = read_json(tiny_model_copy / "manifest.json")
    del manifest["files"]["judge.json"]
    write_json(tiny_model_copy / "manifest.json", manifest)
    with pytest.raises(LoadError, match="judge.json: not listed"):
        GANPipeline.from_pretrained(tiny_model_copy)


@pytest.mark.parametrize("missing", ["model_index.json", "config.json", "judge.json", "generator/config.json"])
def test_a_missing_file_is_named(tiny_model_copy, missing):
    (tiny_model_copy / missing).unlink()
    with pytest.raises(LoadError, match=missing):
        GANPipeline.from_pretrained(tiny_model_copy)


def test_a_variant_that_is_not_there_is_refused_with_what_is_there(tiny_model_copy):
    with pytest.raises(LoadError, match=r"bf16\.safetensors: not found; this folder has .*fp16"):
        GANPipeline.from_pretrained(tiny_model_copy, variant="bf16")


def test_float32_weights_under_the_fp16_name_are_refused(tiny_model_copy):
    folder = tiny_model_copy / "generator"
    content = (folder / WEIGHTS).read_bytes()
    (folder / "diffusion_pytorch_model.fp16.safetensors").write_bytes(content)
    seal(tiny_model_copy, "generator/diffusion_pytorch_model.fp16.safetensors", content)
    with pytest.raises(LoadError, match="dtype 'F32'; allowed: F16"):
        GANPipeline.from_pretrained(tiny_model_copy, variant="fp16")


def test_another_class_than_the_file_names_is_refused(tiny_model):
    with pytest.raises(LoadError, match="_class_name is 'DCGANDiscriminator', but DCGANGenerator"):
        DCGANGenerator.from_pretrained(tiny_model, subfolder="discriminator")


def test_loading_and_saving_leave_the_global_random_state_alone(tiny_model, tmp_path):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    pipeline = GANPipeline.from_pretrained(tiny_model, dtype=torch.float16)
    pipeline = GANPipeline.from_pretrained(tiny_model)
    pipeline.save_pretrained(tmp_path / "again")
    pipeline.save_pretrained(tmp_path / "again", variant="fp16")
    pipeline(num_images=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_file_that_shrinks_after_loading_does_no_harm(tiny_model_copy, tiny_pipeline):
    pipeline = GANPipeline.from_pretrained(tiny_model_copy)
    for player in PLAYERS:
        os.truncate(tiny_model_copy / player / WEIGHTS, 0)  # with mapped memory this would be a SIGBUS
    assert same(pipeline, tiny_pipeline)


# --------------------------------------------------------------------------------------- the small readers


def test_load_error_is_a_value_error_and_a_hostile_value_is_cut_in_it():
    assert issubclass(LoadError, ValueError)
    assert short_repr("x" * 10**6) == "'" + "x" * 59 + "…"
    assert short_repr([1, "a"]) == "[1, 'a']"


def test_json_comes_back_as_it_was_written_and_with_a_final_newline(tmp_path):
    value = {"names": ["é", "日本"], "n": 1, "x": 0.5, "none": None}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert (tmp_path / "a.json").read_text(encoding="utf-8").endswith("}\n")
    with pytest.raises(ValueError):
        write_json(tmp_path / "b.json", {"x": float("nan")})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1]", "a JSON object is expected, not list"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": 1, "a": 2}', "duplicate key 'a'"),
        ('{"a": ', "not valid JSON"),
        (DEEP, "not valid JSON"),
    ],
)
def test_odd_json_is_refused_with_the_reason(tmp_path, text, sentence):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(LoadError, match=r"a\.json: .*" + sentence):
        read_json(tmp_path / "a.json")


def test_a_file_is_read_up_to_its_limit_and_not_beyond(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(LoadError, match="5 bytes, but at most 4"):
        read_bytes(tmp_path / "a", 4)
    with pytest.raises(LoadError, match="cannot be read"):
        read_bytes(tmp_path / "b", 4)


def test_the_manifest_tells_length_and_content_apart(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    Manifest.write(tmp_path, ["a"])
    manifest = Manifest(tmp_path)
    manifest.verify("a", b"12345")
    with pytest.raises(LoadError, match="4 bytes, but manifest.json says 5"):
        manifest.verify("a", b"1234")
    with pytest.raises(LoadError, match="sha256 differs"):
        manifest.verify("a", b"12346")
    with pytest.raises(LoadError, match="b: not listed"):
        manifest.verify("b", b"")


def test_the_network_refuses_to_save_what_could_not_be_loaded(tmp_path):
    model = DCGANGenerator(resolution=28, channels=1, latent_size=4, base_channels=2)
    with pytest.raises(ValueError, match="variant 'int8' is not allowed"):
        model.save_pretrained(tmp_path / "a", variant="int8")
    with pytest.raises(ValueError, match="safe_serialization=False"):
        model.save_pretrained(tmp_path / "a", safe_serialization=False)
    with torch.no_grad():
        model.project.weight[0, 0] = 1e9  # finite, but not in float16
    with pytest.raises(ValueError, match="'project.weight' contains NaN or Inf"):
        model.save_pretrained(tmp_path / "a", variant="fp16")
    assert not (tmp_path / "a").exists()
    assert isinstance(model, GANModel)
    model.save_pretrained(tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["config.json", WEIGHTS]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_one_element_that_is_not_finite_is_found_wherever_it_stands(dtype):
    assert is_finite(torch.empty(0, dtype=dtype)) and is_finite(torch.tensor(1.0, dtype=dtype))
    for count in (1, 7, 100_000):
        values = torch.linspace(-9, 9, count).to(dtype)
        assert is_finite(values) and is_finite(torch.full_like(values, torch.finfo(dtype).max))
        for place in {0, count // 2, count - 1}:
            for bad in (float("nan"), float("inf"), -float("inf")):
                spoiled = values.clone()
                spoiled[place] = bad
                assert not is_finite(spoiled), (count, place, bad)
    both = torch.tensor([float("inf"), 0.0, float("nan"), -float("inf")], dtype=dtype)
    assert not is_finite(both)
