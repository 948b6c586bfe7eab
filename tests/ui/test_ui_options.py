"""How the page is started: accounts from three places, and mistakes that never repeat a password."""

import importlib.util
from pathlib import Path

import pytest

import app
from soul_core.errors import ConfigError
from soul_core.ui import options as module
from soul_core.ui.options import Options, options


def test_nothing_asked_for_is_this_machine_alone_and_nobody_signs_in():
    assert options([], {}) == Options()
    assert not Options().accounts


def test_a_space_is_public_and_reached_from_outside():
    found = options([], {"SPACE_ID": "somebody/soul"})
    assert found.public and found.host == "0.0.0.0"  # noqa: S104


def test_accounts_come_from_options_a_file_and_the_environment(tmp_path):
    file = tmp_path / "accounts"
    file.write_text("# the lab\ngrace:c:d\n\nalan: e \n")
    file.chmod(0o600)
    found = options(["--auth", "ada:b", "--auth-file", str(file)], {"SOUL_AUTH": "edsger:g"})
    # Only the first colon parts: a password may hold colons, and spaces are its own.
    assert found.accounts == {"ada": "b", "grace": "c:d", "alan": " e ", "edsger": "g"}


def test_accounts_are_in_no_picture_of_the_options():
    assert "secret-word" not in repr(options(["--auth", "ada:secret-word"], {}))


@pytest.mark.parametrize("entry", ["secret-word", ":secret-word", "secret-word:", "  :secret-word"])
def test_what_is_no_account_is_one_sentence_that_does_not_repeat_it(entry):
    for arguments, environment, place in (
        (["--auth", "ada:b", "--auth", entry], {}, "--auth number 2"),
        ([], {"SOUL_AUTH": entry}, "SOUL_AUTH, line 1"),
    ):
        with pytest.raises(ConfigError, match=place) as caught:
            options(arguments, environment)
        assert "USER:PASSWORD" in str(caught.value) and "secret-word" not in str(caught.value)


def test_a_line_of_a_file_is_named_by_its_number(tmp_path):
    file = tmp_path / "accounts"
    file.write_text("ada:b\nsecret-word\n")
    with pytest.raises(ConfigError, match="accounts, line 2") as caught:
        options(["--auth-file", str(file)], {})
    assert "secret-word" not in str(caught.value)


def test_two_passwords_of_one_user_are_refused_without_either():
    with pytest.raises(ConfigError, match="“ada” has two passwords") as caught:
        options(["--auth", "ada:secret-one", "--auth", "ada:secret-two"], {})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), ("# nobody\n", "names no account")])
def test_a_file_without_accounts_is_refused(tmp_path, content, words):
    file = tmp_path / "accounts"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=words):
        options(["--auth-file", str(file)], {})


def test_a_file_that_others_can_read_is_told_and_taken(tmp_path, capsys):
    file = tmp_path / "accounts"
    file.write_text("ada:b")
    file.chmod(0o644)
    assert options(["--auth-file", str(file)], {}).accounts == {"ada": "b"}
    assert "chmod 600" in capsys.readouterr().err
    file.chmod(0o600)
    options(["--auth-file", str(file)], {})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("path", ["soul", "/soul/", "/"])
def test_a_proxys_path_begins_with_a_slash_and_ends_without(path):
    with pytest.raises(ConfigError, match="--root-path"):
        options(["--root-path", path], {})
    assert options(["--root-path", "/soul"], {}).root_path == "/soul"


@pytest.mark.parametrize("port", ["0", "65536"])
def test_a_port_out_of_range_is_one_sentence(port, capsys):
    assert app.main(["--port", port]) == 2
    assert capsys.readouterr().err == f"--port is {port}; choose one from 1 to 65535.\n"


def test_mcp_without_its_extra_is_one_sentence_with_what_to_install(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"gradio\[mcp\]"):
        options(["--mcp"], {})


def test_mcp_and_accounts_do_not_go_together_since_mcp_asks_for_no_password(monkeypatch):
    monkeypatch.setattr(module, "find_spec", importlib.util.find_spec)
    with pytest.raises(ConfigError, match="asks nobody for a password"):
        options(["--mcp", "--auth", "ada:b"], {})


def test_options_are_read_without_anything_large():
    source = Path(module.__file__).read_text()
    assert "gradio" not in "".join(line for line in source.splitlines() if line.startswith(("import", "from")))
