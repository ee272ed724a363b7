"""Labels that may be wrong: pixels where every trained checkpoint is sure of the same other class.

Networks trained with noisy labels still agree with the truth more often than with the noise (Northcutt et al. 2021,
arXiv 1911.00068); where several agree against a label, a look at it pays.
"""

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from evaluation.datasets.checking.findings import Check, Finding, percent
from evaluation.datasets.pairing import some
from zoo.text import counted, word_for

SURE = 0.9  # least confidence of every checkpoint
SUSPICIOUS = 0.02  # share of an image's labelled pixels
TIMES_USUAL = 3
SHOWN = 12
Predict = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def contradicted(mask: np.ndarray, answers: list[tuple[np.ndarray, np.ndarray]], void: int) -> np.ndarray:
    """(H, W) bool: where all answers, of class ids (H, W) and confidence in [0, 1], are sure of one other class."""
    first = answers[0][0]
    agreed = np.logical_and.reduce([(ids == first) & (confidence >= SURE) for ids, confidence in answers])
    return agreed & (first != mask) & (mask != void)


def suspect_findings(found: Check, checkpoints: dict[str, Predict], *, progress: bool = False) -> list[Finding]:
    """Findings on the images whose labels all `checkpoints` contradict, in each split that could be read."""
    findings = []
    for name, split in found.splits.items():
        dataset, shares = split.dataset, np.zeros(len(split.looks))
        usable = [index for index, look in enumerate(split.looks) if look]
        for index in tqdm(usable, desc=f"labels of {name}", unit=" images", disable=not progress, mininterval=1):
            image, mask = dataset.image(index), dataset.mask(index)
            answers = [predict(image) for predict in checkpoints.values()]
            labelled = (mask != dataset.labels.void).sum()
            shares[index] = contradicted(mask, answers, dataset.labels.void).sum() / max(1, labelled)
        usual = float(np.median(shares[usable])) if usable else 0.0
        order = [int(index) for index in np.argsort(-shares, kind="stable")]
        suspects = [index for index in order if shares[index] > max(SUSPICIOUS, TIMES_USUAL * usual)]
        if suspects:
            files = tuple(dataset.mask_paths[index] for index in suspects)
            text = f"{counted(len(suspects), 'mask')} may be wrong: "
            text += f"{counted(len(checkpoints), 'checkpoint speaks', 'checkpoints agree')} against up to "
            text += f"{percent(shares[suspects[0]])} of {word_for(len(suspects), 'its', 'their')} pixels, "
            text += f"the usual is {percent(usual)} ({some(files)})"
            findings.append(Finding("warning", "labels", name, text, files, tuple(suspects[:SHOWN])))
    return findings
