"""Numbers of the published networks, which no weights file holds: layers, paddings, crops, scales.

The network in torch (`zoo.models.fcn`) and the portable graph (`zoo.models.graph`) are both made of them, so this
module needs neither torch nor onnx.
"""

FINE_STRIDE = 8  # stages up to this stride see tiles of large photos, coarser ones are small enough for whole photos
PAPER_PADDING = 100  # conv1_1 of the published prototxts
# Channels of VGG-16's convolutions, pool by pool (Simonyan and Zisserman: arXiv 1409.1556, configuration D). Importing
# them with torchvision would cost the page a quarter of its memory and its first mask a second and a half.
VGG16_CHANNELS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
# Blocks of a ResNet's layers 1 to 4 (He et al.: arXiv 1512.03385, table 1), of two convolutions or of three.
RESNET_BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
RESNET_BOTTLENECKS = ("resnet50", "resnet101")

# Crop layers of the published prototxts. conv1_1's padding shifts the grid by 99, fc6 takes 3 cells of stride 32, a
# transposed convolution of stride s has a margin of s / 2: 99 - 96 + 16 = 19, 3 * 2 - 1 = 5, and so on.
PAPER_SKIP_OFFSET = {16: 5, 8: 9}
PAPER_OUTPUT_OFFSET = {32: 19, 16: 27, 8: 31}
# Fixed scales of pool4 and pool3 in the published voc-fcn8s-atonce.
ATONCE_SCALE = {16: 0.01, 8: 0.0001}
