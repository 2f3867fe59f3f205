"""``python -m acrtm``."""

import sys

from acrtm.main import main

sys.exit(main())
