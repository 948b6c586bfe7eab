// Puts text on the clipboard for every other script. Knows no page.
(() => {
  // Without a secure address there is no clipboard to ask for; a field that is selected can be copied all the same.
  function bySelection(text) {
    const place = document.createElement('textarea');
    place.value = text;
    place.style.position = 'fixed';
    place.style.opacity = '0';
    document.body.append(place);
    place.select();
    let done = false;
    try {
      done = document.execCommand('copy');
    } catch {
      /* told as not copied */
    }
    place.remove();
    return done;
  }

  // Resolves to whether it was copied; the focus is on `back` afterwards.
  window.soulCopy = async (text, back) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const done = bySelection(text);
      back?.focus();
      return done;
    }
  };
})();
