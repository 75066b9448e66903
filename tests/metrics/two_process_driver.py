"""Run by test_evaluation.py, alone and under torchrun: the command line with parts of few images."""

import sys

from gan_hub import cli
from gan_hub.metrics import feature_cache
from gan_hub.metrics.distributed import ProcessGroup

if __name__ == "__main__":
    feature_cache.CHUNK = 9  # 45 images are five parts: one process has three of them, the other two
    code = cli.main(sys.argv[1:])
    print(f"{ProcessGroup(distributed=True).size} process(es)", file=sys.stderr)
    sys.exit(code)
