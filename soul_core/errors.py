"""Errors that a person can act on. The page and the command line show these, and only these, verbatim.

SoulError
├── ConfigError    a setting is outside its range, or two settings conflict
├── DatasetError   a task, a file or a row cannot be used as given
├── ModelError     weights or tokenizer cannot be loaded or do not match
├── RunError       a run cannot start, resume or be read back
│   └── Diverged   a gradient is not finite; the step that would have used it is not taken
└── JobError       the queue cannot take or find a job
"""


class SoulError(Exception):
    """Base class; ``str(error)`` is one or two sentences: what happened (with the value), then what to do."""


class ConfigError(SoulError): ...


class DatasetError(SoulError): ...


class ModelError(SoulError): ...


class RunError(SoulError): ...


class Diverged(RunError): ...


class JobError(SoulError): ...
