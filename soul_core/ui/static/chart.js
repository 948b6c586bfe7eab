// Draws one figure into its place and redraws it, zoom kept, when the figure or the colour mode changes.
const place = element.querySelector('.soul-chart-place');

function resolved(value, style) {
  if (typeof value === 'string') {
    const name = /^var\((--[\w-]+)\)$/.exec(value);
    return name ? style.getPropertyValue(name[1]).trim() : value;
  }
  if (Array.isArray(value)) return value.map((item) => resolved(item, style));
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolved(item, style)]));
  }
  return value;
}

// Plotly names its clips by the page's whole address, which changes with Setup: then nothing would be clipped any more.
function clipHere() {
  for (const part of place.querySelectorAll('[clip-path]')) {
    const name = /#([^'")]+)/.exec(part.getAttribute('clip-path'));
    if (name) part.setAttribute('clip-path', `url(#${name[1]})`);
  }
}

function draw() {
  // A stream sends a figure as text (guard.py).
  const figure = typeof props.value === 'string' ? JSON.parse(props.value || 'null') : props.value;
  if (!figure || !figure.layout || !window.Plotly) return;
  if (place._dragging) {
    // A redraw would end the drag that a person is in the middle of.
    setTimeout(draw, 200);
    return;
  }
  const style = getComputedStyle(document.body);
  const layout = resolved(figure.layout, style);
  // On a touch screen a drag scrolls the page; it must not zoom the chart.
  if (window.matchMedia('(pointer: coarse)').matches) layout.dragmode = false;
  Plotly.react(place, resolved(figure.data, style), layout, {
    responsive: true,
    displaylogo: false,
    modeBarButtonsToRemove: ['sendChartToCloud', 'select2d', 'lasso2d', 'autoScale2d'],
  });
  clipHere();
  if (!place._clipsHere) {
    place._clipsHere = true;
    place.on('plotly_afterplot', clipHere);
  }
  // A figure may hold buttons (Plotly's toolbar), a picture may not; its words stand for the drawing.
  place.setAttribute('role', 'figure');
  place.setAttribute('aria-label', figure.alt);
  for (const drawing of place.querySelectorAll('.main-svg')) drawing.setAttribute('aria-hidden', 'true');
}

draw();
new ResizeObserver(() => place.data && place.offsetWidth && window.Plotly.Plots.resize(place)).observe(place);
watch('value', draw);
new MutationObserver(draw).observe(document.body, { attributes: true, attributeFilter: ['class'] });
