"""The one live chart component: a place that Plotly draws into and redraws without losing the zoom."""

from typing import Any

import gradio as gr
from plotly.io.json import to_json_plotly

from soul_core.ui.theme import STATIC, plotly_script


class LiveChart(gr.HTML):
    """An HTML component whose value is a figure from ``ui.figures``."""

    is_template = True  # for the browser it is the HTML component that it is made of

    def postprocess(self, value: dict[str, Any] | None) -> str | None:  # type: ignore[override]
        """The figure as text: of an object, a browser that is busy draws what a later message has made of it."""
        return None if value is None else str(to_json_plotly(value))


def live_chart(figure: dict[str, Any], *, elem_id: str) -> LiveChart:
    """A chart whose value is a figure from ``ui.figures``; the browser keeps its node, and so the zoom."""
    return LiveChart(
        figure,
        html_template='<div class="soul-chart-place"></div>',
        js_on_load=(STATIC / "chart.js").read_text(encoding="utf-8"),
        head=plotly_script(),
        elem_id=elem_id,
        elem_classes=["soul-chart"],
        apply_default_css=False,
    )
