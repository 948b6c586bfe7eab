"""How the program starts, and how it declines to."""

import socket
from pathlib import Path

import app


def test_a_taken_port_is_one_sentence_that_names_another(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert app.main(["--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert said == (f"Port {port} is taken. Close what uses it, or choose another: python app.py --port {port + 1}\n")


def test_the_entry_stays_short():
    assert len(Path(app.__file__).read_text(encoding="utf-8").splitlines()) < 60
