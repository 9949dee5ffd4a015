"""`python -m mullama` is `mullama`."""

import sys

from mullama.cli import main

sys.exit(main())
