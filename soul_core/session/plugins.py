"""Files of a user's own that register objectives. It runs them as they are: only one's own belong here."""

import hashlib
import importlib.util
import sys
from pathlib import Path

from soul_core.errors import ConfigError, SoulError


def load_plugin(file: str | Path) -> None:
    """Run a Python file once; what it registers is then known to page and command line.

    Raises:
        ConfigError: There is no such file, or it fails; the sentence says where.
    """
    path = Path(file).expanduser().resolve()
    name = f"soul_plugin_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return
    if not path.is_file() or path.suffix != ".py":
        raise ConfigError(f"There is no Python file “{file}”. Give the path of one that registers your objectives.")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"“{file}” cannot be read as a Python file. Give another.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    # Whatever a stranger's file does wrong, the person who named it can mend it.
    except Exception as error:
        del sys.modules[name]
        said = str(error) if isinstance(error, SoulError) else f"{type(error).__name__}: {error}"
        raise ConfigError(f"“{file}” fails: {said}. Mend it and try again.") from error
