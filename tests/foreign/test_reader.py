"""The reader of foreign files: tensors come out bit-equal, and nothing in a file is ever run, believed or waited for."""

import argparse
import ast
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gan_hub.foreign import child
from gan_hub.foreign.read import ForeignObject, read_foreign
from gan_hub.model_folder.strict import LoadError
from tests.foreign import made_pickles

ROOT = Path(__file__).resolve().parents[2]
PAYLOADS = list(made_pickles.payloads(Path("unused")))
BOMBS = list(made_pickles.bombs())
GUARDS = {  # bomb → what refuses it, before a limit of the process would
    "deflated": "compressed or encrypted entries",
    "strides of 0": "claims more numbers than the file holds",
    "shape beyond the numbers": "claims more numbers than the file holds",
    "storage of 2^47": "other sizes than it says",
    "tuples in tuples": "nested too deeply",
    "laughs": "more objects than any network has",
    "views": "more memory than the whole file",
    "six million steps": "steps",
    "files in files": "nested too deeply",
}


def everything() -> dict[str, object]:
    """A checkpoint with all that programs put into theirs."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).to(
        memory_format=torch.channels_last
    )
    return {
        "weights": network.state_dict(),
        "network": network,
        "options": argparse.Namespace(size=64, taps=[1, 3, 3, 1]),
        "array": np.arange(6, dtype=">f4").reshape(2, 3).T,
        "scalar": np.float32(2.5),
        "view": torch.arange(10)[2:8:2],
        "bfloat16": torch.randn(3, 3).bfloat16(),
        "nothing": torch.empty(0, 4),
        "numbers": {1: -1, 2: float("inf"), "long": 2**62},
        "set": {"a"},
    }


def check_everything(found: dict) -> None:
    expected = everything()
    for name, tensor in expected["weights"].items():
        assert torch.equal(found["weights"][name], tensor) and found["weights"][name].dtype == tensor.dtype
    for name in ("view", "bfloat16", "nothing"):
        assert torch.equal(found[name], expected[name]) and found[name].dtype == expected[name].dtype
    assert found["array"].tolist() == expected["array"].tolist()
    assert found["scalar"] == 2.5 and found["numbers"] == expected["numbers"] and found["set"] == ["a"]
    assert found["options"] == ForeignObject("argparse.Namespace", state={"size": 64, "taps": [1, 3, 3, 1]})
    network = found["network"]
    assert network.path == "torch.nn.modules.container.Sequential"
    first = network.attributes["_modules"]["0"].attributes["_parameters"]
    assert torch.equal(first["weight"], expected["network"][0].weight)


@pytest.mark.parametrize("new_format", [True, False])
def test_a_file_of_torch_comes_out_bit_equal(tmp_path, new_format):
    torch.save(everything(), tmp_path / "a.pt", _use_new_zipfile_serialization=new_format)
    check_everything(read_foreign(tmp_path / "a.pt"))


@pytest.mark.parametrize("protocol", range(6))
def test_a_bare_pickle_of_any_protocol_comes_out_bit_equal(tmp_path, protocol):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(everything(), protocol))
    check_everything(read_foreign(tmp_path / "a.pkl"))


def test_nvidias_layout_comes_out_without_its_source(tmp_path):
    (tmp_path / "a.pkl").write_bytes(made_pickles.good_files()["nvidia"])
    found = read_foreign(tmp_path / "a.pkl")
    network = found["G_ema"]
    assert network.path == "nvidia.Generator" and found["D"] is None and "ran" not in repr(found)
    assert network.attributes["_parameters"]["weight"].shape == (3, 4)
    assert network.attributes["_buffers"]["avg"].tolist() == [1, 1]


def test_safetensors_are_read_as_they_are(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    assert read_foreign(tmp_path / "a.safetensors")["a"].tolist() == [1, 1]


@pytest.mark.parametrize("container", made_pickles.CONTAINERS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_is_not_run(tmp_path, monkeypatch, payload, container):
    sentinel = tmp_path / "ran"
    monkeypatch.setenv("GAN_HUB_SENTINEL", str(sentinel))
    file = tmp_path / "evil.pkl"
    file.write_bytes(made_pickles.CONTAINERS[container](made_pickles.payloads(sentinel)[payload]))
    try:
        read_foreign(file)
    except LoadError as error:
        assert one_sentence(error, file) and "RuntimeError" not in str(error)  # else the second lock had to hold
    assert not sentinel.exists()


def test_the_payloads_do_run_where_something_unpickles_them(tmp_path):
    """So that the test before is about something."""
    for name in ("system", "exec", "inst", "obj"):
        sentinel = tmp_path / name
        pickle.loads(made_pickles.payloads(sentinel)[name])
        assert sentinel.exists(), name


@pytest.mark.parametrize("bomb", [bomb for bomb in BOMBS if bomb not in made_pickles.HARMLESS])
def test_a_bomb_ends_in_one_sentence(tmp_path, bomb):
    file = tmp_path / "bomb.pkl"
    file.write_bytes(made_pickles.bombs()[bomb])
    with pytest.raises(LoadError) as caught:
        read_foreign(file)
    assert one_sentence(caught.value, file) and "RuntimeError" not in str(caught.value)
    assert GUARDS.get(bomb, "") in str(caught.value)


@pytest.mark.parametrize("bomb", made_pickles.HARMLESS)
def test_a_bomb_that_only_a_naive_reader_believes_is_read_as_what_it_is(tmp_path, bomb):
    (tmp_path / "bomb.pkl").write_bytes(made_pickles.bombs()[bomb])
    assert len(repr(read_foreign(tmp_path / "bomb.pkl"))) < 100


def one_sentence(error: Exception, file: Path) -> bool:
    text = str(error)
    return text.startswith(f"{file}: ") and text.endswith(".") and "\n" not in text and len(text) < len(str(file)) + 450


@pytest.mark.parametrize("seed", range(10))
def test_a_thousand_damaged_files_are_read_or_refused(tmp_path, seed):
    for name, data in made_pickles.good_files().items():
        (tmp_path / name).write_bytes(data)
    environment = os.environ | {"FILES": str(tmp_path), "PYTHONPATH": str(ROOT)}
    driver = [sys.executable, str(ROOT / "tests/foreign/mutation_driver.py"), str(seed), "1000"]
    done = subprocess.run(driver, env=environment, capture_output=True, text=True, timeout=300)
    outcomes = json.loads(done.stdout)
    assert sum(outcomes.values()) == 1000 and outcomes.keys() <= {"read", "refused"}, outcomes


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"<html>", "neither a zip file of torch nor a pickle"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
        (made_pickles.zipped(b"\x80\x02N.")[:-30], "damaged or cut off"),
        (b"\x80\x02cdnnlib.tflib.network\nNetwork\n)\x81.", "a pickle of a TensorFlow program"),
        (made_pickles._zip_of({"a/data.pkl": b"\x80\x02N.", "a/constants.pkl": b""}), "a TorchScript program"),
        (made_pickles._zip_of({"a/b.txt": b"x"}), "a zip file, but none of torch"),
        (made_pickles.dumps(made_pickles.Called("posix.system", "ls")), "it asks to call posix.system"),
        (b"\x80\x02\x82\x01.", "a step that no file of a network has (EXT1)"),
    ],
)
def test_what_is_no_checkpoint_is_told_by_its_kind(tmp_path, data, words):
    (tmp_path / "file.pkl").write_bytes(data)
    with pytest.raises(LoadError) as caught:
        read_foreign(tmp_path / "file.pkl")
    assert words in str(caught.value) and one_sentence(caught.value, tmp_path / "file.pkl")


def test_a_folder_a_fifo_and_nothing_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "missing", "."):
        with pytest.raises(LoadError, match="not found, or not a regular file"):
            read_foreign(tmp_path / name)


def test_the_sealed_process_can_do_nothing_but_compute(tmp_path):
    code = """
import os, socket, subprocess, sys
sys.path.insert(0, sys.argv[1])
from gan_hub.foreign.child import seal
seal()
def attempts():
    yield lambda: open("/etc/hostname")
    yield lambda: os.system("true")
    yield lambda: os.remove("x")
    yield lambda: os.listdir(".")
    yield lambda: subprocess.Popen(["true"])
    yield lambda: socket.socket()
    yield lambda: exec("1")
    yield lambda: eval("1")
    yield lambda: __import__("sqlite3")
    yield lambda: sys.settrace(None)
for number, attempt in enumerate(attempts()):
    try:
        attempt()
        print("did", number)
    except RuntimeError:
        pass
os.write(1, b"end")
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-I", "-c", code, str(ROOT)], capture_output=True, text=True, timeout=60)
    assert done.stdout == "end", done


def test_the_process_of_the_reader_has_limits():
    code = (
        "import sys, resource; sys.path.insert(0, sys.argv[1]); from gan_hub.foreign.child import limit_resources as l;"
    )
    code += "l(10**6); print([resource.getrlimit(getattr(resource, 'RLIMIT_' + n))[0] for n in ('AS', 'CPU', 'NOFILE', 'NPROC')])"
    done = subprocess.run([sys.executable, "-I", "-c", code, str(ROOT)], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout) == [child.SPARE_MEMORY + 4 * 10**6, child.seconds_for(10**6), 32, 0]


def test_the_readers_process_imports_neither_torch_nor_pickles_loader():
    """What the process runs is what its files import, and they import each other, numpy and few modules of Python."""
    allowed = {"codecs", "collections", "contextlib", "dataclasses", "io", "json", "math", "mmap", "numpy", "os",
               "pickletools", "resource", "struct", "sys", "typing", "zipfile"}  # fmt: skip
    for name in ("child", "containers", "encode", "inert", "opcodes", "rebuild"):
        tree = ast.parse((ROOT / f"gan_hub/foreign/{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for each in names:
                assert each.split(".")[0] in allowed or each.startswith("gan_hub.foreign"), f"{name}: {each}"
