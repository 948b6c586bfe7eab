// What Gradio's components lack for keyboards and screen readers, added where they stand. Knows no panel.
(() => {
  const words = window.SOUL_WORDS;
  const BETWEEN = 5000; // milliseconds between two announcements of progress

  // Gradio names every radio button differently, so each is a group of its own: a Tab stop, "1 of 1", deaf to arrows.
  function group(fieldset) {
    const buttons = fieldset.querySelectorAll('input[type="radio"]');
    for (const button of buttons) {
      if (button.name !== buttons[0].name) button.name = buttons[0].name;
    }
    if (buttons.length) set(fieldset, 'role', 'radiogroup');
    label(fieldset, fieldset.querySelector('[data-testid="block-info"]'), 'aria-labelledby');
    label(fieldset, fieldset.querySelector('.info-text'), 'aria-describedby');
  }

  // A dropdown's help is not tied to its field.
  function dropdown(field) {
    label(field, field.closest('.container')?.querySelector('.info-text'), 'aria-describedby');
  }

  // An accordion does not say whether it is open.
  function accordion(button) {
    set(button, 'aria-expanded', String(button.classList.contains('open')));
    const arrow = button.querySelector('.icon');
    if (arrow) set(arrow, 'aria-hidden', 'true');
  }

  // The button of the tabs that have no room has no name.
  function more(button) {
    set(button, 'aria-label', words.more);
    set(button, 'title', words.more);
  }

  // A formula that is cut off can be scrolled by keyboard too.
  function formula(line) {
    if (line.scrollWidth > line.clientWidth + 1) set(line, 'tabindex', '0');
  }

  // A command that cannot be focused cannot be read or copied by keyboard.
  function readable(field) {
    field.readOnly = true;
    field.disabled = false;
  }

  const MENDS = [
    ['fieldset', group],
    ['input[role="combobox"]', dropdown],
    ['button.label-wrap', accordion],
    ['.overflow-menu > button', more],
    ['.katex-display', formula],
    ['#soul-command textarea[disabled]', readable],
  ];

  let named = 0;
  function label(element, by, attribute) {
    if (!by) return;
    by.id ||= `soul-named-${++named}`;
    set(element, attribute, by.id);
  }
  function set(element, attribute, value) {
    if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
  }

  // One place speaks of progress: a live region that is replaced with its words in it, as every redraw does, is
  // read twice by some screen readers and never by others.
  const voice = document.createElement('div');
  voice.className = 'soul-hidden';
  voice.id = 'soul-voice';
  voice.setAttribute('role', 'status');
  voice.setAttribute('aria-live', 'polite');
  const heard = new Map();
  let next = '';
  let timer = 0;
  function speak() {
    timer = 0;
    if (!next) return;
    voice.textContent = next;
    next = '';
    timer = setTimeout(speak, BETWEEN);
  }
  function listen() {
    for (const bar of document.querySelectorAll('[data-announce]')) {
      const place = bar.closest('[id]')?.id;
      const said = bar.dataset.announce;
      if (heard.get(place) === said) continue;
      heard.set(place, said);
      if (!said) continue;
      next = said;
      if (!timer) speak();
    }
  }

  let due = false;
  function mend() {
    due = false;
    if (!voice.isConnected) document.body.append(voice);
    for (const [selector, how] of MENDS) document.querySelectorAll(selector).forEach(how);
    listen();
  }
  function soon() {
    if (due) return;
    due = true;
    // Not a frame: a page in the background gets none, and its race is still worth hearing of.
    setTimeout(mend, 60);
  }
  document.addEventListener('click', soon);
  new MutationObserver(() => {
    // The list of a dropdown is moved through by arrows; as a Tab stop it vanishes under the focus. It opens with
    // the focus, so this cannot wait.
    document.querySelectorAll('ul[role="listbox"]').forEach((list) => set(list, 'tabindex', '-1'));
    soon();
  }).observe(document.documentElement, { childList: true, subtree: true });

  // Arrows move between tabs, as they do wherever else there are tabs.
  document.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || event.target.role !== 'tab') return;
    const tabs = [...event.target.parentElement.querySelectorAll('[role="tab"]')];
    tabs.at((tabs.indexOf(event.target) + step) % tabs.length).focus();
    event.preventDefault();
  });
})();
