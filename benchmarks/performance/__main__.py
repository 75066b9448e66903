"""Measure what docs/performance.md says, and write it: `python -m benchmarks.performance --peers FOLDER [--only SECTION …]`.

A section that is not measured keeps what was stored of it. Some minutes of one core; no GPU.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from benchmarks.performance.page import SECTIONS, document
from gan_hub.atomic import write_text
from gan_hub.model_folder.strict import read_json, write_json
from gan_hub.training.diagnostics import hardware

ROOT = Path(__file__).parents[2]
RESULTS, PAGE = Path(__file__).with_name("results.json"), ROOT / "docs" / "performance.md"
DIGITS = 5  # of a stored figure


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="folder of the clones; without, the tables are of ours alone")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="sections to measure")
    parser.add_argument("--page", action="store_true", help="measure nothing: write the page from what is stored")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each variant")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="of our training steps")
    return parser.parse_args(arguments)


def machine() -> str:
    """The processor and the versions of what was measured."""
    versions = [f"torch {torch.__version__}"]
    for name in ("onnxruntime", "openvino"):
        try:
            from importlib.metadata import version

            versions.append(f"{name} {version(name)}")
        except ImportError:
            continue
    kinds = [name for name in ("avx512_bf16", "amx_bf16", "avx512f", "avx2") if capabilities().get(name)]
    return f"{hardware(torch.device('cpu'))}, {', '.join(kinds[:2])}, {os.cpu_count()} cores; {', '.join(versions)}"


def capabilities() -> dict:
    """What torch says of the processor."""
    return getattr(torch.cpu, "get_capabilities", dict)()


def processor_seconds() -> float:
    """Of this process and of those it started and that ended."""
    return sum(os.times()[:4])


def shortened(value: object) -> object:
    """The same figures with a few digits, which is all that a measurement has."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    return value


def main(arguments: list[str] | None = None) -> None:
    """Measure, store after every section, and write the page."""
    options = parse(arguments)
    torch.set_num_threads(1)
    results = read_json(RESULTS) if RESULTS.exists() else {}
    for name in [] if options.page else options.only:
        began = processor_seconds()
        raw = shortened(SECTIONS[name].measure(options))
        seconds = round(processor_seconds() - began)
        results[name] = {"machine": machine(), "seconds": seconds, "raw": raw}
        write_json(RESULTS, results)
        print(f"{name}: {seconds} seconds of the processor", flush=True)
    write_text(PAGE, document(results))
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
