"""`python -m gan_hub.cli` is `gan-hub`."""

import sys

from gan_hub.cli.program import main

sys.exit(main())
