"""The look of the page: Gradio's theme, our style sheet, our script, Plotly's script. It knows no panel."""

import inspect
import json
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from soul_core.ui import text, text_host
from soul_core.ui.address_params import words as address_words
from soul_core.ui.early import EarlyScript
from soul_core.ui.lessons import words as lesson_words

STATIC = Path(__file__).parent / "static"
ASSETS_URL = "soul-assets"
PLOTLY_URL = "soul-plotly"
FIRST = "frames.js"
"""Runs before Gradio's own scripts."""
SCRIPTS = ("copy.js", "page.js", "reach.js", "scores.js", "runs.js", "address.js", "learn.js")
STYLES = ("page.css", "scores.css", "data.css", "probe.css", "host.css", "runs.css", "learn.css")
MOST_UPLOADED = "200mb"
"""Of one file, whoever reads it; each reader has a bound of its own."""
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Ubuntu", "Noto Sans", "DejaVu Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def theme() -> gr.themes.Base:
    """Ink on paper, no web fonts; the colours themselves are variables of ``page.css``."""
    base = gr.themes.Base(
        primary_hue="stone",
        secondary_hue="stone",
        neutral_hue="stone",
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_md,
        font=SANS,
        font_mono=MONO,
    )
    both: dict[str, str] = {
        "body_background_fill": "var(--soul-paper)",
        "background_fill_primary": "var(--soul-card)",
        "background_fill_secondary": "var(--soul-paper)",
        "body_text_color": "var(--soul-ink)",
        "body_text_color_subdued": "var(--soul-muted)",
        "border_color_primary": "var(--soul-rule)",
        "block_background_fill": "transparent",
        "block_border_color": "var(--soul-rule)",
        "block_label_text_color": "var(--soul-ink)",
        "block_title_text_color": "var(--soul-ink)",
        "block_info_text_color": "var(--soul-muted)",
        "input_background_fill": "var(--soul-field)",
        "input_background_fill_focus": "var(--soul-field)",
        "input_border_color": "var(--soul-rule-strong)",
        "input_border_color_focus": "var(--soul-ink)",
        "input_placeholder_color": "var(--soul-muted)",
        "button_primary_background_fill": "var(--soul-ink)",
        "button_primary_background_fill_hover": "var(--soul-ink-soft)",
        "button_primary_text_color": "var(--soul-paper)",
        "button_secondary_background_fill": "var(--soul-card)",
        "button_secondary_background_fill_hover": "var(--soul-hover)",
        "button_secondary_border_color": "var(--soul-rule-strong)",
        "button_secondary_text_color": "var(--soul-ink)",
        "color_accent": "var(--soul-ink)",
        "color_accent_soft": "var(--soul-hover)",
        "link_text_color": "var(--soul-ink)",
        "checkbox_background_color": "var(--soul-field)",
        "checkbox_background_color_selected": "var(--soul-ink)",
        "checkbox_border_color": "var(--soul-rule-strong)",
        "checkbox_border_color_selected": "var(--soul-ink)",
        "checkbox_label_background_fill": "var(--soul-card)",
        "checkbox_label_background_fill_hover": "var(--soul-hover)",
        "checkbox_label_background_fill_selected": "var(--soul-hover)",
        "checkbox_label_border_color": "var(--soul-rule-strong)",
        "checkbox_label_text_color": "var(--soul-ink)",
        "panel_background_fill": "transparent",
    }
    # Our variables change with the mode by themselves, so both modes get the same ones.
    known = inspect.signature(base.set).parameters
    values = {name + mode: value for name, value in both.items() for mode in ("", "_dark") if name + mode in known}
    return base.set(
        **values,
        block_border_width="0px",
        block_shadow="none",
        block_label_border_width="0px",
        block_padding="0px",
        block_title_text_weight="600",
        block_title_text_size="*text_sm",
        block_info_text_size="*text_xs",
        button_large_text_weight="600",
        button_primary_shadow="none",
        button_secondary_shadow="none",
        input_border_width="1px",
        button_border_width="1px",
        checkbox_border_width="1px",
        checkbox_label_border_width="1px",
        input_shadow="none",
        input_shadow_focus="none",
        layout_gap="14px",
        form_gap_width="0px",
    )


def head() -> str:
    """The script of the page and the words it needs, for the document's head."""
    words = {
        "keys": {element: {"key": key, "tip": tip} for element, (key, tip) in text.KEYS.items()},
        "dark": text.SHOW_DARK,
        "light": text.SHOW_LIGHT,
        "more": text.MORE_TABS,
        "address": address_words(),
        "learn": lesson_words(),
    }
    payload = json.dumps(words).replace("<", "\\u003c")
    scripts = "".join(f'<script defer src="{ASSETS_URL}/{name}"></script>' for name in SCRIPTS)
    return f"<script>window.SOUL_WORDS = {payload};</script>{scripts}"


def first_script() -> str:
    """The tag of what must run before Gradio's own scripts."""
    return f'<script src="{ASSETS_URL}/{FIRST}"></script>'


def sign_in_html() -> str:
    """What stands over the form where people sign in; it brings our colours, which that page has from nowhere else."""
    style = f'<link rel="stylesheet" href="{ASSETS_URL}/page.css">'
    return f"{style}<p>{escape(text.TITLE)}: {escape(text.TAGLINE)}</p><p>{escape(text_host.SIGN_IN)}</p>"


def plotly_script() -> str:
    """The tag that loads Plotly from this server."""
    return f'<script src="{PLOTLY_URL}/plotly.min.js"></script>'


def static_routes() -> list[Mount]:
    """Routes of our own files and of the Plotly script that ships in its wheel; nothing comes from elsewhere."""
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("plotly is not installed")
    plotly = Path(spec.submodule_search_locations[0]) / "package_data"
    return [
        Mount(f"/{ASSETS_URL}", _Shipped(ASSETS_URL, directory=STATIC)),
        Mount(f"/{PLOTLY_URL}", _Shipped(PLOTLY_URL, directory=plotly)),
    ]


class _Shipped(StaticFiles):
    """Files below a name of the page, also behind a proxy that takes a path of its own away (``--root-path``).

    Starlette expects the path to begin with that root path, which such a proxy has removed.
    """

    def __init__(self, name: str, *, directory: Path) -> None:
        super().__init__(directory=directory)
        self._below = f"/{name}/"

    def get_path(self, scope: Scope) -> str:
        """The file's path below the directory."""
        return super().get_path({**scope, "root_path": "", "path": scope["path"].partition(self._below)[2]})


def launch_arguments() -> dict[str, Any]:
    """What ``Blocks.launch`` needs for the look."""
    return {
        "theme": theme(),
        "css_paths": [STATIC / name for name in STYLES],
        "head": head(),
        "app_kwargs": {"routes": static_routes(), "middleware": [Middleware(EarlyScript, tag=first_script())]},
        "max_file_size": MOST_UPLOADED,
        "footer_links": ["api"],
        "run_history": False,
        "ssr_mode": False,
        "show_error": True,
        "quiet": True,
    }
