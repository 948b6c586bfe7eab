// Keys, tooltips and the colour mode. Knows the words it is given and the ids it is given, nothing else.
(() => {
  const words = window.SOUL_WORDS;
  const STORE = 'soul-theme';

  const typing = (target) => target.closest('input, textarea, select, [contenteditable], [role="listbox"]');

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
    for (const [id, { key }] of Object.entries(words.keys)) {
      const button = document.getElementById(id);
      // A button of a tab that is not open has no place on the screen.
      const reachable = button && !button.disabled && button.getClientRects().length > 0;
      if (key && key === event.key.toLowerCase() && reachable) {
        event.preventDefault();
        button.click();
      }
    }
  });

  function nameKeys() {
    for (const [id, { key, tip }] of Object.entries(words.keys)) {
      const button = document.getElementById(id);
      if (!button || button.title === tip) continue;
      button.title = tip;
      if (key) button.setAttribute('aria-keyshortcuts', key);
    }
  }

  const tip = document.createElement('div');
  tip.className = 'soul-tip';
  tip.setAttribute('role', 'tooltip');
  tip.hidden = true;

  function showTip(event) {
    const owner = event.target.closest && event.target.closest('[data-tip]');
    if (!owner) return hideTip();
    tip.textContent = owner.dataset.tip;
    tip.hidden = false;
    const box = owner.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.left), window.innerWidth - tip.offsetWidth - 8);
    const below = box.bottom + 6 + tip.offsetHeight < window.innerHeight;
    tip.style.left = `${left}px`;
    tip.style.top = `${below ? box.bottom + 6 : box.top - tip.offsetHeight - 6}px`;
  }
  function hideTip() {
    tip.hidden = true;
  }
  document.addEventListener('mouseover', showTip);
  document.addEventListener('focusin', showTip);
  // A tap on a phone: not every browser tells it as a movement or gives the word the focus.
  document.addEventListener('click', (event) => event.target.closest?.('[data-tip]') && showTip(event));
  document.addEventListener('focusout', hideTip);
  document.addEventListener('scroll', hideTip, true);
  document.addEventListener('keydown', (event) => event.key === 'Escape' && hideTip());

  function remembered() {
    try {
      return localStorage.getItem(STORE);
    } catch {
      return null;
    }
  }
  function paint(dark) {
    document.body.classList.toggle('dark', dark);
    document.documentElement.style.colorScheme = dark ? 'dark' : 'light';
    const button = document.getElementById('soul-theme');
    if (button) {
      button.textContent = dark ? words.light : words.dark;
      button.setAttribute('aria-pressed', String(dark));
    }
  }
  document.addEventListener('click', (event) => {
    if (!event.target.closest || !event.target.closest('#soul-theme')) return;
    const dark = !document.body.classList.contains('dark');
    try {
      localStorage.setItem(STORE, dark ? 'dark' : 'light');
    } catch {
      /* a browser without storage forgets the choice */
    }
    paint(dark);
  });

  function settle() {
    document.body.append(tip);
    const choice = remembered();
    const asked = new URLSearchParams(location.search).has('__theme');
    paint(choice && !asked ? choice === 'dark' : document.body.classList.contains('dark'));
    nameKeys();
  }
  new MutationObserver(nameKeys).observe(document.documentElement, { childList: true, subtree: true });
  const ready = setInterval(() => {
    if (!document.getElementById('soul-theme')) return;
    clearInterval(ready);
    settle();
  }, 50);
})();
