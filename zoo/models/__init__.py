"""Networks: backbones, FCN, the engine that runs them, segmentation, score maps, other libraries' networks."""
