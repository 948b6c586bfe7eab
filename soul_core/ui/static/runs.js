// Saves files and charts of the Runs tab. Knows the page's marks, nothing of what a run is.
(() => {
  // A link of our own: a file that was just made is saved without a second press, and once however often it is told.
  let saved = '';
  window.soulSave = (file) => {
    const again = saved === file?.url;
    saved = file?.url || '';
    if (!saved || again) return;
    const link = document.createElement('a');
    link.href = file.url;
    link.download = file.orig_name || '';
    document.body.append(link);
    link.click();
    link.remove();
  };

  document.addEventListener('click', (event) => {
    const button = event.target.closest && event.target.closest('[data-soul-picture]');
    const place = button && document.querySelector(`#${button.dataset.chart} .soul-chart-place`);
    if (!place?.data || !window.Plotly) return;
    // On the page a chart has no ground of its own; in a file it needs the page's.
    const ground = getComputedStyle(document.body).getPropertyValue('--soul-card').trim();
    const figure = { data: place.data, layout: { ...place.layout, paper_bgcolor: ground, plot_bgcolor: ground } };
    const of = { format: button.dataset.soulPicture, width: 900, height: 520, scale: 2 };
    window.Plotly.downloadImage(figure, { ...of, filename: `soul-${button.dataset.chart.replace('soul-', '')}` });
  });
})();
