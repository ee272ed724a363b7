# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = [
#   "torch>=2.11,<2.15",
#   "torchvision>=0.26,<0.30",
#   "accelerate>=1.10,<2",
#   "huggingface-hub>=2.4,<3",
#   "safetensors>=0.6,<1",
#   "torchmetrics>=1.8,<2",
#   "numpy>=2.0,<3",
#   "threadpoolctl>=3.5,<4",
#   "scipy>=1.14,<2",
#   "pillow>=11,<13",
#   "pillow-heif>=1.1,<2",
#   "tqdm>=4.66,<5",
#   "babel>=2.16,<3",
#   "pydantic>=2.11,<3",
# ]
# ///
"""`hf jobs uv run training/job.py FLAGS`: `python -m training FLAGS` from the repository mounted at /zoo.

README.md beside this file has the whole command. FCN_ZOO names another folder than /zoo.
"""

import os
import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run the command in the repository, which need not be writable."""
    repository = Path(os.environ.get("FCN_ZOO", "/zoo"))
    if not (repository / "training" / "__main__.py").is_file():
        sys.exit(f"{repository}: no training/__main__.py; mount the repository there, or name it in FCN_ZOO")
    sys.path.insert(0, str(repository))
    os.chdir(repository)
    from zoo.numbers import end_if_unreadable

    end_if_unreadable("python -m training")
    runpy.run_module("training", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
