// Plays the landscape, filters the glossary, copies a lesson's link, hides what a lesson does not need.
// Knows the words and marks it is given; every point it plays was computed on the server.
(() => {
  const words = window.SOUL_WORDS.learn;
  const TICK = 110; // milliseconds between two steps of a path that plays
  const WAIT = 200; // milliseconds a slider has to rest before the paths are computed anew
  const still = window.matchMedia('(prefers-reduced-motion: reduce)');
  const first = new URLSearchParams(location.search);

  // What a lesson does not need
  let plain = (first.get(words.hide) || '').split(',').some((name) => name.trim() === 'advanced');

  function hideRest() {
    document.body.classList.toggle('soul-plain', plain);
    const lesson = document.querySelector('[data-lesson]')?.dataset.lesson || first.get(words.lesson);
    const needed = words.tabs[lesson] || ['race', 'learn'];
    for (const button of document.querySelectorAll('#soul-tabs button[data-tab-id]')) {
      const off = plain && !needed.includes(button.dataset.tabId);
      if (button.hasAttribute('data-soul-off') !== off) button.toggleAttribute('data-soul-off', off);
    }
  }
  function showAll() {
    plain = false;
    const now = new URLSearchParams(location.search);
    now.delete(words.hide);
    const search = now.toString();
    history.replaceState(history.state, '', `${location.pathname}${search ? `?${search}` : ''}${location.hash}`);
    hideRest();
    document.querySelector('#soul-tabs button[role="tab"][aria-selected="true"]')?.focus();
  }
  if (plain) new MutationObserver(() => plain && hideRest()).observe(document.documentElement, { childList: true, subtree: true });

  async function copyLink(button) {
    const link = new URL(location.pathname, location.href);
    link.searchParams.set(words.lesson, button.dataset.soulLessonLink);
    link.searchParams.set(words.hide, 'advanced');
    const place = button.parentElement.querySelector('[role="status"]');
    const done = await window.soulCopy(link.href, button);
    place.textContent = '';
    setTimeout(() => (place.textContent = done ? button.dataset.said : button.dataset.refused + link.href), 30);
  }

  document.addEventListener('click', (event) => {
    const button = event.target.closest && event.target.closest('button');
    if (!button) return;
    if (button.dataset.soulLessonLink) copyLink(button);
    else if (button.dataset.soulShowAll !== undefined) showAll();
  });

  // The glossary
  function filter(field) {
    const wanted = field.value.trim().toLocaleLowerCase();
    const root = document.getElementById('soul-learn-glossary');
    let shown = 0;
    let all = 0;
    for (const section of root.querySelectorAll('[data-soul-section]')) {
      let here = 0;
      for (const entry of section.querySelectorAll('[data-soul-entry]')) {
        entry.hidden = !entry.textContent.toLocaleLowerCase().includes(wanted);
        here += entry.hidden ? 0 : 1;
        all += 1;
      }
      section.hidden = here === 0;
      shown += here;
    }
    const place = root.querySelector('[role="status"]');
    const said = shown ? place.dataset.found : place.dataset.nothing;
    place.textContent = said.replace('{shown}', shown).replace('{all}', all);
  }
  document.addEventListener('input', (event) => {
    if (event.target.id === 'soul-learn-find') filter(event.target);
  });
  // An address that names an entry opens it, wherever the page stands.
  function toEntry() {
    const id = decodeURIComponent(location.hash.slice(1));
    if (!id.startsWith('soul-')) return;
    let tries = 100;
    const look = setInterval(() => {
      const entry = document.getElementById(id);
      if (entry && entry.getClientRects().length && entry.hasAttribute('data-soul-entry')) {
        clearInterval(look);
        entry.scrollIntoView({ block: 'center' });
        document.querySelector('.soul-glossary-here')?.classList.remove('soul-glossary-here');
        entry.classList.add('soul-glossary-here');
      } else if (tries-- === 0) clearInterval(look);
      else document.querySelector('#soul-tabs button[data-tab-id="learn"][aria-selected="false"]')?.click();
    }, 100);
  }
  window.addEventListener('hashchange', toEntry);
  if (/^#soul-(term|objectives|retain|optimizers|metrics)-/.test(location.hash)) toEntry();

  // The landscape's sliders: places from 0 to 1000, most of them on a logarithmic scale
  const read = (slider) => Number(slider.dataset.value);
  function valueAt(slider) {
    const [low, high] = [Number(slider.dataset.low), Number(slider.dataset.high)];
    const share = slider.value / 1000;
    if (slider.dataset.scale === 'linear') return Math.round(low + share * (high - low));
    const value = Number((low * (high / low) ** share).toPrecision(2));
    return Math.min(high, Math.max(low, value));
  }
  function put(slider, value) {
    const [low, high] = [Number(slider.dataset.low), Number(slider.dataset.high)];
    const linear = slider.dataset.scale === 'linear';
    slider.value = 1000 * (linear ? (value - low) / (high - low) : Math.log(value / low) / Math.log(high / low));
    keep(slider, value);
  }
  const tiny = (_, power) => ` × 10⁻${Array.from(power, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[digit]).join('')}`;
  function keep(slider, value) {
    slider.dataset.value = value;
    const said = value < 0.001 ? value.toExponential().replace(/e-(\d+)/, tiny) : String(value);
    slider.setAttribute('aria-valuetext', said);
    slider.closest('.soul-land-slider').querySelector('output').textContent = said;
  }

  function controls(element, trigger) {
    const sliders = Array.from(element.querySelectorAll('input[type="range"]'));
    let timer = 0;
    const send = () => {
      clearTimeout(timer);
      trigger('select', Object.fromEntries(sliders.map((slider) => [slider.dataset.name, read(slider)])));
    };
    sliders.forEach((slider) => put(slider, read(slider)));
    element.addEventListener('input', (event) => {
      keep(event.target, valueAt(event.target));
      clearTimeout(timer);
      timer = setTimeout(send, WAIT);
    });
    element.addEventListener('click', (event) => {
      const button = event.target.closest('[data-soul-try]');
      if (!button) return;
      const values = JSON.parse(button.dataset.soulTry);
      sliders.forEach((slider) => slider.dataset.name in values && put(slider, values[slider.dataset.name]));
      send();
    });
  }

  // Where the paths are: each step shows points that the figure holds already.
  function player(element) {
    const button = element.querySelector('[data-soul-play]');
    const position = element.querySelector('[data-soul-position]');
    const said = element.querySelector('.soul-land-now');
    let place = null;
    let layout = null;
    let at = Infinity; // the end, however many steps there are
    let playing = 0;

    const steps = () => place.layout.meta.steps;
    const here = () => Math.min(at, steps());

    function tell() {
      const cut = place.layout.meta.clipped[here() - 1];
      const parts = [said.dataset.at.replace('{step}', here()).replace('{steps}', steps())];
      if (cut !== undefined) parts.push(said.dataset.cut.replace('{cut}', Math.round(2 * cut)));
      said.textContent = `${parts.join(': ')}.`;
      position.max = steps();
      position.value = here();
      position.setAttribute('aria-valuetext', parts[0]);
    }
    function show() {
      const x = [];
      const y = [];
      const indices = [];
      let path = null;
      place.data.forEach((trace, index) => {
        if (trace.meta?.soul === 'path') path = trace.meta;
        else if (trace.meta?.soul !== 'now') return;
        const end = Math.min(here(), path.x.length - 1);
        const start = trace.meta.soul === 'path' ? 0 : end;
        x.push(path.x.slice(start, end + 1));
        y.push(path.y.slice(start, end + 1));
        indices.push(index);
      });
      window.Plotly.restyle(place, { x, y }, indices);
      tell();
    }
    function go(step) {
      at = step;
      show();
    }
    function halt() {
      clearInterval(playing);
      playing = 0;
      button.textContent = button.dataset.play;
      said.setAttribute('aria-live', 'polite');
    }
    function play() {
      if (still.matches) return;
      if (here() >= steps()) go(0);
      button.textContent = button.dataset.pause;
      said.setAttribute('aria-live', 'off'); // a reader would speak over itself
      playing = setInterval(() => {
        // A tab that is not open has nothing to show.
        if (!place.isConnected || !place.getClientRects().length) return halt();
        go(here() + 1);
        if (here() >= steps()) halt();
      }, TICK);
    }
    // A new figure has whole paths: show as much of them as before.
    function redrawn() {
      if (place.layout === layout) return;
      layout = place.layout;
      if (at < steps()) show();
      else tell();
    }

    element.addEventListener('click', (event) => {
      const pressed = event.target.closest('button');
      if (!pressed || !place) return;
      const wasPlaying = playing;
      halt();
      if (pressed === button) {
        if (!wasPlaying) play();
      } else if (pressed.dataset.soulStep !== undefined) go(here() >= steps() ? 1 : here() + 1);
      else go(0);
    });
    element.addEventListener('input', () => {
      if (!place) return;
      halt();
      go(Number(position.value));
    });
    const wait = setInterval(() => {
      const found = document.querySelector('#soul-learn-chart .soul-chart-place');
      if (!found?.layout?.meta || !found.on) return;
      clearInterval(wait);
      place = found;
      place.on('plotly_afterplot', redrawn);
      redrawn();
    }, 100);
  }

  window.soulLearn = { controls, player };
})();
