// The X-ray on its canvas: window and level on all its bits, zoom, pan, and a heat map over it.

const COLOURS = [[255, 80, 0], [255, 150, 0], [255, 235, 90]];
const MOST = 16;

export class Viewer {
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.picture = this.heat = null;
    this.opacity = 0.6;
    this.turn = 0;
    this.fingers = new Map();
    this.reset();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  // picture: {png, bits, width, height} as the server gives it.
  async show(picture) {
    const turn = ++this.turn;
    const values = await grey(picture.png, picture.bits);
    if (turn !== this.turn) return;  // another one was chosen meanwhile
    this.picture = {...values, most: 2 ** picture.bits - 1};
    this.layer = new OffscreenCanvas(values.width, values.height);
    this.heat = null;
    this.canvas.style.aspectRatio = clamp(values.width / values.height, 0.75, 1.5);
    this.reset();
  }

  async showHeat(png) {
    const turn = this.turn;
    const {width, height, values} = await grey(png, 8);
    if (turn !== this.turn) return;
    const pixels = new ImageData(width, height);
    values.forEach((value, at) => {
      const strength = value / 255;
      pixels.data.set([...colour(strength), Math.round(255 * strength ** 1.5)], 4 * at);
    });
    this.heat = new OffscreenCanvas(width, height);
    this.heat.getContext('2d').putImageData(pixels, 0, 0);
    this.draw();
  }

  hideHeat() {
    this.heat = null;
    this.draw();
  }

  // level and width: shares of the whole range of grey.
  setWindow(level, width) {
    this.level = clamp(level, 0, 1);
    this.width = clamp(width, 0.01, 2);
    this.windowed();
    this.changed(this);
  }

  setInverted(inverted) {
    this.inverted = inverted;
    this.windowed();
    this.changed(this);
  }

  setOpacity(opacity) {
    this.opacity = opacity;
    this.draw();
  }

  // What lies under `at`, a place on the canvas in CSS pixels, stays there; without one, the middle does.
  zoomBy(factor, at = null) {
    const before = this.zoom;
    this.zoom = clamp(this.zoom * factor, 1, MOST);
    if (this.zoom === 1) this.x = this.y = 0;
    else if (at && this.picture) {
      const box = this.canvas.getBoundingClientRect();
      const moved = (1 / this.zoom - 1 / before) / this.fit();
      this.x += (at.x - box.left - box.width / 2) * moved;
      this.y += (at.y - box.top - box.height / 2) * moved;
    }
    this.canvas.style.touchAction = this.zoom > 1 ? 'none' : 'pan-y';  // else a finger on the picture scrolls the page
    this.draw();
  }

  // CSS pixels of one pixel of the picture before zooming.
  fit() {
    const box = this.canvas.getBoundingClientRect();
    return Math.min(box.width / this.picture.width, box.height / this.picture.height);
  }

  moveBy(right, down) {
    this.x += right / this.zoom;
    this.y += down / this.zoom;
    this.draw();
  }

  reset() {
    this.zoom = 1;
    this.x = this.y = 0;
    this.canvas.style.touchAction = 'pan-y';
    this.inverted = false;
    this.setWindow(0.5, 1);
  }

  windowed() {
    if (!this.picture) return;
    const {values, width, height, most} = this.picture;
    const table = new Uint8ClampedArray(most + 1);
    for (let value = 0; value <= most; value++) {
      const share = (value / most - this.level) / this.width + 0.5;
      table[value] = 255 * clamp(this.inverted ? 1 - share : share, 0, 1);
    }
    const pixels = new ImageData(width, height);
    const words = new Uint32Array(pixels.data.buffer);
    for (let at = 0; at < values.length; at++) words[at] = 0xff000000 | (table[values[at]] * 0x010101);
    this.layer.getContext('2d').putImageData(pixels, 0, 0);
    this.draw();
  }

  draw() {
    const box = this.canvas.getBoundingClientRect();
    const density = window.devicePixelRatio || 1;
    const [width, height] = [Math.max(1, Math.round(box.width * density)), Math.max(1, Math.round(box.height * density))];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, {width, height});
    const context = this.canvas.getContext('2d');
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = '#000';
    context.fillRect(0, 0, width, height);
    if (!this.picture) return;
    const scale = Math.min(width / this.picture.width, height / this.picture.height) * this.zoom;
    const [reachX, reachY] = [this.picture.width / 2, this.picture.height / 2];
    this.x = clamp(this.x, -reachX, reachX);
    this.y = clamp(this.y, -reachY, reachY);
    context.setTransform(scale, 0, 0, scale, width / 2 + this.x * scale, height / 2 + this.y * scale);
    context.drawImage(this.layer, -reachX, -reachY);
    if (!this.heat) return;
    context.globalAlpha = this.opacity;
    context.drawImage(this.heat, -reachX, -reachY, this.picture.width, this.picture.height);
    context.globalAlpha = 1;
  }

  listen() {
    this.canvas.addEventListener('wheel', event => {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / 400), {x: event.clientX, y: event.clientY});
    }, {passive: false});
    this.canvas.addEventListener('contextmenu', event => event.preventDefault());
    this.canvas.addEventListener('pointerdown', event => {
      this.canvas.setPointerCapture(event.pointerId);
      this.fingers.set(event.pointerId, {x: event.clientX, y: event.clientY});
    });
    for (const name of ['pointerup', 'pointercancel']) {
      this.canvas.addEventListener(name, event => this.fingers.delete(event.pointerId));
    }
    this.canvas.addEventListener('pointermove', event => this.dragged(event));
    this.canvas.addEventListener('keydown', event => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey && this.typed(event.key)) event.preventDefault();
    });
  }

  // Two fingers zoom around the point between them; one moves; the right button changes the window.
  dragged(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before || !this.picture) return;
    const now = {x: event.clientX, y: event.clientY};
    const other = [...this.fingers].find(([id]) => id !== event.pointerId);
    this.fingers.set(event.pointerId, now);
    if (other) {
      const [, at] = other;
      const [was, is] = [before, now].map(each => Math.max(1, Math.hypot(each.x - at.x, each.y - at.y)));
      this.zoomBy(is / was, {x: (now.x + at.x) / 2, y: (now.y + at.y) / 2});
    } else if (event.buttons === 1) {
      this.moveBy((now.x - before.x) / this.fit(), (now.y - before.y) / this.fit());
    } else if (event.buttons === 2) {
      this.setWindow(this.level - (now.y - before.y) / 400, this.width + (now.x - before.x) / 400);
    }
  }

  typed(key) {
    const step = this.picture ? this.picture.width / 20 : 0;
    const actions = {
      '+': () => this.zoomBy(1.25), '=': () => this.zoomBy(1.25), '-': () => this.zoomBy(0.8),
      ArrowLeft: () => this.moveBy(step, 0), ArrowRight: () => this.moveBy(-step, 0),
      ArrowUp: () => this.moveBy(0, step), ArrowDown: () => this.moveBy(0, -step),
      '[': () => this.setWindow(this.level - 0.02, this.width), ']': () => this.setWindow(this.level + 0.02, this.width),
      '{': () => this.setWindow(this.level, this.width - 0.05), '}': () => this.setWindow(this.level, this.width + 0.05),
      i: () => this.setInverted(!this.inverted), 0: () => this.reset(),
    };
    if (!(key in actions)) return false;
    actions[key]();
    return true;
  }
}

// A PNG of the server -> grey values. Sixteen bits come as red * 256 + green.
export async function grey(png, bits) {
  const bytes = Uint8Array.from(atob(png), letter => letter.charCodeAt(0));
  const options = {colorSpaceConversion: 'none', premultiplyAlpha: 'none'};
  const bitmap = await createImageBitmap(new Blob([bytes], {type: 'image/png'}), options);
  const {width, height} = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});
  context.drawImage(bitmap, 0, 0);
  const {data} = context.getImageData(0, 0, width, height);
  const values = bits === 16 ? new Uint16Array(width * height) : new Uint8Array(width * height);
  for (let at = 0; at < values.length; at++) {
    values[at] = bits === 16 ? 256 * data[4 * at] + data[4 * at + 1] : data[4 * at];
  }
  return {width, height, values};
}

function colour(strength) {
  const at = 2 * clamp(strength, 0, 1);
  const [from, to] = at < 1 ? [COLOURS[0], COLOURS[1]] : [COLOURS[1], COLOURS[2]];
  return from.map((value, channel) => Math.round(value + (at % 1 || (at === 2 ? 1 : 0)) * (to[channel] - value)));
}

function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value));
}
