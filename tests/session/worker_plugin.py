"""Loaded by a worker as a plugin: its races then have the tiny task, which no other process can hand it."""

from soul_core.session import race as race_module
from tests.session.tiny_race import tiny_task

race_module.load_task = lambda _: tiny_task()
