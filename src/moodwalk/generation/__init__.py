"""Gaits on demand: train, draw and restyle; judge them beside real ones."""
