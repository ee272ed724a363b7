"""Training FCNs: recipes, augmentation, losses and the loop."""
