"""Pickles as foreign programs write them, and as nobody should: made by hand, in the layouts of files that are about."""

import contextlib
import io
import pickle
import struct
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import torch

LEGACY = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}})
STOP = b"."


class Called:
    """Pickles as a call: of a function by name, with arguments."""

    def __init__(self, path: str, *arguments: object, state: object = None) -> None:
        self.path, self.arguments, self.state = path, arguments, state

    def __reduce__(self):
        return (Named(self.path), self.arguments, *(() if self.state is None else (self.state,)))


class Object:
    """Pickles as an object of a class, by name, with its state, as torch's modules do."""

    def __init__(self, path: str, state: object) -> None:
        self.path, self.state = path, state


class Named:
    """Pickles as the name of a class or function, which need not exist."""

    def __init__(self, path: str) -> None:
        self.path = path


class Pickler(pickle._Pickler):
    """Python's own pickler, written in Python, which also writes names of things that are not here."""

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Named):
            module, _, name = obj.path.rpartition(".")
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
            return None
        if isinstance(obj, Object):
            self.save(Named(obj.path))
            self.save(())
            self.write(pickle.NEWOBJ)
            self.save(obj.state)
            self.write(pickle.BUILD)
            return None
        if isinstance(obj, Called):
            self.save(Named(obj.path))
            self.save(tuple(obj.arguments))
            self.write(pickle.REDUCE)
            if obj.state is not None:
                self.save(obj.state)
                self.write(pickle.BUILD)
            return None
        return super().save(obj, save_persistent_id)


def dumps(thing: object, protocol: int = 2) -> bytes:
    stream = io.BytesIO()
    Pickler(stream, protocol).dump(thing)
    return stream.getvalue()


def storage_bytes(tensor: torch.Tensor) -> bytes:
    """A storage as torch writes it into pickles of others: a file in its old format."""
    stream = io.BytesIO()
    numbers = tensor.detach().reshape(-1).clone().untyped_storage()
    storage = torch.storage.TypedStorage(wrap_storage=numbers, dtype=tensor.dtype, _internal=True)
    torch.save(storage, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def nested_tensor(tensor: torch.Tensor) -> Called:
    """A tensor of a bare pickle."""
    storage = Called("torch.storage._load_from_bytes", storage_bytes(tensor))
    layout = (0, tuple(tensor.shape), tensor.contiguous().stride(), False, Called("collections.OrderedDict"))
    return Called("torch._utils._rebuild_tensor_v2", storage, *layout)


def nested_parameter(tensor: torch.Tensor) -> Called:
    return Called("torch._utils._rebuild_parameter", nested_tensor(tensor), True, Called("collections.OrderedDict"))


def nvidia_object(class_name: str, state: dict, source: str = "raise SystemExit('ran')") -> Called:
    """An object of NVIDIA's programs: its class as source text, and its state."""
    meta = {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": state}
    return Called("torch_utils.persistence._reconstruct_persistent_obj", meta)


# --------------------------------------------------------------------------------------------------- containers


def raw(payload: bytes) -> bytes:
    return payload


def zipped(payload: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", payload)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return stream.getvalue()


def legacy(payload: bytes, names: tuple[str, ...] = ()) -> bytes:
    return b"".join(map(pickle.dumps, LEGACY)) + payload + pickle.dumps(list(names))


def nested(payload: bytes) -> bytes:
    return dumps({"G": Called("torch.storage._load_from_bytes", payload)})


def stacked(payload: bytes) -> bytes:
    return pickle.dumps(LEGACY[0]) + payload + payload


CONTAINERS = {"raw": raw, "zip": zipped, "legacy": legacy, "nested": nested, "stacked": stacked}


# --------------------------------------------------------------------------------------------------- payloads


def payloads(sentinel: Path) -> dict[str, bytes]:
    """Pickles that would create the file `sentinel`, each by another way to run code, if anything ran them."""
    command, code = f"touch {sentinel}", f"open({str(sentinel)!r}, 'w').close()"
    evil = dumps(Called("posix.system", command))
    hook = Called("collections.OrderedDict", [(0, Called("builtins.exec", code))])
    text = code.encode()
    return {
        "system": evil,
        "exec": dumps(Called("builtins.exec", code)),
        "eval of python 2": dumps(Called("__builtin__.eval", f"__import__('os').system({command!r})")),
        "popen": dumps(Called("subprocess.Popen", ["touch", str(sentinel)])),
        "inst": b"(S'" + command.encode() + b"'\niposix\nsystem\n" + STOP,
        "obj": b"(cposix\nsystem\nS'" + command.encode() + b"'\no" + STOP,
        "newobj": b"\x80\x02csubprocess\nPopen\n](X\x05\x00\x00\x00touchX"
        + struct.pack("<I", len(str(sentinel))) + str(sentinel).encode() + b"e\x85\x81" + STOP,
        "getattr": dumps(Called("builtins.getattr", Called("builtins.__import__", "os"), "system")),
        "partial": dumps(Called("functools.partial", Named("posix.system"), command)),
        "source of a class": dumps({"G_ema": nvidia_object("Generator", {}, code)}),
        "hook of a tensor": dumps(
            Called("torch._utils._rebuild_tensor_v2", Called("torch.storage._load_from_bytes", evil), 0, (1,), (1,), True, hook)
        ),
        "import": b"\x80\x02ctests.foreign.evil\nNAME\n)R}X\x01\x00\x00\x00aN\x86b" + STOP + text[:0],
    }  # fmt: skip


PAYLOADS = tuple(payloads(Path("unused")))  # their names


# --------------------------------------------------------------------------------------------------- bombs


def _zip_of(entries: dict[str, bytes], **options: object) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return stream.getvalue()


def _tensor_of(length: int, shape: tuple, strides: tuple) -> bytes:
    storage = Called("torch.storage._load_from_bytes", storage_bytes(torch.zeros(length)))
    return dumps(Called("torch._utils._rebuild_tensor_v2", storage, 0, shape, strides, False, {}))


def _laughs() -> bytes:
    """Lists of ten times the list before, thirty deep."""
    text = b"\x80\x02]q\x00"
    for level in range(1, 30):
        text += b"](" + b"h" + bytes([level - 1]) + (b"h" + bytes([level - 1])) * 9 + b"eq" + bytes([level])
    return text + STOP


def _copies() -> bytes:
    """One dictionary of a thousand entries, copied a million times."""
    pairs = b"".join(b"K" + bytes([i % 256]) + b"K" + bytes([i // 256]) + b"\x86K\x00\x86" for i in range(1000))
    copy = b"ccollections\nOrderedDict\nq\x01](" + pairs + b"eq\x02\x85R"
    return b"\x80\x02(" + copy + b"h\x01h\x02\x85R" * 1_000_000 + b"l" + STOP


def _views() -> bytes:
    """A thousand views of the same four megabytes, each of another shape."""
    storage = Called("torch.storage._load_from_bytes", storage_bytes(torch.zeros(2**20)))
    stream = b"\x80\x02" + dumps(storage)[2:-1] + b"q\xf0("
    for view in range(1000):
        stream += b"ctorch._utils\n_rebuild_tensor_v2\n(h\xf0J" + struct.pack("<i", view)
        stream += b"J" + struct.pack("<i", 2**20 - view) + b"\x85K\x01\x85\x89}tR"
    return stream + b"l" + STOP


def bombs() -> dict[str, bytes]:
    """Small files that would take gigabytes or hours of a reader that believes them."""
    many = {f"archive/{number}": b"" for number in range(3)} | {"archive/data.pkl": b"\x80\x02N."}
    overlapping = bytearray(_zip_of(many | {"archive/data/0": b"0" * 4096}))
    size = overlapping.rfind(struct.pack("<I", 4096))
    overlapping[size : size + 4] = struct.pack("<I", 2**31)
    huge = [("storage", Named("torch.FloatStorage"), "0", "cpu", 2**47, None)]
    claimed = b"\x80\x02" + dumps(huge[0])[2:-1] + b"Q" + STOP
    return {
        "memo of a far index": b"\x80\x02]r\xff\xff\xff\xff" + STOP,
        "bytes of 2^40": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x" + STOP,
        "bytearray of 2^40": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x" + STOP,
        "text of 2^31": b"\x80\x02X" + struct.pack("<I", 2**31) + b"x" + STOP,
        "deflated": _zip_of({"archive/data.pkl": b"N" * 50_000_000}, compression=zipfile.ZIP_DEFLATED),
        "entries that claim 2 GiB": bytes(overlapping),
        "strides of 0": _tensor_of(1, (2**20, 2**20), (0, 0)),
        "shape beyond the numbers": _tensor_of(4, (2**30,), (1,)),
        "storage of 2^47": legacy(claimed, ("0",)),
        "views": _views(),
        "a number of 20 million digits": b"\x80\x02L" + b"9" * 20_000_000 + b"L\n" + STOP,
        "files in files": _russian_doll(),
        "copies": _copies(),
        "marks": b"\x80\x02" + b"(" * 1_900_000 + b"N" + STOP,
        "laughs": _laughs(),
        "tuples in tuples": b"\x80\x02)" + b"\x85" * 1_000_000 + STOP,
        "six million steps": b"\x80\x02" + b"N0" * 3_000_000 + b"N" + STOP,
        "a tuple of tuples as a key": b"\x80\x02})" + b"\x85" * 1_000_000 + b"Ns" + STOP,
        "lists in lists": b"\x80\x02" + b"]" * 500_000 + b"a" * 499_999 + STOP,
    }


HARMLESS = ("memo of a far index", "a tuple of tuples as a key", "marks")  # to a reader that keeps its memo in a dict


def _russian_doll() -> bytes:
    inner = storage_bytes(torch.zeros(1))
    for _ in range(8):
        inner = dumps(Called("torch.storage._load_from_bytes", inner))
    return inner


# --------------------------------------------------------------------------------------------------- good files


@contextlib.contextmanager
def module_named(path: str, **content: object):
    """A module of this name for as long as a file is written that names what is in it."""
    module = types.ModuleType(path)
    vars(module).update(content)
    sys.modules[path] = module
    try:
        yield
    finally:
        del sys.modules[path]


def good_files() -> dict[str, bytes]:
    """A small file of each layout."""
    torch.manual_seed(0)
    weights = {"conv.weight": torch.randn(2, 3, 3, 3), "steps": torch.tensor([7]), "half": torch.randn(5).bfloat16()}
    files = {}
    for name, options in {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}.items():
        stream = io.BytesIO()
        torch.save({"g_ema": weights, "lr": 0.1, "history": [1, 2, None]}, stream, **options)
        files[name] = stream.getvalue()
    state = {
        "_parameters": {"weight": nested_parameter(torch.randn(3, 4))},
        "_buffers": {"avg": nested_tensor(torch.ones(2))},
    }
    files["nvidia"] = dumps({"G_ema": nvidia_object("Generator", state), "D": None}, 3)
    files["bare"] = dumps({name: nested_tensor(tensor) for name, tensor in weights.items()})
    return files


# --------------------------------------------------------------------------------------------------- networks


def module_object(tensors: dict[str, torch.Tensor], path: str, attributes: dict[str, dict] | None = None) -> Object:
    """A torch module as it is pickled: objects by the paths of their classes, all called `path` here."""
    attributes = attributes or {}

    def module(place: str) -> Object:
        prefix = f"{place}." if place else ""
        inside = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        own = {key: nested_parameter(value) for key, value in inside.items() if "." not in key}
        children = dict.fromkeys(key.split(".")[0] for key in inside if "." in key)
        modules = {key: module(f"{prefix}{key}") for key in children}
        return Object(path, {"_parameters": own, "_buffers": {}, "_modules": modules, **attributes.get(place, {})})

    return module("")


# Of NVIDIA's modules, what is no parameter.
BUFFERS = (
    ("resample_filter", "noise_const", "w_avg")
    + ("up_filter", "down_filter", "magnitude_ema", "transform", "freqs", "phases")
)  # fmt: skip


def nvidia_network(class_name: str, tensors: dict[str, torch.Tensor], attributes: dict[str, dict]) -> Called:
    """A network of NVIDIA's programs.

    Args:
        class_name: of the outermost module.
        tensors: its state dict.
        attributes: dotted path of a module ("" is the outermost) → its plain attributes.

    Returns: what pickles as it does there.
    """

    def module(path: str, name: str) -> Called:
        prefix = f"{path}." if path else ""
        inside = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        own = {key: value for key, value in inside.items() if "." not in key}
        buffers = {key for key in own if key in BUFFERS}
        children = dict.fromkeys(key.split(".")[0] for key in inside if "." in key)
        state = {
            "training": False,
            "_parameters": {key: nested_parameter(value) for key, value in own.items() if key not in buffers},
            "_buffers": {key: nested_tensor(own[key]) for key in buffers},
            "_modules": {key: module(f"{prefix}{key}", key) for key in children},
        }
        for key, child in attributes.items():
            if key.rpartition(".")[0] == path and key and key.rpartition(".")[2] not in state["_modules"]:
                state["_modules"][key.rpartition(".")[2]] = nvidia_object("Layer", {"_modules": {}, **child})
        return nvidia_object(name, state | attributes.get(path, {}))

    return module("", class_name)


def ada_generator(tensors: dict[str, torch.Tensor], options: dict) -> Called:
    """A generator of stylegan2-ada-pytorch, of its tensors and the arguments that it was made with."""
    synthesis = options["synthesis_kwargs"]
    attributes: dict[str, dict] = {"": {name: options[name] for name in ("z_dim", "c_dim", "w_dim", "img_resolution")}}
    for name in {key.rpartition(".")[0] for key in tensors}:
        if name.startswith("synthesis.b") and name.count(".") == 1:
            attributes[name] = {"architecture": synthesis["architecture"], "use_fp16": False}
        elif name.startswith("synthesis.b") and name.endswith(("conv0", "conv1")):
            attributes[name] = {"activation": "lrelu", "conv_clamp": synthesis["conv_clamp"]}
        elif name.startswith("mapping.fc"):
            attributes[name] = {"activation": "lrelu", "bias_gain": 0.01}
    return nvidia_network("Generator", tensors, attributes)


def ada_discriminator(tensors: dict[str, torch.Tensor], options: dict) -> Called:
    """A discriminator of stylegan2-ada-pytorch, likewise."""
    attributes: dict[str, dict] = {"": {name: options[name] for name in ("c_dim", "img_resolution")}}
    group = options.get("epilogue_kwargs", {}).get("mbstd_group_size", 4)
    attributes["b4.mbstd"] = {"group_size": group}
    for name in {key.rpartition(".")[0] for key in tensors}:
        if name.startswith("b") and "." not in name:
            attributes[name] = {"architecture": options["architecture"]}
        elif name.endswith(("conv0", "conv1")):
            attributes[name] = {"activation": "lrelu", "conv_clamp": options["conv_clamp"]}
    return nvidia_network("Discriminator", tensors, attributes)


def alias_free_generator(tensors: dict[str, torch.Tensor], options: dict, about: dict[str, dict]) -> Called:
    """A generator of stylegan3, of its tensors, the arguments that it was made with, and what its layers say of themselves."""
    attributes: dict[str, dict] = {"": {name: options[name] for name in ("z_dim", "c_dim", "w_dim", "img_resolution")}}
    attributes |= {"synthesis": about["synthesis"], "synthesis.input": about["input"]}
    for name, layer in about["layers"].items():
        sizes = {key: np.array(layer[key]) for key in ("in_size", "out_size")}
        attributes[f"synthesis.{name}"] = layer | sizes
    for name in {key.rpartition(".")[0] for key in tensors}:
        if name.endswith((".affine", "mapping.embed")):
            attributes[name] = {"activation": "linear", "bias_gain": 1}
        elif name.startswith("mapping.fc"):
            attributes[name] = {"activation": "lrelu", "bias_gain": 0.01}
    return nvidia_network("Generator", tensors, attributes)
