"""Who is let in."""

import time

import pytest

from soul_core.ui import door as module
from soul_core.ui.door import door
from tests.ui.scenes import waited


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "SLOW_DOWN", 0.0)


@pytest.mark.parametrize(
    ("user", "password", "let_in"),
    [("ada", "b", True), ("ada", "B", False), ("ada", "", False), ("grace", "b", False), ("", "", False)],
)
def test_only_a_known_user_with_the_right_password_comes_in(user, password, let_in):
    assert waited(door({"ada": "b"})(user, password)) is let_in


def test_a_wrong_password_is_answered_late_and_a_right_one_at_once(monkeypatch):
    monkeypatch.setattr(module, "SLOW_DOWN", 0.6)
    lets_in = door({"ada": "b"})
    began = time.monotonic()
    waited(lets_in("ada", "b"))
    right = time.monotonic() - began
    waited(lets_in("ada", "c"))
    assert time.monotonic() - began - right >= 0.6 > right


def test_no_password_is_kept_in_the_clear():
    cells = [repr(cell.cell_contents) for cell in door({"ada": "secret-word"}).__closure__]
    assert cells and not any("secret-word" in cell for cell in cells)
