"""Where the networks of the page run: on a ZeroGPU Space through its `spaces` package, else on this machine."""

from zoo.models.score_maps import stages
from zoo.models.segmentation import best_device, segment

try:  # present on Hugging Face Spaces with ZeroGPU; anywhere else the processor of this machine does the work
    from spaces import GPU as on_gpu
except ImportError:

    def on_gpu(function):
        return function


@on_gpu
def run(model, image, **options):
    """`zoo.segment` on the accelerator, if this process may use one."""
    return segment(model.to(best_device()), image, **options)


@on_gpu
def climb(model, image, **options):
    """`zoo.models.score_maps.stages` where `run` works."""
    return stages(model.to(best_device()), image, **options)
