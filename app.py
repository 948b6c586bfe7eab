"""The page's entry: reads the arguments, joins the parts, serves. It knows nothing else."""

import argparse
import errno
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C; 2 if it cannot be served."""
    parser = argparse.ArgumentParser(prog="python app.py", description="Serve SOUL's page.")
    shared = bool(os.environ.get("SPACE_ID"))
    parser.add_argument("--port", type=int, default=7860, help="Port [default: %(default)s]")
    parser.add_argument("--host", default="0.0.0.0" if shared else "127.0.0.1", help="Address [default: %(default)s]")  # noqa: S104
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="Folder of the runs [default: %(default)s]")
    parser.add_argument(
        "--public", action="store_true", help="Strangers share this machine: no local folders, bounds."
    )
    own = "A file of yours that registers objectives of your own; may be given again."
    parser.add_argument("--with", dest="plugins", action="append", default=[], metavar="FILE.py", help=own)
    arguments = parser.parse_args(argv)
    if not 0 < arguments.port < 65536:
        parser.error(f"--port is {arguments.port}; choose one from 1 to 65535")
    if not _is_free(arguments.host, arguments.port):
        sys.stderr.write(
            f"Port {arguments.port} is taken. Close what uses it, or choose another: "
            f"python app.py --port {arguments.port + 1}\n"
        )
        return 2
    from soul_core.ui.serve import serve  # noqa: PLC0415 - torch takes seconds to import; the checks above need none

    shared = arguments.public or shared
    return serve(
        host=arguments.host, port=arguments.port, runs=arguments.runs, public=shared, plugins=arguments.plugins
    )


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
