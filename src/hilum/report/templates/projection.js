for (const map of document.querySelectorAll('.map')) {
  const rows = JSON.parse(map.dataset.rows), side = +map.dataset.side, columns = +map.dataset.columns;
  const sprite = map.querySelector('.sprite'), card = map.querySelector('.card');
  const pen = card.querySelector('canvas').getContext('2d'), words = card.querySelector('p'), drawing = map.querySelector('svg');
  const marks = [...map.querySelectorAll('[data-i]')];
  let at = -1;
  const show = i => {
    if (at >= 0) marks[at].classList.remove('on');
    at = i;
    card.hidden = i < 0;
    if (i < 0) return;
    marks[i].classList.add('on');
    const n = +marks[i].dataset.i, [name, label, split] = rows[n];
    pen.drawImage(sprite, side * (n % columns), side * Math.floor(n / columns), side, side, 0, 0, 168, 168);
    words.textContent = label + ', ' + split + ': ' + name;
  };
  drawing.addEventListener('pointerover', event => { const i = marks.indexOf(event.target); if (i >= 0) show(i); });
  drawing.addEventListener('focus', () => show(Math.max(at, 0)));
  drawing.addEventListener('keydown', event => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (step) { event.preventDefault(); show((at + step + marks.length) % marks.length); }
    if (event.key === 'Escape') show(-1);
  });
  drawing.setAttribute('tabindex', '0');
}
