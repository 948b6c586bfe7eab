// Chooses, finds, renames, pins and restores runs. Knows the list's marks, nothing of what a run is.
const find = () => document.getElementById('soul-runs-find');
const said = () => document.getElementById('soul-runs-said');
const rows = () => [...element.querySelectorAll('tr[data-run]')];
let filtered = false; // whether what is said is how many are shown
let focusAfter = ''; // a selector: where the focus was before the list was drawn anew

function say(words) {
  if (said() && said().textContent !== words) said().textContent = words;
}

function filter() {
  if (!element.querySelector('.soul-runs-table')) return;
  const wanted = (find()?.value || '').toLocaleLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows()) {
    row.hidden = !wanted.every((word) => row.dataset.find.includes(word));
    shown += row.hidden ? 0 : 1;
  }
  const none = element.querySelector('[data-soul-none]');
  if (none) none.hidden = shown > 0 || !rows().length;
  if (!said()) return;
  const words = said().dataset.said.replace('{shown}', shown).replace('{all}', rows().length);
  if (wanted.length || filtered) say(wanted.length ? words : '');
  filtered = wanted.length > 0;
}

// What was pressed is hidden with the run that it deleted: the way back is the next thing to reach.
function offerUndo() {
  const undo = element.querySelector('.soul-undo button');
  if (undo && document.activeElement === document.body) undo.focus();
}

// The page patches what stands here in place: what was ticked, hidden or focused may be another run's by then.
function settle() {
  for (const box of element.querySelectorAll('[data-choose]')) {
    box.checked = box.closest('tr').hasAttribute('data-chosen');
  }
  filter();
  if (focusAfter) element.querySelector(focusAfter)?.focus();
  focusAfter = '';
  if (element.querySelector('.soul-undo')) setTimeout(offerUndo, 100);
}
watch('value', () => setTimeout(settle));
document.addEventListener('input', (event) => {
  if (event.target === find()) filter();
});

function rename(button) {
  const line = button.parentElement;
  if (line.querySelector('input')) return;
  const field = document.createElement('input');
  field.value = button.dataset.name;
  field.maxLength = Number(button.dataset.most);
  field.setAttribute('aria-label', button.dataset.label);
  field.placeholder = line.querySelector('[data-show]').textContent;
  let over = false;
  function end(keep) {
    if (over) return;
    over = true;
    field.remove();
    line.classList.remove('soul-renaming');
    button.focus();
    if (keep && field.value.trim() !== button.dataset.name) {
      focusAfter = `[data-rename="${button.dataset.rename}"]`;
      trigger('select', { rename: button.dataset.rename, name: field.value });
    }
  }
  field.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (event.key !== 'Enter' && event.key !== 'Escape') return;
    event.preventDefault(); // the same key would press the button that has the focus next
    end(event.key === 'Enter');
  });
  // Later: a field that is just being removed must not be removed twice.
  field.addEventListener('blur', () => setTimeout(() => end(true)));
  line.classList.add('soul-renaming');
  line.prepend(field);
  field.select();
}

function tick(box) {
  const ticked = [...element.querySelectorAll('[data-choose]:checked')];
  let words = '';
  if (ticked.length > 2) {
    const first = ticked.find((other) => other !== box);
    first.checked = false;
    words = said().dataset.most.replace('{name}', first.dataset.name);
  }
  const chosen = [...element.querySelectorAll('[data-choose]:checked')].map((one) => one.dataset.choose);
  focusAfter = `[data-choose="${box.dataset.choose}"]`;
  trigger('select', { chosen });
  say(words);
}

element.addEventListener('change', (event) => {
  if (event.target.matches('[data-choose]')) tick(event.target);
});
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const { show, pin, restore } = button.dataset;
  if (button.dataset.rename) rename(button);
  else if (show) {
    focusAfter = `[data-show="${show}"]`;
    trigger('select', { chosen: [show] });
  } else if (pin) {
    focusAfter = `[data-pin="${pin}"]`;
    trigger('select', { pin });
  } else if (restore) trigger('select', { restore });
});
settle();
