"""`python -m nnlab`: the command line where no script `nnlab` is installed."""

import sys

from nnlab.cli import main

sys.exit(main())
