"""log.jsonl of a run, and of the model that became of it: a line of JSON a moment, with numbers by name or one sentence."""

import json
from pathlib import Path

from tqdm import tqdm


def read_log(path: Path) -> list[dict]:
    """The valid lines of a log. Others are left out, which a note says, except for a last line that was cut off."""
    texts = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    lines = [_record(text) for text in texts]
    odd = [number for number, line in enumerate(lines[:-1], start=1) if line is None]
    if odd:
        tqdm.write(f"note: {path}: {len(odd)} line(s) are no records, and are left out; the first is line {odd[0]}.")
    return [line for line in lines if line is not None]


def _record(text: str) -> dict | None:
    """One line of a log: the images seen, and numbers by name or a sentence; None where it is anything else."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict) or type(line.get("images")) is not int:
        return None
    sentences = all(isinstance(line[name], str) for name in ("alarm", "note") if name in line)
    numbers = all(type(value) in (int, float) for name, value in line.items() if name not in ("alarm", "note"))
    return line if sentences and numbers else None
