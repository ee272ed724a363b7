"""`python -m zoo`: list, show, verify, pull, push, convert and export checkpoints; cards; the page deployed or static.

CHECKPOINT is a bundled name, a checkpoint folder, or OWNER/NAME (also OWNER/NAME@REVISION) on the Hugging Face Hub.
"""

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from zoo.checkpoints.activation_ranges import write_ranges
from zoo.checkpoints.card import draw_picture, find_results, find_seeds, write_card
from zoo.checkpoints.conversion import SOURCES, convert
from zoo.checkpoints.export import REQUIREMENTS, WEIGHTS, export, read_photos
from zoo.checkpoints.folder import bundled_folder, load_folder, read_info, read_weights
from zoo.checkpoints.information import CONFIG_FILE, CheckpointError, CheckpointInfo, describe
from zoo.checkpoints.shards import SHARD_BYTES, shard_folder
from zoo.checkpoints.terms import terms_of
from zoo.checkpoints.verification import verify
from zoo.config import VARIANTS, FCNConfig
from zoo.hub.catalog import Catalog, find, select
from zoo.hub.deploy import deploy, deploy_static
from zoo.hub.download import amount, copy_folder, pull
from zoo.hub.into import check_configuration, check_converted, check_copy, check_replaceable
from zoo.hub.listing import list_checkpoints
from zoo.hub.publish import push, push_report
from zoo.hub.requests import parse_repository
from zoo.hub.settings import HubSettings, environment_help
from zoo.hub.torchvision_weights import baseline_info, is_baseline
from zoo.models.ranges import measure_ranges
from zoo.numbers import more_than_zero
from zoo.places import RESULTS, SEEDS
from zoo.text import counted


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
    sub.add_argument("--benchmark", metavar="OWNER/NAME", help="dataset repository on the Hub that scores name")
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
    sub.add_argument("--dry-run", action="store_true", help="only say what would be uploaded; needs no network")
    sub.add_argument("--with-exports", action="store_true", help="also put ONNX files into onnx/, fp32 and fp16")

    sub = command(run_deploy, "deploy", "put the page on a Space of the Hub")
    sub.add_argument("space", metavar="OWNER/SPACE")
    sub.add_argument("--static", action="store_true", help="the static page: networks run in the visitor's browser")
    sub.add_argument("--authors", help="whose checkpoints the page lists (default: the Space's owner)")
    sub.add_argument("--private", action="store_true", help="create the Space as a private one")
    sub.add_argument("--dry-run", action="store_true", help="only say what would be uploaded; needs no network")

    _add_files(command)
    return whole


def _add_files(command: Callable[..., argparse.ArgumentParser]) -> None:
    """The commands that make files of a checkpoint, or a checkpoint of files."""
    sub = command(run_shard, "shard", "divide the weights of a checkpoint folder into files that git and the Hub take")
    sub.add_argument("checkpoint", metavar="CHECKPOINT", help="bundled name or folder")
    sub.add_argument(
        "--megabytes", type=more_than_zero, default=SHARD_BYTES / 1e6, help="of a shard (default: %(default)s)"
    )

    text = f"write a checkpoint as one ONNX file for other engines (needs {REQUIREMENTS})"
    sub = command(run_export, "export", text)
    sub.add_argument("checkpoint", metavar="CHECKPOINT")
    sub.add_argument("out", metavar="OUT.onnx", help="file to write")
    sub.add_argument(
        "--weights", choices=WEIGHTS, default=WEIGHTS[0], help="how they are stored (default: %(default)s)"
    )
    sub.add_argument("--logits", action="store_true", help="give logits instead of mask and confidence")
    sub.add_argument("--photos", metavar="DIR", help="photos like those that an int8 file will see; sets its ranges")

    text = "measure on photos what a checkpoint needs to work in 8 bits (FCN_ZOO_PRECISION=int8), into its folder"
    sub = command(run_ranges, "ranges", text)
    sub.add_argument("checkpoint", metavar="CHECKPOINT", help="bundled name or folder")
    sub.add_argument(
        "--photos", metavar="DIR", required=True, help="photos like those it will see, none to score it on"
    )

    text = "write the page as a folder for any web server; networks run in the visitor's browser "
    sub = command(run_site, "site", f"{text}(needs {REQUIREMENTS})")
    sub.add_argument("out", metavar="OUT", help="folder to write")
    sub.add_argument("checkpoints", metavar="CHECKPOINT", nargs="*", help="bundled names (default: all small FCNs)")
    sub.add_argument("--weights", choices=("fp16", "fp32"), default="fp16", help="stored so (default: %(default)s)")
    sub.add_argument("--runtime", metavar="DIR", help="folder dist of onnxruntime-web (default: fetched by npm, kept)")

    sub = command(run_convert, "convert", "make a checkpoint folder of published FCN weights")
    sub.add_argument("--from", dest="source", choices=SOURCES, default=SOURCES[0], help="whose weights")
    sub.add_argument("file", metavar="FILE", help="weights file, for example fcn8s_from_caffe.pth")
    sub.add_argument("out", metavar="OUT", help="folder to write")
    sub.add_argument("--padding", choices=("paper", "same"), default="paper", help="same is 2.2 times cheaper")
    sub.add_argument("--half", action="store_true", help="store 16-bit numbers")


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
                (info.offered_as, info.variant, info.backbone_label, info.loss, info.dataset, *numbers, info.source)
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
        for path in write_card(
            folder, info, results, repository=options.repository, seeds=seeds, benchmark=options.benchmark
        ):
            print(path)


def run_pull(options) -> None:
    """Download with progress and print the folder."""
    if options.into:
        check_replaceable(Path(options.into))  # before minutes are spent on the download
    folder, info = pull(options.repository, revision=options.revision, progress=show_progress, companions=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if options.into:
        target = Path(options.into)
        check_replaceable(target)
        check_copy(target, folder)
        copy_folder(folder, target)
        folder = target
    print(f"{info.name} at commit {info.revision} is in {folder}")


def run_push(options) -> None:
    """Upload, writing the card first where there is none, and say what was sent."""
    folder = local_folder(options.checkpoint, remote=False)
    info = read_info(folder)
    results = find_results(RESULTS, info)
    if not (folder / "README.md").is_file():
        write_card(folder, info, results, repository=options.repository, seeds=find_seeds(SEEDS))
    with tempfile.TemporaryDirectory() as place:
        done = push(
            folder,
            options.repository,
            private=options.private,
            pull_request=options.pr,
            revision=options.revision,
            dry_run=options.dry_run,
            results=results,
            exports=onnx_files(folder, Path(place)) if options.with_exports else None,
        )
    print(push_report(done))


def onnx_files(folder: Path, place: Path) -> dict[str, Path]:
    """The checkpoint's ONNX files by their names in its repository, written into the folder `place`."""
    model = load_folder(folder)
    name, full, half = model.info.name, place / "fp32.onnx", place / "fp16.onnx"
    for path in (full, half):
        export(model, path, weights=path.stem)
    return {f"onnx/{name}.onnx": full, f"onnx/{name}-fp16.onnx": half}


def run_deploy(options) -> None:
    """Upload the page and say what was sent."""
    if options.static:
        return run_deploy_static(options)
    done = deploy(options.space, authors=options.authors, private=options.private, dry_run=options.dry_run)
    print(push_report(done))


def run_deploy_static(options) -> None:
    """Write the static page, upload it, and say what was sent."""
    from app import write_static_page

    if options.authors is not None:
        raise ValueError("a static page lists the bundled checkpoints only; leave out --authors")
    with tempfile.TemporaryDirectory() as place:
        folder = write_static_page(Path(place) / "site", report=print).folder
        done = deploy_static(options.space, folder, private=options.private, dry_run=options.dry_run)
    print(push_report(done))


def run_shard(options) -> None:
    """Divide the weights and print the files; results and card have to be made anew, and it says so."""
    folder = local_folder(options.checkpoint, remote=False)
    check_configuration(folder)
    for path in shard_folder(folder, round(options.megabytes * 1e6)):
        print(path)
    print("The sha256 is another one: evaluate the checkpoint again and write its card anew.", file=sys.stderr)


def run_convert(options) -> None:
    """Convert a weights file and print what came out."""
    if (Path(options.out) / CONFIG_FILE).is_file():  # it would be replaced
        check_converted(Path(options.out))
    info = convert(options.file, options.out, source=options.source, padding=options.padding, half=options.half)
    print(f"{info.name} ({counted(info.parameters, 'parameter')}, {info.file_bytes / 1e6:.0f} MB) is in {options.out}")


def run_export(options) -> None:
    """Export a checkpoint, compared with its file, and print what came out."""
    model = load_folder(local_folder(options.checkpoint))
    done = export(model, options.out, weights=options.weights, logits=options.logits, photos=options.photos)
    shared = f"the checkpoint's on {100 * done.agreement:.2f} % of {counted(done.pixels, 'pixel')}"
    print(
        f"{model.info.name}, {options.weights}, {done.file_bytes / 1e6:.1f} MB, is in {done.path}; masks are {shared}"
    )
    print(f"licence: {terms_of(model.info).sentence}")
    if not options.logits:
        command = f"python -m evaluation.exports {options.checkpoint} {done.path}"
        print(f"mIoU, milliseconds: {command} --dataset {model.info.dataset} --data DIR")


def run_ranges(options) -> None:
    """Measure the ranges of a checkpoint's activations and print the file."""
    folder = local_folder(options.checkpoint, remote=False)
    info = read_info(folder)
    if not isinstance(info.config, FCNConfig):
        raise CheckpointError(f"{info.name}: only FCNs work in 8 bits, this is a {info.variant}")
    photos = read_photos(options.photos, info)
    path = write_ranges(folder, measure_ranges(info.config, read_weights(folder, info), photos))
    print(f"{path}: ranges from {len(photos)} photos")


def run_site(options) -> None:
    """Write the static page and print what came out."""
    from app import write_static_page  # which puts page and leaderboard together

    made = {"weights": options.weights, "runtime": options.runtime}
    done = write_static_page(options.out, options.checkpoints, **made, report=print)
    first = f"{done.first_mask_bytes / 1e6:.1f} MB compressed until the first mask"
    print(
        f"{counted(len(done.networks), 'network')}, {done.total_bytes / 1e6:.0f} MB in all, {first}, in {done.folder}"
    )
    print(f"try it: python -m http.server --directory {shlex.quote(str(done.folder))}")


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
