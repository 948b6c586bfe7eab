// Tells the page which cell of the bench is pressed, and opens, searches and closes the transcripts. Knows marks alone.
element.addEventListener('click', (event) => {
  const cell = event.target.closest('.soul-cell');
  if (cell) {
    window.soulCell = { attack: cell.dataset.attack, model: cell.dataset.model };
    trigger('select', window.soulCell);
  }
  const dialog = element.querySelector('dialog');
  // A press beside the dialog's own box lands on its backdrop, which counts as the dialog itself.
  if (dialog && (event.target.closest('[data-soul-close]') || event.target === dialog)) dialog.close();
});

function sift() {
  const dialog = element.querySelector('dialog');
  const wanted = dialog.querySelector('[data-soul-find]').value.trim().toLocaleLowerCase();
  const leaks = dialog.querySelector('[data-soul-leaks]').checked;
  const rows = [...dialog.querySelectorAll('.soul-tries > li')];
  for (const row of rows) {
    row.hidden = !row.textContent.toLocaleLowerCase().includes(wanted) || (leaks && row.dataset.leaked !== 'yes');
  }
  const said = dialog.querySelector('[data-said]');
  const shown = rows.filter((row) => !row.hidden).length;
  said.textContent = wanted || leaks ? said.dataset.said.replace('{shown}', shown).replace('{all}', rows.length) : '';
}
element.addEventListener('input', (event) => {
  if (event.target.matches('[data-soul-find], [data-soul-leaks]')) sift();
});

watch('value', () => {
  const dialog = element.querySelector('dialog');
  if (!dialog || dialog.open) return;
  dialog.showModal();
  // The table may have been drawn anew meanwhile: the focus goes back to the cell that stands there now.
  dialog.addEventListener('close', () => {
    const { attack, model } = window.soulCell || {};
    const cells = [...document.querySelectorAll('.soul-cell')];
    cells.find((cell) => cell.dataset.attack === attack && cell.dataset.model === model)?.focus();
  });
});
