"""What a run looks at before it trains: every file of every split that it reads."""

import logging
import sys

from accelerate import Accelerator

from evaluation.datasets import SegmentationDataset
from evaluation.datasets.survey import survey
from training import TrainingError
from training.state import TRAINED_ON
from zoo.text import word_for

VALIDATED_ON = "validated on"


def look_at(
    training_set: SegmentationDataset,
    extra: SegmentationDataset | None,
    validation_set: SegmentationDataset | None,
    accelerator: Accelerator,
    *,
    progress: bool,
) -> dict:
    """Read every file before training and log what is odd; what identifies the images, for the run's record.

    `extra` is the recipe's other dataset, which is trained on too. Only the first process looks, the others get {}.
    Raises DatasetError for the first file that cannot be used, and TrainingError where the two splits name other
    classes.
    """
    if validation_set is not None and validation_set.labels.classes != training_set.labels.classes:
        raise TrainingError(
            f"validation_split: {validation_set.name} {validation_set.split} has other classes than "
            f"{training_set.name} {training_set.split}; give both one list of classes"
        )
    if not accelerator.is_main_process:
        return {}
    record, trained = {}, set()
    roles = (*TRAINED_ON, VALIDATED_ON)
    for role, dataset in zip(roles, (training_set, extra, validation_set), strict=True):
        if dataset is None:
            continue
        found = survey(dataset, progress=progress and sys.stderr.isatty())
        notes = [*dataset.notes, *found.notes()]
        if dataset is training_set and len(found.present()) == 1:
            raise TrainingError(
                f"{dataset.name} {dataset.split}: every labelled pixel of its masks is {found.present()[0]}, so there "
                "is nothing to tell apart; are the masks those of these photos?"
            )
        both = trained & set(found.digests)
        if both and role == VALIDATED_ON:
            notes.append(
                f"{len(both)} of its images {word_for(len(both), 'is', 'are')} trained on too, so its scores say little"
            )
        for note in notes:
            logging.warning("%s %s: %s", dataset.name, dataset.split, note)
        trained |= set(found.digests)
        digests = {"content_sha256": found.content, "order_sha256": found.in_order}
        record[role] = {"images": len(dataset), "classes": list(dataset.labels.classes)} | digests
    return record
