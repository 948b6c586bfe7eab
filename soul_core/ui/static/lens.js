// Opens what models held likely at the place of a token, by click, key or tap; knows places, not what stands there.
let open = null;

const tokens = () => [...element.querySelectorAll('.soul-token')];

function show(place, pressed) {
  open = place;
  for (const table of element.querySelectorAll('.soul-alternatives > [data-place]')) {
    table.hidden = table.dataset.place !== place;
  }
  // Models with other tokenizers have other places: there it is the token that covers this one.
  for (const row of element.querySelectorAll('.soul-tokens')) {
    const before = [...row.children].filter((token) => Number(token.dataset.place) <= Number(place));
    const chosen = place === null ? null : before[before.length - 1];
    for (const token of row.children) {
      token.classList.toggle('soul-chosen', token === chosen);
      token.setAttribute('aria-pressed', String(token === (pressed || chosen)));
    }
  }
}

element.addEventListener('click', (event) => {
  const token = event.target.closest('.soul-token');
  if (!token) return;
  const again = token.getAttribute('aria-pressed') === 'true' && open === token.dataset.place;
  show(again ? null : token.dataset.place, again ? null : token);
  move(token);
});

function move(token) {
  for (const other of token.parentElement.children) other.tabIndex = other === token ? 0 : -1;
}

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };
element.addEventListener('keydown', (event) => {
  const token = event.target.closest('.soul-token');
  if (!token) return;
  const row = [...token.parentElement.children];
  let next = null;
  if (event.key in STEPS) next = row[row.indexOf(token) + STEPS[event.key]];
  else if (event.key === 'Home') next = row[0];
  else if (event.key === 'End') next = row[row.length - 1];
  if (!next) return;
  event.preventDefault();
  move(next);
  next.focus();
});

// Another epoch brings new numbers to the same places: what was open stays open.
watch('value', () => {
  if (open !== null && tokens().some((token) => token.dataset.place === open)) show(open, null);
  else open = null;
});
