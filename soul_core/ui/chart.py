"""The one live chart component: a place that Plotly draws into and redraws without losing the zoom."""

from typing import Any

import gradio as gr

from soul_core.ui.theme import STATIC, plotly_script


def live_chart(figure: dict[str, Any], *, elem_id: str) -> gr.HTML:
    """A chart whose value is a figure from ``ui.figures``; the browser keeps its node, and so the zoom."""
    return gr.HTML(
        figure,
        html_template='<div class="soul-chart-place"></div>',
        js_on_load=(STATIC / "chart.js").read_text(encoding="utf-8"),
        head=plotly_script(),
        elem_id=elem_id,
        elem_classes=["soul-chart"],
        apply_default_css=False,
    )
