"""Measures every score in model_cards/ again, each by the command in its own card: `python benchmarks/rescore_zoo.py [MODEL …]`.

Prints what the card says, what was measured now, and whether that lies in the card's interval; ends with 1 where one does
not. Some five minutes a model on one CPU core (features are kept, so that a second call takes less).
"""

import shlex
import sys
import tempfile
from pathlib import Path

from gan_hub import cli
from gan_hub.hub.cards import SCORES_NAME
from gan_hub.hub.resolve import bundled_models
from gan_hub.model_folder.strict import read_json

ROUNDING = 1e-3  # relative, of scores without an interval: another kind of machine rounds differently


def main(names: list[str]) -> int:
    """The number of scores that were not found again, at most 1 as an exit code."""
    lost = 0
    for name in names or list(bundled_models()):
        card = read_json(bundled_models()[name] / SCORES_NAME)
        if "command" not in card:
            print(f"{name}: its card has no command that measures it again; its data are not to be had by a name")
            continue
        command = shlex.split(card["command"])
        absent = [word for word in command if word.startswith("your-") and not Path(word).exists()]
        if absent:
            checksum = card["provenance"]["extractor_sha256"]
            print(f"{name}: put the extractor's weights (sha256 {checksum}) here as {absent[0]}, to measure it again")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "again.json"
            code = cli.main([*command[1:], "--out", str(out)])
            if code:
                return code
            again = read_json(out)["scores"]
        for score, said in card["scores"].items():
            margin = ROUNDING * abs(said)
            low, high = card["intervals"].get(score, (said - margin, said + margin))
            found = score in again and low <= again[score] <= high
            lost += not found
            now = again.get(score, float("nan"))
            print(f"{name}: {score}: {said:.4g} in the card, {now:.4g} now, {'' if found else 'NOT '}as said")
    return min(lost, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
