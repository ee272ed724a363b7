"""The training loop: one run, from a recipe to a checkpoint folder, in one process or many (Hugging Face Accelerate).

Each step's crops and dropout are seeded by (seed, step) alone, so that a run resumed from its last saved state goes
on exactly as it would have. The run folder becomes the checkpoint folder: `training_args.json` and `metrics.jsonl`
from the start, `state.pt` while it runs, `config.json` and `model.safetensors` when it is done.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from evaluation.datasets import SegmentationDataset, open_dataset
from evaluation.evaluate import EvaluationError, confusion_matrices
from evaluation.metrics import scores
from training import TrainingError
from training.augmentation import TrainingCrops, crop_loader, plan_batches, steps_per_epoch
from training.device_augmentation import DeviceCrops
from training.losses import Loss, build_loss, median_frequency_weights
from training.optimization import build_average, build_optimizer, build_schedule
from training.processes import share_buffers, start_accelerator, total
from training.recipe import Recipe
from training.state import (
    METRICS_FILE,
    append_line,
    begin,
    check_folder,
    facts,
    keep_lines,
    load_state,
    note_resume,
    remove_states,
    save_state,
)
from training.weights import initial_model, pretraining
from zoo.checkpoint import read_info, save
from zoo.checkpoint_info import CheckpointInfo
from zoo.fcn import FCN

STEPS_BETWEEN_CHECKS = 20  # reading a loss off a GPU waits for it, so only every so many steps


@dataclass(frozen=True)
class Run:
    """What a run works with. `network` is `model` as Accelerate wrapped it; `average` is None without an EMA."""

    recipe: Recipe
    accelerator: Accelerator
    model: FCN
    network: nn.Module
    optimizer: AcceleratedOptimizer
    schedule: LRScheduler
    average: AveragedModel | None
    loss_function: Loss

    @property
    def stateful(self) -> dict:
        """Everything that a saved state holds."""
        parts = {"model": self.model, "optimizer": self.optimizer, "schedule": self.schedule}
        more = {"average": self.average, "scaler": self.accelerator.scaler}
        return parts | {name: part for name, part in more.items() if part is not None}

    @property
    def result(self) -> FCN:
        """The network that is validated and saved."""
        return self.model if self.average is None else self.average.module


def train(
    recipe: Recipe,
    data: str | Path,
    out: str | Path,
    *,
    start_from: FCN | None = None,
    resume: bool = False,
    device: str = "cpu",
    workers: int = 1,
    processes: int = 0,
    save_every: int = 0,
    tracker: str = "none",
    progress: bool = True,
) -> CheckpointInfo:
    """Train one model and write its checkpoint folder `out`; returns its CheckpointInfo.

    `start_from` gives its matching layers to the new model (staged training). With `resume` the run goes on from the
    newest good state in `out`; one is saved every `save_every` steps, 0 meaning every epoch. `processes` is how many
    must have been launched, 0 any number. Raises TrainingError for a folder in use and for a loss that is not finite,
    DatasetError and ValueError for data and recipe.
    """
    out = Path(out)
    accelerator = start_accelerator(recipe, device=device, expected=processes, tracker=tracker, out=out)
    training_set, validation_set = open_splits(recipe, data)
    check_folder(out, resume=resume)
    steps = steps_per_epoch(len(training_set), recipe)
    last = recipe.epochs * steps
    run = build_run(recipe, training_set, start_from, accelerator, last)
    step, losses = prepare_folder(out, run, resume=resume)
    batches = device_batches(run, training_set, step, last, workers)
    if tracker != "none":
        accelerator.init_trackers("training", config=recipe.to_dict())
    with progress_bar(step, last, shown=progress and accelerator.is_main_process) as bar:
        pending, miou = [], None
        while step < last:
            pending.append(take_step(run, batches, step))
            step += 1
            epoch_ends = step % steps == 0
            save_now = step == last or (step % save_every == 0 if save_every else epoch_ends)
            if epoch_ends or save_now or accelerator.device.type == "cpu" or len(pending) == STEPS_BETWEEN_CHECKS:
                losses += finite(pending, step)
                bar.update(len(pending))
                bar.set_postfix(loss=f"{losses[-1]:.3f}", **({} if miou is None else {"mIoU": f"{miou:.4f}"}))
                pending = []
            if epoch_ends:
                miou = record_epoch(run, out, step, step // steps, losses, validation_set) or miou
                losses = []
            if save_now and accelerator.is_main_process:
                save_state(out, recipe, step, run.stateful, losses)
    return finish(run, out, training_set, last, pretraining(recipe, start_from))


def open_splits(recipe: Recipe, data: str | Path) -> tuple[SegmentationDataset, SegmentationDataset | None]:
    """Training and validation images; held-out sequences of the training split are the validation where named."""
    whole = open_dataset(recipe.dataset, data, recipe.split)
    if recipe.hold_out:
        held_out = {sequence.strip() for sequence in recipe.hold_out.split(",")}
        return whole.select(held_out, exclude=True), whole.select(held_out)
    if not recipe.validate_every:
        return whole, None
    validation = open_dataset(recipe.validation_dataset or recipe.dataset, data, recipe.validation_split)
    shared = len(set(whole.image_paths) & set(validation.image_paths))
    if shared:
        raise TrainingError(
            f"validation_split: {shared} of its images are trained on too; make a folder for each split, --hold-out "
            "some sequences, or --validate-every 0"
        )
    return whole, validation


def build_run(recipe: Recipe, dataset: SegmentationDataset, start_from, accelerator: Accelerator, last: int) -> Run:
    """Model, optimizer, schedule and loss on the run's device, ready for `last` steps."""
    torch.manual_seed(recipe.seed)
    model = initial_model(recipe, dataset.labels, start_from)
    if recipe.sync_batch_norm:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    model = model.to(device=accelerator.device, memory_format=torch.channels_last)
    average = build_average(model, recipe.ema)
    optimizer = build_optimizer(model, recipe)
    schedule = build_schedule(optimizer, recipe, last)
    network, optimizer = accelerator.prepare(model, optimizer)
    if recipe.compile:
        network.compile()
    loss_function = recipe_loss(recipe, dataset, accelerator.device)
    return Run(recipe, accelerator, model, network, optimizer, schedule, average, loss_function)


def recipe_loss(recipe: Recipe, dataset: SegmentationDataset, device: torch.device) -> Loss:
    """The recipe's loss over the batches of all processes, with class weights counted on `dataset`."""
    weights = None
    if recipe.class_weights == "median-frequency":
        weights = median_frequency_weights(dataset).to(device)
    options = {"gamma": recipe.gamma, "class_weights": weights, "reduction": recipe.reduction, "total": total}
    return build_loss(recipe.loss, void=dataset.labels.void, **options)


def prepare_folder(out: Path, run: Run, *, resume: bool) -> tuple[int, list[float]]:
    """Create the run folder, or restore its state; returns the step to start with and the epoch's losses so far."""
    restored = load_state(out, run.recipe, run.stateful) if resume else None
    run.accelerator.wait_for_everyone()  # nobody changes the folder before everybody has looked at it
    if run.accelerator.is_main_process:
        if restored:
            keep_lines(out / METRICS_FILE, restored[0])
            note_resume(out, restored[0], run.accelerator.num_processes)
        else:
            begin(out, run.recipe, run.accelerator.num_processes)
    return restored or (0, [])


def device_batches(run: Run, dataset: SegmentationDataset, start: int, stop: int, workers: int) -> Iterator:
    """This process's batches of the steps start..stop-1 on its device: images float in [0, 1], targets uint8."""
    recipe, device = run.recipe, run.accelerator.device
    place = {"process": run.accelerator.process_index, "processes": run.accelerator.num_processes}
    plan = plan_batches(len(dataset), recipe, start, stop, **place)
    if recipe.augment_on == "device":
        yield from map(DeviceCrops(dataset, recipe, device), plan)
        return
    crops = TrainingCrops(dataset, recipe)
    for images, targets in crop_loader(crops, plan, workers=workers, pinned=device.type == "cuda"):
        images = images.to(device, non_blocking=True).to(memory_format=torch.channels_last)
        yield images.float() / 255, targets.to(device, non_blocking=True)


def take_step(run: Run, batches: Iterator, step: int) -> torch.Tensor:
    """Forward, backward and update on the next batches; returns the loss, still on the device."""
    recipe, accelerator, losses = run.recipe, run.accelerator, []
    run.network.train()
    for index in range(recipe.accumulate):
        images, targets = next(batches)
        # Dropout differs between the processes and batches of a step, and repeats when the step does.
        part = index * accelerator.num_processes + accelerator.process_index
        torch.manual_seed(recipe.seed * 1_000_003 + step + part * 2_654_435_761)
        with accelerator.accumulate(run.network):
            loss = run.loss_function(run.network(images), targets)
            # Accelerate divides by the number of accumulated batches, which is right for means only.
            accelerator.backward(loss * recipe.accumulate if recipe.reduction == "sum" else loss)
            if recipe.clip and accelerator.sync_gradients:
                accelerator.clip_grad_norm_(run.network.parameters(), recipe.clip)
            run.optimizer.step()
            run.optimizer.zero_grad()
        losses.append(loss.detach())
    if not accelerator.optimizer_step_was_skipped:  # by fp16's loss scaling
        run.schedule.step()
    if run.average is not None:
        run.average.update_parameters(run.model)
    values = torch.stack(losses)
    return values.sum() if recipe.reduction == "sum" else values.mean()


def finite(pending: list[torch.Tensor], step: int) -> list[float]:
    """The losses of the steps before `step` as numbers; TrainingError naming the first that is not finite."""
    values = torch.stack(pending).tolist()
    for index, value in enumerate(values, start=step - len(values)):
        if not math.isfinite(value):
            raise TrainingError(f"step {index}: loss is {value}; lower the learning rate or use precision fp32")
    return values


def record_epoch(run: Run, out: Path, step: int, epoch: int, losses: list[float], validation_set) -> float | None:
    """Validate where it is due and write the epoch's line of `metrics.jsonl`; returns the mIoU."""
    recipe, miou = run.recipe, None
    record = {"step": step, "epoch": epoch, "loss": sum(losses) / len(losses)}
    record["learning_rate"] = run.schedule.get_last_lr()[0]
    due = recipe.validate_every and (epoch % recipe.validate_every == 0 or epoch == recipe.epochs)
    if due and validation_set is not None:
        share_buffers(run.result)
        try:
            matrix = validation_matrix(run.result, validation_set, run.accelerator)
        except EvaluationError as error:
            raise TrainingError(f"step {step}: {error}; lower the learning rate or use precision fp32") from None
        miou = record["miou"] = scores(matrix, validation_set.labels.classes).miou
    if run.accelerator.is_main_process:
        append_line(out / METRICS_FILE, record)
    run.accelerator.log(record, step=step)
    return miou


def validation_matrix(model: FCN, dataset: SegmentationDataset, accelerator: Accelerator) -> torch.Tensor:
    """The split's (C, C) confusion matrix by the project's own evaluation, in bf16 for speed.

    The processes divide the images among themselves, none twice.
    """
    mine = dataset.subset(range(accelerator.process_index, len(dataset), accelerator.num_processes))
    matrices = confusion_matrices(model, mine, device=accelerator.device, precision="bf16", batch_size=4)
    return accelerator.reduce(matrices.sum(0).to(accelerator.device), reduction="sum").cpu()


def progress_bar(step: int, last: int, *, shown: bool) -> tqdm:
    """Steps done, with loss, mIoU and time left, on standard error."""
    return tqdm(total=last, initial=step, unit="step", disable=not shown, mininterval=5)


def finish(run: Run, out: Path, dataset: SegmentationDataset, last: int, pretrained: str | None) -> CheckpointInfo:
    """Write the checkpoint and remove the states that led to it."""
    if run.accelerator.is_main_process:
        training = facts(run.recipe, last, run.accelerator.num_processes, pretrained)
        save(run.result, out, labels=dataset.labels, loss=run.recipe.loss, training=training)
        remove_states(out)
    for tracker in run.accelerator.trackers:
        tracker.finish()
    run.accelerator.wait_for_everyone()
    return read_info(out)
