"""``python -m sync`` is ``engage-sync``."""

import sys

from sync.cli import main

sys.exit(main())
