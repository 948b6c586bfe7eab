// Slows down Gradio's timers that nobody sees. Knows how such a timer looks, no component.
(() => {
  const REST = 1000; // milliseconds between two counts of a timer out of sight
  const frame = window.requestAnimationFrame.bind(window);

  // A status tracker counts its seconds at every frame. One that is taken off the page meanwhile, as the loader of
  // every page is, never stops: 60 times a second, which is most of what an idle page costs.
  function counts(callback) {
    const code = Function.prototype.toString.call(callback);
    return code.length < 300 && code.includes('performance.now()') && /\/\s*(1e3|1000)\b/.test(code);
  }
  const seen = () => document.querySelector('[data-testid="status-tracker"]:not(.hide)');

  window.requestAnimationFrame = (callback) => {
    if (!counts(callback) || seen()) return frame(callback);
    setTimeout(() => frame(callback), REST);
    return 0;
  };
})();
