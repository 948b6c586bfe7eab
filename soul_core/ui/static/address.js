// Keeps the experiment in the address bar and copies what says it. Knows the words it is given, no setting.
(() => {
  const words = window.SOUL_WORDS.address;
  const WAIT = 250; // milliseconds; browsers refuse an address that changes at every keystroke
  const isKept = (key) => key.startsWith('__') || words.kept.includes(key);
  const first = new URLSearchParams(location.search);
  let restored = false;
  let query = null; // null: the address says it already
  let question = first.get('question') || '';
  let timer = 0;

  function write() {
    clearTimeout(timer);
    timer = 0;
    if (!restored) return;
    const now = new URLSearchParams(location.search);
    const said = [];
    for (const [key, value] of now) {
      const keeps = key !== 'question' && (isKept(key) || query === null);
      if (keeps) said.push(`${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
    }
    if (query) said.push(query);
    if (question.trim()) said.push(`question=${encodeURIComponent(question.trim())}`);
    const search = said.length ? `?${said.join('&')}` : '';
    if (search !== location.search) {
      history.replaceState(history.state, '', `${location.pathname}${search}${location.hash}`);
    }
  }
  function soon() {
    if (!timer) timer = setTimeout(write, WAIT);
  }

  window.soulAddress = {
    // What Setup says, as a query; nothing while Setup is not complete.
    settings(said) {
      if (!said) return;
      query = said;
      soon();
    },
    question(text) {
      question = (text || '').slice(0, words.longest);
      soon();
    },
    // Setup shows what the address said: from now on the address follows Setup.
    restored() {
      const asked = [...first.keys()].some((key) => key !== 'question' && !isKept(key));
      if (asked) query = null; // the form as it was before the address was read
      restored = true;
      soon();
    },
  };

  const texts = {
    link() {
      write();
      return location.href;
    },
    command: () => document.querySelector('#soul-command textarea')?.value || '',
    python: () => document.querySelector('[data-soul-held="python"]')?.value || '',
  };

  document.addEventListener('click', async (event) => {
    const button = event.target.closest && event.target.closest('[data-soul-copies]');
    if (!button) return;
    const text = texts[button.dataset.soulCopies]();
    const done = text && (await window.soulCopy(text, button));
    const place = button.parentElement.querySelector('[role="status"]');
    place.textContent = '';
    // Said anew even where the same was said before.
    setTimeout(() => (place.textContent = text ? (done ? button.dataset.said : words.refused) : words.nothing), 30);
  });
})();
