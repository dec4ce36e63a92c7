"""`python -m populate_operator.kube` is `populate-operator`."""

import sys

from populate_operator.kube.main import main

if __name__ == "__main__":
    sys.exit(main())
