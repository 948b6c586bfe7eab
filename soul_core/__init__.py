"""SOUL: watch a language model forget, with first-order and second-order optimizers side by side.

A module imports only from its own layer and those before it (``tests/test_layering.py`` enforces it)::

    errors paths config events data models objectives optim engine evaluation probing runs session jobs cli ui
"""

__version__ = "0.5.0"
