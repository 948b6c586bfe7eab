"""The page's entry: reads the arguments, joins the parts, serves. It knows nothing else."""

import errno
import socket
import sys
from collections.abc import Sequence

from soul_core.errors import ConfigError
from soul_core.ui.options import options


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C; 2 if it cannot be served."""
    try:
        wanted = options(argv)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not _is_free(wanted.host, wanted.port):
        sys.stderr.write(
            f"Port {wanted.port} is taken. Close what uses it, or choose another: "
            f"python app.py --port {wanted.port + 1}\n"
        )
        return 2
    from soul_core.ui.serve import serve  # noqa: PLC0415 - torch takes seconds to import; the checks above need none

    return serve(wanted)


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE  # anything else is told when the page cannot be served
    return True


if __name__ == "__main__":
    sys.exit(main())
