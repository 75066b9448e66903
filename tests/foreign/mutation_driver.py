"""Reads damaged files, one after the other, in one process under the reader's own limits; prints what came of them as JSON.

`python mutation_driver.py SEED COUNT` reads good files by name from FILES, a folder, in the environment.
"""

import io
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path

from gan_hub.foreign.child import limit_resources, read_into, seal
from gan_hub.foreign.inert import ForeignError


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The file with some bytes changed, cut out, doubled, or with its end missing."""
    damaged = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8))):
        place = dice.randrange(len(damaged))
        match dice.randrange(5):
            case 0:
                damaged[place] ^= 1 << dice.randrange(8)
            case 1:
                damaged[place] = dice.randrange(256)
            case 2:
                del damaged[place : place + dice.randrange(1, 16)]
            case 3:
                damaged[place:place] = damaged[max(0, place - dice.randrange(1, 64)) : place]
            case _:
                del damaged[max(2, place) :]
        if not damaged:
            break
    return bytes(damaged)


def main(seed: int, count: int) -> None:
    files = [path.read_bytes() for path in sorted(Path(os.environ["FILES"]).iterdir())]
    dice, outcomes = random.Random(seed), Counter()
    limit_resources(count * 1_000_000)
    seal()
    for number in range(count):
        data = mutated(files[number % len(files)], dice)
        try:
            read_into(memoryview(data), io.StringIO(), io.BytesIO())
            outcomes["read"] += 1
        except ForeignError as error:
            outcomes["refused"] += 1
            if "\n" in str(error) or not str(error):
                outcomes["no sentence"] += 1
        except MemoryError:
            outcomes["memory"] += 1
        except BaseException as error:
            outcomes[f"{type(error).__name__}: {error}"] += 1
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
