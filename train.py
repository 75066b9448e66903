#!/usr/bin/env python
"""The same as `gan-hub train`, for a launcher: `accelerate launch train.py recipes/NAME.yaml [--key value ...]`."""

import sys

from gan_hub.training.command import main

if __name__ == "__main__":
    sys.exit(main())
