"""Plots of what checkpoints lose to corruptions: mIoU and calibration by level, one for each kind."""

from pathlib import Path

from matplotlib.figure import Figure

TITLES = {"miou": "mean IoU, %", "expected_calibration_error": "expected calibration error, %"}


def kinds_of(documents: dict[str, dict]) -> list[str]:
    """The kinds of corruption that were measured, in order."""
    entries = [entry for document in documents.values() for entry in document["found"]]
    return list(dict.fromkeys(entry["corruption"] for entry in entries if entry["level"]))


def corruption_figure(documents: dict[str, dict], figure: str = "miou") -> Figure:
    """One small plot per kind of corruption, a line per checkpoint from the clean images (level 0) to the worst."""
    kinds = kinds_of(documents)
    drawn = Figure(figsize=(10, 6), layout="constrained")
    plots = drawn.subplots(2, -(-len(kinds) // 2), sharex=True, sharey=True, squeeze=False).ravel()
    for axes, kind in zip(plots, kinds, strict=False):
        for name, document in documents.items():
            entries = [one for one in document["found"] if one["level"] == 0 or one["corruption"] == kind]
            points = [(one["level"], 100 * one[figure]) for one in entries if one[figure] is not None]
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
        axes.set(title=kind, xlabel="level", xticks=sorted({entry["level"] for entry in entries}), ylim=(0, None))
    for axes in plots[len(kinds) :]:
        axes.set_visible(False)
    for axes in plots[:: -(-len(kinds) // 2)]:
        axes.set_ylabel(TITLES[figure])
    drawn.legend(*plots[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    return drawn


def write_plots(documents: dict[str, dict], folder: Path) -> list[Path]:
    """Write corruptions-miou.svg and corruptions-expected-calibration-error.svg; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for figure in TITLES:
        paths.append(folder / f"corruptions-{figure.replace('_', '-')}.svg")
        corruption_figure(documents, figure).savefig(paths[-1], metadata={"Date": None})
    return paths
