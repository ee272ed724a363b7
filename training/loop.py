"""The training loop: one run, from a recipe to a checkpoint folder, in one process or many (Hugging Face Accelerate).

Each step's crops and dropout are seeded by (seed, step) alone, so that a run resumed from its last saved state goes
on exactly as it would have. The run folder becomes the checkpoint folder: `training_args.json` and `metrics.jsonl`
from the start, `state.pt` while it runs, `config.json` and `model.safetensors` when it is done.
"""

import math
import time
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

from evaluation.counting.confusion import foreground
from evaluation.datasets import SegmentationDataset
from evaluation.measuring.evaluate import EvaluationError, confusion_matrices
from training import OutOfTime, TrainingError
from training.augmentation import TrainingCrops, crop_loader, plan_batches, steps_per_epoch
from training.device_augmentation import AT_ONCE, DeviceCrops, device_crops
from training.distillation import check_images, divergence, identity, ready_teacher, taught_images
from training.examination import look_at
from training.losses import Loss, build_loss, listed_weights, median_frequency_weights
from training.mixture import (
    Labelled,
    Mixture,
    labelled_classes,
    labelled_miou,
    open_extra,
    restrict,
    sizes,
    unlabelled_probability,
)
from training.optimization import build_average, build_optimizer, build_schedule
from training.processes import computed_precision, share_buffers, start_accelerator, total
from training.recipe import Recipe
from training.splits import open_splits
from training.state import (
    METRICS_FILE,
    append_line,
    begin,
    check_folder,
    check_same_data,
    facts,
    keep_lines,
    load_state,
    note_resume,
    recorded_recipe,
    remove_states,
    save_state,
)
from training.weights import initial_model, pretraining
from training.working_size import working_size
from zoo.checkpoints.folder import read_info, save
from zoo.checkpoints.information import CheckpointInfo
from zoo.models.fcn import FCN
from zoo.models.torch_engine import multiplies_bfloat16
from zoo.text import counted

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
    teacher: nn.Module | None
    void: int
    cooling: range  # steps of the cool-down; empty at the run's end without one

    def cooled(self, step: int) -> float:
        """Factor on the scheduled learning rate of a step."""
        if not self.cooling or step < self.cooling.start:
            return 1.0
        return max(0, self.cooling.stop - step) / len(self.cooling)

    @property
    def computed(self) -> dict:
        """By how many processes and in what precision the run is computed."""
        precision = computed_precision(self.recipe, self.accelerator.device)
        return {"processes": self.accelerator.num_processes, "precision": precision}

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
    teacher: nn.Module | None = None,
    extra_data: str | Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    workers: int = 1,
    processes: int = 0,
    save_every: int = 0,
    tracker: str = "none",
    progress: bool = True,
    deadline: float = math.inf,
) -> CheckpointInfo:
    """Train one model and write its checkpoint folder `out`; returns its CheckpointInfo.

    `start_from` gives its matching layers to the new model (staged training), `teacher` is the checkpoint that
    `distill_from` names. `extra_data` is the folder of the
    recipe's other dataset. With `resume` the run goes on from the
    newest good state in `out`; one is saved every `save_every` steps, 0 meaning every epoch. `processes` is how many
    must have been launched, 0 any number. At `deadline`, a time of `time.monotonic()`, the run of one process saves its
    state and raises OutOfTime. Raises TrainingError for a folder in use and for a loss that is not finite,
    DatasetError and ValueError for data and recipe.
    """
    out = Path(out)
    accelerator = start_accelerator(recipe, device=device, expected=processes, tracker=tracker, out=out)
    training_set, validation_set = open_splits(recipe, data)
    extra = open_extra(recipe, extra_data)
    mixture = training_set if extra is None else Mixture(training_set, extra)
    check_images(recipe, mixture)
    check_folder(out, resume=resume)
    data = look_at(training_set, extra, validation_set, accelerator, progress=progress)
    if data and teacher is not None:
        data["taught by"] = identity(teacher)
    if resume and data:
        check_same_data(out, data)
    steps = steps_per_epoch(len(training_set), recipe)
    last = recipe.last_epoch * steps
    options = {"teacher": teacher, "photos": mixture}
    run = build_run(recipe, training_set, start_from, accelerator, recipe.epochs * steps, **options)
    step, losses = prepare_folder(out, run, data, resume=resume)
    batches = device_batches(run, mixture, step, last, workers)
    if tracker != "none":
        accelerator.init_trackers("training", config=recipe.to_dict())
    with progress_bar(step, last, shown=progress and accelerator.is_main_process) as bar:
        pending, miou = [], None
        while step < last:
            pending.append(take_step(run, batches, step))
            step += 1
            epoch_ends = step % steps == 0
            late = step < last and time.monotonic() >= deadline
            save_now = step == last or late or (step % save_every == 0 if save_every else epoch_ends)
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
            if late:
                raise OutOfTime(
                    f"{out}: time is up after {step} of {counted(last, 'step')}; resume it to go on from there"
                )
    return finish(run, out, training_set, last, pretraining(recipe, start_from))


def build_run(
    recipe: Recipe,
    dataset: SegmentationDataset,
    start_from: FCN | None,
    accelerator: Accelerator,
    last: int,
    *,
    teacher: nn.Module | None = None,
    photos: SegmentationDataset | Mixture | None = None,
) -> Run:
    """Model, optimizer, schedule, loss and teacher on the run's device; the schedule is laid out for `last` steps.

    `photos` are looked at where the recipe prunes, those of `dataset` by default.
    """
    teacher = ready_teacher(recipe, teacher, dataset.labels, accelerator.device)
    torch.manual_seed(recipe.seed)
    seen = dataset if photos is None else photos
    model = initial_model(recipe, dataset.labels, start_from, seen, device=accelerator.device)
    freeze(model, recipe)
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
    end = last * recipe.last_epoch // recipe.epochs
    cooling = range(end - round(recipe.cool_down * end), end)
    parts = model, network, optimizer, schedule, average, loss_function, teacher
    return Run(recipe, accelerator, *parts, dataset.labels.void, cooling)


def freeze(model: FCN, recipe: Recipe) -> None:
    """Take the recipe's first stages of the encoder out of training; TrainingError if there are not so many."""
    if not recipe.frozen_stages:
        return
    stages = len(model.encoder.stages)
    if recipe.frozen_stages > stages:
        raise TrainingError(f"frozen_stages: {recipe.frozen_stages}, but {recipe.backbone} has {stages}")
    model.encoder.stages[: recipe.frozen_stages].requires_grad_(False)


def recipe_loss(recipe: Recipe, dataset: SegmentationDataset, device: torch.device) -> Loss:
    """The recipe's loss over the batches of all processes, with class weights counted on `dataset`."""
    weights = None
    if recipe.class_weights == "median-frequency":
        weights = median_frequency_weights(dataset).to(device)
    elif recipe.class_weights != "none":
        listed, classes = listed_weights(recipe.class_weights), dataset.labels.classes
        if len(listed) != len(classes):
            raise TrainingError(
                f"class_weights: {counted(len(listed), 'number')} for {counted(len(classes), 'class', 'classes')}; "
                f"give one for each of {', '.join(classes)}"
            )
        weights = torch.tensor(listed, device=device)
    options = {"gamma": recipe.gamma, "class_weights": weights, "reduction": recipe.reduction, "total": total}
    return build_loss(recipe.loss, void=dataset.labels.void, **options)


def prepare_folder(out: Path, run: Run, data: dict, *, resume: bool) -> tuple[int, list[float]]:
    """Create the run folder, or restore its state; returns the step to start with and the epoch's losses so far."""
    restored = load_state(out, run.recipe, run.stateful) if resume else None
    if restored:
        check_end(out, run, restored[0])
    run.accelerator.wait_for_everyone()  # nobody changes the folder before everybody has looked at it
    if run.accelerator.is_main_process:
        if restored:
            keep_lines(out / METRICS_FILE, restored[0])
            note_resume(out, run.recipe, restored[0], run.computed)
        else:
            begin(out, run.recipe, run.computed, data)
    return restored or (0, [])


def check_end(out: Path, run: Run, step: int) -> None:
    """Raise TrainingError where a run that has taken `step` steps is now to end or to cool down before them."""
    before = recorded_recipe(out)
    changed = any(getattr(before, name) != getattr(run.recipe, name) for name in ("stop_epoch", "cool_down"))
    if changed and (run.cooling.start < step or run.cooling.stop < step):
        raise TrainingError(
            f"stop_epoch, cool_down: {counted(step, 'step is', 'steps are')} done, more than the "
            f"{run.cooling.start} at full rate that these leave; give a later end or a shorter cool-down"
        )


def device_batches(
    run: Run, dataset: SegmentationDataset | Mixture, start: int, stop: int, workers: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, Labelled | None]]:
    """This process's batches of the steps start..stop-1 on its device.

    Images float in [0, 1], targets uint8, and what the images' masks label, None for every class.
    """
    recipe, device = run.recipe, run.accelerator.device
    place = {"process": run.accelerator.process_index, "processes": run.accelerator.num_processes}
    images, extra = sizes(dataset)
    plan = plan_batches(images, recipe, start, stop, extra=extra, **place)
    if recipe.augment_on == "device":
        together = AT_ONCE if device.type == "cuda" else 1
        batches = device_crops(DeviceCrops(dataset, recipe, device), plan, together)
    else:
        batches = crop_loader(TrainingCrops(dataset, recipe), plan, workers=workers, pinned=device.type == "cuda")
    for items, (crops, targets) in zip(plan, batches, strict=True):
        labelled = labelled_classes(dataset, [index for index, _ in items])
        labelled = labelled and labelled.to(device)
        if not crops.is_floating_point():
            crops = crops.to(device, non_blocking=True).to(memory_format=torch.channels_last).float() / 255
        yield crops, targets.to(device, non_blocking=True), labelled


def take_step(run: Run, batches: Iterator, step: int) -> torch.Tensor:
    """Forward, backward and update on the next batches; returns the loss, still on the device."""
    recipe, accelerator, losses = run.recipe, run.accelerator, []
    run.network.train()
    if recipe.frozen_stages:
        run.model.encoder.stages[: recipe.frozen_stages].eval()  # batch norm there keeps its statistics too
    for index in range(recipe.accumulate):
        images, targets, labelled = next(batches)
        # Dropout differs between the processes and batches of a step, and repeats when the step does.
        part = index * accelerator.num_processes + accelerator.process_index
        torch.manual_seed(recipe.seed * 1_000_003 + step + part * 2_654_435_761)
        with accelerator.accumulate(run.network):
            loss = batch_loss(run, images, targets, labelled)
            # Accelerate divides by the number of accumulated batches, which is right for means only.
            accelerator.backward(loss * recipe.accumulate if recipe.reduction == "sum" else loss)
            if recipe.clip and accelerator.sync_gradients:
                accelerator.clip_grad_norm_(run.network.parameters(), recipe.clip)
            for group, rate in zip(run.optimizer.param_groups, run.schedule.get_last_lr(), strict=True):
                group["lr"] = rate * run.cooled(step)
            run.optimizer.step()
            run.optimizer.zero_grad()
        losses.append(loss.detach())
    if not accelerator.optimizer_step_was_skipped:  # by fp16's loss scaling
        run.schedule.step()
    if run.average is not None:
        run.average.update_parameters(run.model)
    values = torch.stack(losses)
    return values.sum() if recipe.reduction == "sum" else values.mean()


def batch_loss(run: Run, images: torch.Tensor, targets: torch.Tensor, labelled: Labelled | None) -> torch.Tensor:
    """The recipe's loss, over the labelled classes alone where an image's masks leave some out (`training.mixture`).

    The penalty and the teacher (`training.distillation`) add their parts.
    """
    recipe, logits = run.recipe, run.network(images)
    loss = run.loss_function(restrict(logits, labelled), targets)
    if labelled is not None and recipe.unlabelled_penalty:
        found = unlabelled_probability(logits, targets, labelled, void=run.void, total=total)
        loss = loss + recipe.unlabelled_penalty * found
    if run.teacher is not None:
        seen, learned = (taught_images(recipe, batch, labelled) for batch in (images, logits))
        with torch.no_grad(), run.accelerator.autocast():
            given = run.teacher(seen) if len(seen) else learned
        options = {"pixels": targets.numel(), "temperature": recipe.distill_temperature, "total": total}
        loss = loss + recipe.distill_weight * divergence(learned, given, **options)
    return loss


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
    record["learning_rate"] = run.schedule.get_last_lr()[0] * run.cooled(step)
    due = recipe.validate_every and (epoch % recipe.validate_every == 0 or epoch == recipe.last_epoch)
    if due and validation_set is not None:
        share_buffers(run.result)
        try:
            matrix = validation_matrix(run.result, validation_set, run.accelerator)
        except EvaluationError as error:
            raise TrainingError(f"step {step}: {error}; lower the learning rate or use precision fp32") from None
        miou = record["miou"] = labelled_miou(matrix, validation_set)
        if found := foreground(matrix.numpy(), validation_set.labels.classes):
            record |= {name: found[name] for name in ("f1", "precision", "recall")}
    if run.accelerator.is_main_process:
        append_line(out / METRICS_FILE, record)
    run.accelerator.log(record, step=step)
    return miou


def validation_matrix(model: FCN, dataset: SegmentationDataset, accelerator: Accelerator) -> torch.Tensor:
    """The split's (C, C) confusion matrix by the project's own evaluation, in bf16 where that is faster.

    The processes divide the images among themselves, none twice.
    """
    mine = dataset.subset(range(accelerator.process_index, len(dataset), accelerator.num_processes))
    precision = "bf16" if accelerator.device.type == "cuda" or multiplies_bfloat16() else "fp32"
    matrices = confusion_matrices(model, mine, device=accelerator.device, precision=precision, batch_size=4)
    return accelerator.reduce(matrices.sum(0).to(accelerator.device), reduction="sum").cpu()


def progress_bar(step: int, last: int, *, shown: bool) -> tqdm:
    """Steps done, with loss, mIoU and time left, on standard error."""
    return tqdm(total=last, initial=step, unit="step", disable=not shown, mininterval=5)


def finish(run: Run, out: Path, dataset: SegmentationDataset, last: int, pretrained: str | None) -> CheckpointInfo:
    """Write the checkpoint and remove the states that led to it."""
    if run.accelerator.is_main_process:
        training = facts(run.recipe, last, run.accelerator.num_processes, pretrained) | run.computed
        name = run.recipe.checkpoint_name(dataset.labels, pretrained)
        more = {"name": name, "working_size": working_size(dataset, run.recipe)}
        save(run.result, out, labels=dataset.labels, loss=run.recipe.loss_label, training=training, **more)
        remove_states(out)
    for tracker in run.accelerator.trackers:
        tracker.finish()
    run.accelerator.wait_for_everyone()
    return read_info(out)
