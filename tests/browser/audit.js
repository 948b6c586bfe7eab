// What is wrong below a place of the page, a line each. Needs axe in the page; knows no panel.
window.soulAudit = (() => {
  const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

  // `excluded` names what is not looked at: "rule @ selector".
  async function rules(place, excluded) {
    const spared = (rule, node) =>
      excluded.some((entry) => {
        const [name, where] = entry.split(' @ ');
        return name === rule && document.querySelector(node.target.at(-1))?.closest(where);
      });
    const found = await axe.run(place, { runOnly: { type: 'tag', values: TAGS }, resultTypes: ['violations'] });
    return found.violations.flatMap((rule) =>
      rule.nodes
        .filter((node) => !spared(rule.id, node))
        .map((node) => `${rule.id}: ${rule.help}: ${node.target.join(' ')} ${node.html.slice(0, 160)}`),
    );
  }

  // Any way to write a colour, mixed ones included, is drawn and read back: red, green, blue to 255, alpha to 1.
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const known = new Map();
  function parsed(colour) {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  }
  function over([r, g, b, a], [R, G, B]) {
    return [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  }
  // Relative luminance and contrast as WCAG 2.2 defines them.
  function luminance(colour) {
    const [r, g, b] = colour
      .slice(0, 3)
      .map((channel) => channel / 255)
      .map((channel) => (channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function contrast(one, other) {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }
  function behind(element) {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor, backgroundImage } = getComputedStyle(at);
      // Of a gradient what covers most, wherever the words are.
      const stops = (backgroundImage.match(/(?:rgba?|color|oklab)\([^()]*\)/g) || []).map(parsed);
      if (stops.length) layers.push(stops.reduce((most, stop) => (stop[3] > most[3] ? stop : most)));
      const colour = parsed(backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255, 1]);
  }
  function opacity(element) {
    let share = 1;
    for (let at = element; at; at = at.parentElement) share *= Number(getComputedStyle(at).opacity);
    return share;
  }

  // axe leaves out what it cannot decide, such as text of a drawing, and what is hidden from screen readers; the eye
  // sees both.
  const NO_TEXT = ':disabled, [aria-disabled=true], .soul-hidden, .katex-mathml, option, script, style';
  function faint(place) {
    const found = [];
    for (const element of document.querySelector(place).querySelectorAll('*')) {
      const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
      const words = own.map((node) => node.data).join('').trim();
      const box = element.getBoundingClientRect();
      const style = getComputedStyle(element);
      if (!words || box.width < 2 || box.height < 2 || style.visibility !== 'visible') continue;
      if (element.closest(NO_TEXT)) continue;
      const share = opacity(element);
      // Not there for the eye until it is pointed at.
      if (share < 0.05) continue;
      const ground = behind(element);
      const [r, g, b, a] = parsed(element instanceof SVGElement ? style.fill : style.color);
      const ratio = contrast(over([r, g, b, a * share], ground), ground);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio >= (large ? 3 : 4.5)) continue;
      const name = `${element.tagName}.${element.getAttribute('class')}`;
      found.push(`contrast ${ratio.toFixed(2)}: "${words.slice(0, 40)}" ${name}`);
    }
    return found;
  }

  // A table says what it is, and each header what it heads. Gradio's editable table is a grid with rules of its own.
  function tables(place) {
    const bad = (table) =>
      !table.caption?.textContent.trim() || [...table.querySelectorAll('th')].some((head) => !head.scope);
    return [...document.querySelector(place).querySelectorAll('table')]
      .filter((table) => table.getClientRects().length && !table.closest('[role=grid], .table-wrap') && bad(table))
      .map((table) => `table without caption or scopes: ${table.outerHTML.slice(0, 160)}`);
  }

  return async (place, excluded) => [...(await rules(place, excluded)), ...faint(place), ...tables(place)];
})();
