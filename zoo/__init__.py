"""Fully Convolutional Networks: models, label sets, checkpoint folders and image -> mask."""
