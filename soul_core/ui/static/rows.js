// Tells the page which row was ticked or is to be seen. Knows the table's marks, nothing of what they mean.
element.addEventListener('change', (event) => {
  const box = event.target.closest('[data-pick]');
  if (box) trigger('select', { pick: Number(box.dataset.pick), on: box.checked });
});
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-see]');
  if (button) trigger('select', { see: Number(button.dataset.see) });
});
