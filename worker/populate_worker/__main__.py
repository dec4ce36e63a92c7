"""`python -m populate_worker` is `populate-worker`."""

import sys

from populate_worker.cli import main

sys.exit(main())
