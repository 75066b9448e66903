"""Upper limits of what is read: small files can claim, or unpack to, more than a machine's memory.

All of it is checked by a file's header or by the sizes in its archive, before memory is allocated. The limit of pixels
is `images.MAX_PIXELS`.
"""

MAX_FILE_BYTES = 200_000_000  # of one image: a file, an archive's member, a table's cell
MAX_TABLE_BYTES, MAX_TABLE_ROWS = 64_000_000, 3_000_000  # of a file with labels; ImageNet's has 45 MB and 1.3 million
MAX_CLASSES = 10_000
MAX_MAP_CLASSES = 256  # a map has 8 bits a pixel
MAX_NAMES_BYTES = 1_000_000  # of a file with the names of a map's classes

# Arrays and columns are read as a whole, and honest ones may be large; but images never compress as well as this.
UNPACKED_BYTES = 100_000_000  # up to here any ratio is fine: an empty map packs to next to nothing
MAX_RATIO = 200  # unpacked to packed


class TooLargeError(ValueError):
    """A file above a limit, refused by its header."""


def check_unpacked(name: str, packed: int, unpacked: int) -> None:
    """Refuse a decompression bomb before it is unpacked.

    Args:
        name: the file or array, for the message.
        packed: its size as stored, in bytes.
        unpacked: the size that its header claims, in bytes.

    Raises:
        TooLargeError: above UNPACKED_BYTES and more than MAX_RATIO times the packed size.
    """
    if unpacked > UNPACKED_BYTES and unpacked > MAX_RATIO * packed:
        raise TooLargeError(
            f"{name} would unpack from {packed:,} to {unpacked:,} bytes; above {UNPACKED_BYTES // 10**6} MB at most "
            f"{MAX_RATIO} times the packed size are allowed"
        )
