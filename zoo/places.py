"""Where things lie in this repository, whatever folder a command is started in."""

from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
BUNDLED = REPOSITORY / "zoo" / "checkpoints" / "bundled"
RESULTS = REPOSITORY / "evaluation" / "results"
RECIPES = REPOSITORY / "training" / "recipes"
SEEDS = REPOSITORY / "training" / "seeds"


def folder_for_results() -> Path:
    """Where a new result goes unless another folder is named: beside the shipped ones; installed, in ./results."""
    return RESULTS if (REPOSITORY / "pyproject.toml").is_file() else Path("results")
