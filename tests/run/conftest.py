"""Makes the helper modules of this folder importable, for the tests and for the worker processes that they start."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
