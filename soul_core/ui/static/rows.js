// Tells the page which rows are ticked or which is to be seen. Knows the table's marks, nothing of what they mean.
element.addEventListener('change', (event) => {
  if (!event.target.closest('[data-pick]')) return;
  // All boxes at once: of ticks in quick succession only the last is heard.
  const boxes = [...element.querySelectorAll('[data-pick]')];
  const numbers = (list) => list.map((box) => Number(box.dataset.pick));
  trigger('select', { shown: numbers(boxes), ticked: numbers(boxes.filter((box) => box.checked)) });
});
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-see]');
  if (button) trigger('select', { see: Number(button.dataset.see) });
});
