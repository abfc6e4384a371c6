"""Makes the helper modules of this folder importable, and what hypothesis tries the same in every run."""

import sys
from pathlib import Path

from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.load_profile("same")
sys.path.append(str(Path(__file__).parent))
