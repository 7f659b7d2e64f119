"""``python -m par.cli`` is ``par``."""

import sys

from par.cli._main import main

sys.exit(main())
