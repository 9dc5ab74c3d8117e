"""Where the project's own folders are."""
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent  # data/ and runs/ lie beside the scripts
RUNS = PROJECT_ROOT / 'runs'
DATA = PROJECT_ROOT / 'data'
