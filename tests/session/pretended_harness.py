"""Stands for lm-eval where only its being there matters."""

__version__ = "1.2.3"
