"""``python -m soul_core``: hands over to the command line. It knows no command."""

import sys

from soul_core.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
