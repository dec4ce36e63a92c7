"""`python -m populate_operator` is `populate`."""

import sys

from populate_operator.cli import main

sys.exit(main())
