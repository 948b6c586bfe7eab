// Sorts, filters, copies and saves the table of scores, and places its explanations. Knows markup, no number's meaning.
(() => {
  let sorted = null; // { column: title of the header, step: 1 best first, 2 the other way round }
  const table = () => document.querySelector('.soul-scores-table');
  const rowsOf = (of) => Array.from(of.tBodies[0].rows);
  const filter = () => document.getElementById('soul-scores-filter');
  const say = (words) => {
    const place = document.getElementById('soul-scores-said');
    if (place && place.textContent !== words) place.textContent = words;
  };

  function compared(place, better) {
    if (better === 'label') {
      return (a, b) => a.cells[0].dataset.value.localeCompare(b.cells[0].dataset.value, undefined, { numeric: true });
    }
    const sign = better === 'lower' ? 1 : -1;
    return (a, b) => sign * (Number(a.cells[place].dataset.value) - Number(b.cells[place].dataset.value));
  }

  function sortNow(of) {
    const rows = rowsOf(of);
    rows.forEach((row, place) => (row.dataset.place ??= String(place)));
    rows.sort((a, b) => a.dataset.place - b.dataset.place);
    for (const head of of.tHead.querySelectorAll('[aria-sort]')) head.setAttribute('aria-sort', 'none');
    const button = sorted && of.tHead.querySelectorAll('[data-soul-sort]')[sorted.place];
    if (button && button.textContent === sorted.words) {
      const place = Number(button.dataset.soulSort);
      const better = button.dataset.better;
      const by = compared(place, better);
      const missing = (row) => (place && row.cells[place].dataset.value === '' ? 1 : 0);
      rows.sort((a, b) => missing(a) - missing(b) || (sorted.step === 1 ? by(a, b) : by(b, a)));
      const rising = (better === 'lower' || better === 'label') === (sorted.step === 1);
      button.closest('th').setAttribute('aria-sort', rising ? 'ascending' : 'descending');
    }
    of.tBodies[0].append(...rows);
  }

  function filterNow(of) {
    const wanted = (filter()?.value || '').trim().toLocaleLowerCase();
    let shown = 0;
    for (const row of rowsOf(of)) {
      row.hidden = !row.cells[0].textContent.toLocaleLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    const place = document.getElementById('soul-scores-said');
    const words = place ? place.dataset.said : '';
    say(wanted ? words.replace('{shown}', shown).replace('{all}', rowsOf(of).length) : '');
  }

  function arrange() {
    const now = table();
    if (!now || now.dataset.arranged) return;
    now.dataset.arranged = 'yes';
    sortNow(now);
    filterNow(now);
  }
  new MutationObserver(arrange).observe(document.documentElement, { childList: true, subtree: true });

  function sort(button) {
    const place = Array.from(table().tHead.querySelectorAll('[data-soul-sort]')).indexOf(button);
    const words = button.textContent;
    const again = sorted && sorted.place === place && sorted.words === words;
    const step = again ? sorted.step + 1 : 1;
    sorted = step > 2 ? null : { place, words, step };
    sortNow(table());
  }

  const cellText = (cell) => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll('sup, .soul-hidden, .soul-why').forEach((part) => part.remove());
    copy.querySelectorAll('small').forEach((part) => part.prepend(' '));
    return copy.textContent.replace(/\s+/g, ' ').trim();
  };

  async function copy(button) {
    const of = table();
    if (!of) return;
    const rows = rowsOf(of).filter((row) => !row.hidden);
    const lines = [of.tHead.rows[1], ...rows].map((row) => Array.from(row.cells).map(cellText).join('\t'));
    await window.soulCopy(lines.join('\n'), button);
    say(button.dataset.said.replace('{rows}', rows.length));
  }

  function save(kind) {
    const held = document.querySelector(`[data-soul-file="${kind}"]`);
    if (!held) return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([held.value], { type: held.dataset.mime }));
    link.download = held.dataset.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  document.addEventListener('click', (event) => {
    const button = event.target.closest && event.target.closest('button');
    if (!button) return;
    if (button.dataset.soulSort !== undefined) sort(button);
    else if (button.dataset.soulCopy !== undefined) copy(button);
    else if (button.dataset.soulDownload) save(button.dataset.soulDownload);
  });
  document.addEventListener('input', (event) => {
    if (event.target === filter() && table()) filterNow(table());
  });

  // An explanation opens below the question mark that was pressed, inside the window.
  document.addEventListener(
    'toggle',
    (event) => {
      if (event.newState !== 'open' || !event.target.classList.contains('soul-about')) return;
      const about = event.target;
      const owner = document.querySelector(`.soul-why[popovertarget="${about.id}"]`).getBoundingClientRect();
      const left = Math.min(Math.max(8, owner.left - 40), window.innerWidth - about.offsetWidth - 8);
      const room = window.innerHeight - about.offsetHeight - 8;
      about.style.left = `${Math.max(8, left)}px`;
      about.style.top = `${Math.max(8, Math.min(owner.bottom + 8, room))}px`;
    },
    true,
  );
})();
