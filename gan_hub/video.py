"""MP4 films of pictures, where a program that encodes them is installed: ffmpeg, or the package imageio-ffmpeg."""

import importlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from gan_hub.images import as_json, normalize_pil

QUALITY = "12"  # x264's constant rate factor: 0 is lossless, 23 its default
SECONDS = 300.0  # that encoding may take


def encoder() -> str | None:
    """The program that encodes films; None where there is none."""
    program = shutil.which("ffmpeg")
    if program is not None:
        return program
    try:
        return importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()
    except (ImportError, RuntimeError):  # not installed, or installed without its program
        return None


def save_video(
    images: Sequence[Image.Image], path: str | Path, seconds_per_frame: float = 0.05, **metadata: object
) -> None:
    """Save an MP4 (H.264), which every player and network takes; it loses a little, and has no opacity.

    Args:
        images: Its frames of one size, one or more. Sides of odd length get a row or column of white.
        path: The `.mp4`.
        seconds_per_frame: How long each is visible.
        metadata: How it was made, as JSON in the comment; fields of None are left out.

    Raises:
        ValueError: for no frames, another file ending, or where there is no encoder or it fails.
    """
    program, path = encoder(), Path(path)
    if program is None:
        raise ValueError("there is no encoder of MP4 here; `pip install imageio-ffmpeg` brings one.")
    if path.suffix != ".mp4" or not images:
        raise ValueError(f"{path.name}, {len(images)} frames: a film ends in .mp4 and has at least one frame.")
    width, height = (side + side % 2 for side in images[0].size)
    frames = np.full((len(images), height, width, 3), 255, np.uint8)
    for frame, image in zip(frames, images, strict=True):
        frame[: image.height, : image.width] = np.asarray(normalize_pil(image, 3))
    into = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {1 / seconds_per_frame:.6f} -i -".split()
    out = f"-c:v libx264 -crf {QUALITY} -pix_fmt yuv420p -movflags +faststart".split()
    command = [program, "-loglevel", "error", "-y", *into, *out, "-metadata", f"comment={as_json(metadata)}", str(path)]
    try:
        subprocess.run(command, input=frames.tobytes(), capture_output=True, check=True, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        path.unlink(missing_ok=True)
        reason = getattr(error, "stderr", None) or str(error).encode()
        raise ValueError(f"the encoder could not write {path.name}: {reason.decode(errors='replace')[:200]}") from None
