"""Today's ten: the same pictures for everyone on one day, which cannot be computed beforehand.

What is drawn on a day follows from its date and a secret of the server, by HMAC: who knows the date and the model cannot draw the
day's fakes. The secret is GAN_HUB_GAME_SECRET, or a random one of this start. Replicas that share the variable deal the
same ten; without it each replica, and each start, has ten of its own.
"""

import datetime
import hashlib
import hmac
import os
import random
import secrets

from gan_hub.demo.inputs import BadInputError

SECRET_VARIABLE = "GAN_HUB_GAME_SECRET"
FIRST_DAY = datetime.date(2024, 1, 1)
_OWN_SECRET = secrets.token_hex(32)


def today() -> str:
    """The date of now in UTC, as links write it."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def check(day: object) -> str:
    """A day of the past or today as 2026-11-29, or "" for none. Raises BadInputError for anything else."""
    if day in ("", None):
        return ""
    try:
        date = datetime.date.fromisoformat(day) if isinstance(day, str) and len(day) == 10 else None
    except ValueError:
        date = None
    if date is None or not FIRST_DAY <= date <= datetime.date.fromisoformat(today()):
        raise BadInputError("bad_day", today=today(), first=FIRST_DAY.isoformat())
    return date.isoformat()


def chance(day: str, *names: object) -> random.Random:
    """What decides a round: of a day, always the same for the same `names`; without a day, the operating system."""
    if not day:
        return random.SystemRandom()
    secret = os.environ.get(SECRET_VARIABLE) or _OWN_SECRET
    message = "\n".join([day, *map(str, names)])
    return random.Random(hmac.new(secret.encode(), message.encode(), hashlib.sha256).digest())
