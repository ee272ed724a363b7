"""`python -m zoo`: list, show, verify, pull, push and convert checkpoints, write their cards, deploy the page.

CHECKPOINT is a bundled name, a checkpoint folder, or OWNER/NAME (also OWNER/NAME@REVISION) on the Hugging Face Hub.
"""

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from zoo.baselines import baseline_info, is_baseline
from zoo.card import draw_picture, find_results, find_seeds, write_card
from zoo.catalog import Catalog, find, name_of, select
from zoo.checkpoint import bundled_folder, load_folder, read_info
from zoo.checkpoint_info import CheckpointError, CheckpointInfo
from zoo.config import VARIANTS
from zoo.convert import SOURCES, convert
from zoo.deploy import deploy
from zoo.download import amount, copy_folder, pull
from zoo.hub import parse_repository
from zoo.listing import list_checkpoints
from zoo.publish import push, push_report
from zoo.settings import HubSettings, environment_help
from zoo.verification import verify

RESULTS = "evaluation/results"
SEEDS = "training/seeds"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status, 1 with a message on standard error when something is wrong."""
    options = parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except (CheckpointError, ValueError, OSError) as error:
        print(f"python -m zoo {options.command}: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """The command line; each command's function is `options.run`."""
    whole = argparse.ArgumentParser(
        prog="python -m zoo",
        description=__doc__,
        epilog=f"environment variables:\n{environment_help()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(run, name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    sub = command(run_list, "list", "list bundled checkpoints and those on the Hub that the environment names")
    sub.add_argument("--variant", choices=VARIANTS)
    for name in ("loss", "backbone", "dataset"):
        sub.add_argument(f"--{name}")
    sub.add_argument("--bundled", action="store_true", help="do not ask the Hub")
    sub.add_argument("--json", action="store_true", help="print JSON")

    sub = command(run_show, "show", "show what a checkpoint says of itself, as JSON")
    sub.add_argument("checkpoint", metavar="CHECKPOINT")

    text = "check configuration, weights, forward pass, stored logits and card; figures are recomputed by "
    sub = command(run_verify, "verify", text + "python -m evaluation.leaderboard verify")
    sub.add_argument("checkpoints", metavar="CHECKPOINT", nargs="*", help="default: all bundled ones")
    sub.add_argument("--results", default=RESULTS, metavar="DIR", help="results to compare the card with")

    sub = command(run_card, "card", "write README.md and .eval_results of a checkpoint folder")
    sub.add_argument("checkpoints", metavar="CHECKPOINT", nargs="*", help="default: all bundled ones")
    sub.add_argument("--results", default=RESULTS, metavar="DIR", help="folder of results (default: %(default)s)")
    sub.add_argument("--seeds", default=SEEDS, metavar="DIR", help="results of other seeds (default: %(default)s)")
    sub.add_argument("--repository", metavar="OWNER/NAME", help="repository that the card's code loads")
    sub.add_argument("--picture", metavar="PHOTO", help="photo to show with the mask that the model gives")

    sub = command(run_pull, "pull", "download a checkpoint from the Hub")
    sub.add_argument("repository", metavar="OWNER/NAME")
    sub.add_argument("--revision", help="branch, tag or commit")
    sub.add_argument("--into", metavar="FOLDER", help="also copy it to this folder")

    sub = command(run_push, "push", "upload a checkpoint to the Hub")
    sub.add_argument("checkpoint", metavar="CHECKPOINT", help="bundled name or folder")
    sub.add_argument("repository", metavar="OWNER/NAME")
    sub.add_argument("--private", action="store_true", help="create the repository as a private one")
    sub.add_argument("--pr", action="store_true", help="propose the change as a pull request")
    sub.add_argument("--revision", help="branch, created if needed")
    sub.add_argument("--dry-run", action="store_true", help="only say what would be uploaded")

    sub = command(run_deploy, "deploy", "put the page on a Space of the Hub")
    sub.add_argument("space", metavar="OWNER/SPACE")
    sub.add_argument("--authors", help="whose checkpoints the page lists (default: the Space's owner)")
    sub.add_argument("--private", action="store_true", help="create the Space as a private one")
    sub.add_argument("--dry-run", action="store_true", help="only say what would be uploaded")

    sub = command(run_convert, "convert", "make a checkpoint folder of published FCN weights")
    sub.add_argument("--from", dest="source", choices=SOURCES, default=SOURCES[0], help="whose weights")
    sub.add_argument("file", metavar="FILE", help="weights file, for example fcn8s_from_caffe.pth")
    sub.add_argument("out", metavar="OUT", help="folder to write")
    sub.add_argument("--padding", choices=("paper", "same"), default="paper", help="same is 2.2 times cheaper")
    sub.add_argument("--half", action="store_true", help="store 16-bit numbers")
    return whole


def run_list(options) -> None:
    """Print the catalog, and on standard error what is missing from it."""
    settings = HubSettings.from_environment()
    if options.bundled:
        settings = replace(settings, authors=(), repos=(), collections=(), baselines="off")
    snapshot = Catalog(settings).refresh(wait=settings.list_seconds + 1)
    wanted = {name: getattr(options, name) for name in ("variant", "loss", "backbone", "dataset")}
    found = select((*snapshot.checkpoints, *snapshot.baselines), **wanted)
    if options.json:
        print(json.dumps([describe(info) for info in found], indent=2))
    else:
        rows = [("NAME", "VARIANT", "BACKBONE", "LOSS", "DATASET", "PARAMETERS", "MB", "SOURCE")]
        for info in found:
            numbers = f"{info.parameters:,}", f"{info.file_bytes / 1e6:.1f}"
            rows.append(
                (name_of(info), info.variant, info.backbone_label, info.loss, info.dataset, *numbers, info.source)
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for line in (*snapshot.problems, snapshot.note()):
        if line:
            print(line, file=sys.stderr)


def run_show(options) -> None:
    """Print one checkpoint's CheckpointInfo; of one on the Hub without its weights."""
    print(json.dumps(describe(find_anywhere(options.checkpoint)), indent=2))


def run_verify(options) -> int:
    """Check checkpoints one by one; 1 if anything is wrong."""
    failed = False
    for checkpoint in options.checkpoints or bundled_names():
        folder = local_folder(checkpoint)
        done, wrong = verify(folder, find_results(options.results, read_info(folder)))
        print(f"{checkpoint}: {'WRONG' if wrong else 'sound'}")
        for line in done:
            print(f"  {line}")
        for line in wrong:
            print(f"  WRONG: {line}")
        failed = failed or bool(wrong)
    return int(failed)


def run_card(options) -> None:
    """Write the cards of checkpoint folders."""
    for checkpoint in options.checkpoints or bundled_names():
        folder = local_folder(checkpoint, remote=False)
        if options.picture:
            print(draw_picture(folder, load_folder(folder), options.picture))
        info = read_info(folder)
        results, seeds = find_results(options.results, info), find_seeds(options.seeds)
        for path in write_card(folder, info, results, repository=options.repository, seeds=seeds):
            print(path)


def run_pull(options) -> None:
    """Download with progress and print the folder."""
    folder, info = pull(options.repository, revision=options.revision, progress=show_progress, companions=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if options.into:
        target = Path(options.into)
        if target.exists() and not (target / "config.json").is_file() and any(target.iterdir()):
            raise CheckpointError(f"{target}: holds something other than a checkpoint; name another folder")
        copy_folder(folder, target)
        folder = target
    print(f"{info.name} at commit {info.revision} is in {folder}")


def run_push(options) -> None:
    """Upload, writing the card first where there is none, and say what was sent."""
    folder = local_folder(options.checkpoint, remote=False)
    if not (folder / "README.md").is_file():
        info = read_info(folder)
        results = find_results(RESULTS, info) if Path(RESULTS).is_dir() else []
        write_card(folder, info, results, repository=options.repository, seeds=find_seeds(SEEDS))
    done = push(
        folder,
        options.repository,
        private=options.private,
        pull_request=options.pr,
        revision=options.revision,
        dry_run=options.dry_run,
    )
    print(push_report(done))


def run_deploy(options) -> None:
    """Upload the page and say what was sent."""
    done = deploy(options.space, authors=options.authors, private=options.private, dry_run=options.dry_run)
    print(push_report(done))


def run_convert(options) -> None:
    """Convert a weights file and print what came out."""
    info = convert(options.file, options.out, source=options.source, padding=options.padding, half=options.half)
    print(f"{info.name} ({info.parameters:,} parameters, {info.file_bytes / 1e6:.0f} MB) is in {options.out}")


def describe(info: CheckpointInfo) -> dict:
    """A CheckpointInfo as JSON values."""
    return asdict(info) | {"config": info.config.to_dict(), "labels": asdict(info.labels)}


def bundled_names() -> list[str]:
    """Names of the bundled checkpoints' folders, also of those that are not sound."""
    root = bundled_folder()
    folders = [folder for folder in sorted(root.iterdir()) if folder.is_dir()] if root.is_dir() else []
    names = [folder.name for folder in folders if not folder.name.startswith((".", "_"))]
    if not names:
        raise CheckpointError("there are no bundled checkpoints; name a folder or OWNER/NAME")
    return names


def local_folder(checkpoint: str, *, remote: bool = True) -> Path:
    """The folder of a checkpoint; one on the Hub is downloaded if `remote`. A baseline has none."""
    if is_baseline(checkpoint):
        raise CheckpointError(f"{checkpoint}: is no checkpoint folder; torchvision publishes it")
    if "/" not in checkpoint and (bundled_folder() / checkpoint).is_dir():
        return bundled_folder() / checkpoint
    if Path(checkpoint).is_dir():
        return Path(checkpoint)
    if remote and "/" in checkpoint and not checkpoint.startswith((".", "/", "~")):
        return pull(checkpoint, companions=True, progress=show_progress)[0]
    if "/" in checkpoint:
        raise CheckpointError(f"{checkpoint}: no such folder")
    return Path(find(checkpoint).location)


def find_anywhere(checkpoint: str) -> CheckpointInfo:
    """The CheckpointInfo of a checkpoint; of one on the Hub from its configuration alone."""
    if is_baseline(checkpoint):
        return baseline_info(checkpoint)
    local = (bundled_folder() / checkpoint).is_dir() or Path(checkpoint).is_dir()
    if local or "/" not in checkpoint or checkpoint.startswith((".", "/", "~")):
        return read_info(local_folder(checkpoint, remote=False))
    settings = HubSettings.from_environment()
    repository, revision = parse_repository(checkpoint, settings.endpoint)
    name = repository + (f"@{revision}" if revision else "")
    listing = list_checkpoints(replace(settings, authors=(), collections=(), repos=(name,)))
    if not listing.checkpoints:
        raise CheckpointError("; ".join(listing.problems))
    return listing.checkpoints[0]


def show_progress(done: int, total: int) -> None:
    """One line on standard error, where that is a terminal: 'downloading 41 of 58 MB'."""
    if sys.stderr.isatty():
        print(f"\rdownloading {amount(done, total)}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
