// What happens on the page: files in, one answer after the other, the chosen one on show.

import {Viewer, grey} from './viewer.js';
import * as words from './words.js';

const TRIES = 8;
const NEIGHBORS = 5;
const $ = id => document.getElementById(id);
const state = {items: [], chosen: null, models: [], token: '', working: false};
const viewer = new Viewer($('view'), showWindow);

start();

async function start() {
  $('files').addEventListener('change', event => {
    add([...event.target.files]);
    event.target.value = '';
  });
  $('access').addEventListener('submit', event => {
    event.preventDefault();
    state.token = $('token').value;
    loadModels();
  });
  $('model').addEventListener('change', () => {
    describeModel();
    for (const item of state.items) Object.assign(item, {answer: null, maps: {}, problem: ''});
    if (state.chosen) choose(state.chosen);
    work();
  });
  $('force').addEventListener('click', () => {
    Object.assign(state.chosen, {force: true, answer: null, maps: {}});
    work();
  });
  $('target').addEventListener('change', () => explain(state.chosen, $('target').value));
  $('opacity').addEventListener('input', () => {
    $('opacity-value').value = `${$('opacity').value} %`;
    viewer.setOpacity($('opacity').value / 100);
  });
  for (const id of ['level', 'width']) {
    $(id).addEventListener('input', () => viewer.setWindow($('level').value / 1000, $('width').value / 1000));
  }
  $('closer').addEventListener('click', () => viewer.zoomBy(1.25));
  $('farther').addEventListener('click', () => viewer.zoomBy(0.8));
  $('invert').addEventListener('click', () => viewer.setInverted(!viewer.inverted));
  $('reset').addEventListener('click', () => viewer.reset());
  acceptDrops();
  await loadModels();
}

function acceptDrops() {
  for (const name of ['dragenter', 'dragover']) {
    document.addEventListener(name, event => {
      event.preventDefault();
      $('drop').classList.add('over');
    });
  }
  document.addEventListener('dragleave', event => {
    if (!event.relatedTarget) $('drop').classList.remove('over');
  });
  document.addEventListener('drop', event => {
    event.preventDefault();
    $('drop').classList.remove('over');
    add([...event.dataTransfer.files]);
  });
}

async function loadModels() {
  const response = await ask('v1/models');
  $('access').hidden = !response || response.status !== 401;
  if (!response || !response.ok) {
    tell(response ? words.failures[response.status] || 'The server refused.' : words.failures.network);
    if (!$('access').hidden) $('token').focus();
    return;
  }
  const found = await response.json();
  state.models = found.models;
  $('version').textContent = found.hilum;
  $('model').replaceChildren(...found.models.map(each => new Option(each.name, each.name)));
  $('choose').hidden = found.models.length < 2;
  describeModel();
  work();
}

function model() {
  return state.models.find(each => each.name === $('model').value);
}

function describeModel() {
  const {limits, figures} = model();
  $('limits').replaceChildren(...limits.map(sentence => made('li', sentence)));
  $('figures-words').textContent = words.figures(figures);
  $('figures').hidden = !figures;
  $('figure-rows').replaceChildren(...(figures ? figures.overall : []).map(each => {
    const row = document.createElement('tr');
    const name = made('th', each.name);
    name.scope = 'row';
    row.append(name, made('td', words.share(each.value)), made('td', `${words.share(each.ci_low)} to ${words.share(each.ci_high)}`));
    return row;
  }));
}

function add(files) {
  for (const file of files) {
    const item = {file, answer: null, maps: {}, problem: '', force: false};
    item.button = document.createElement('button');
    item.button.type = 'button';
    item.button.append(made('bdi', file.name), made('small', 'waits'));
    item.button.addEventListener('click', () => choose(item));
    const entry = document.createElement('li');
    entry.append(item.button);
    $('images').append(entry);
    state.items.push(item);
  }
  work();
}

// One image at a time: the server is shared, and the first answer is on show while the others are computed.
async function work() {
  if (state.working || !state.models.length) return;
  state.working = true;
  let item;
  while ((item = state.items.find(each => !each.answer && !each.problem))) await predict(item);
  state.working = false;
}

async function predict(item) {
  mark(item, 'is read');
  const name = model().name;
  const query = new URLSearchParams({model: name, picture: true, force: item.force});
  if (model().has_cases) query.set('neighbors', NEIGHBORS);
  const response = await ask(`v1/predict?${query}`, item.file);
  if (name !== model().name) return;
  if (!response || !response.ok) {
    item.problem = await failure(response);
    mark(item, 'failed');
  } else {
    item.answer = (await response.json()).results[0];
    mark(item, item.answer.status === 'ok' ? words.verdict(item.answer) : words.refusedShortly(item.answer.code));
  }
  if (!state.chosen || state.chosen === item || !state.chosen.button.isConnected) await choose(item);
  else tell(`${item.file.name}: ${item.button.lastChild.textContent}`);
}

async function failure(response) {
  if (!response) return words.failures.network;
  if (response.status === 401) $('access').hidden = false;
  try {
    return words.failures[response.status] || (await response.json()).detail;
  } catch {
    return 'The server refused.';
  }
}

function mark(item, text) {
  item.button.lastChild.textContent = text;
}

async function choose(item) {
  state.chosen = item;
  for (const each of state.items) each.button.setAttribute('aria-current', String(each === item));
  const {answer} = item;
  if (!answer && !item.problem) return;
  $('result').hidden = false;
  const ok = Boolean(answer) && answer.status === 'ok';
  $('verdict').textContent = ok ? words.verdict(answer) : answer ? words.refusal(answer.code) : 'No answer';
  $('reason').textContent = ok ? '' : answer ? words.sentence(answer.reason) : item.problem;
  $('insist').hidden = ok || !answer || !words.canBeForced(answer.code);
  $('answer').hidden = !ok;
  $('heat-controls').hidden = true;
  fill('notes', answer ? answer.notes : []);
  if (ok) showAnswer(answer);
  await showCases(ok ? answer.neighbors : null);
  tell(`${item.file.name}: ${$('verdict').textContent}`);
  const picture = answer && answer.picture;
  $('view').hidden = !picture;
  document.querySelector('.viewer').hidden = !picture;
  if (!picture) return;
  $('view').setAttribute('aria-label', `X-ray ${item.file.name}: ${$('verdict').textContent}`);
  await viewer.show(picture);
  if (ok && model().explains && state.chosen === item) await explain(item, answer.label);
}

function showAnswer(answer) {
  const thresholds = words.thresholds(answer);
  $('probs').replaceChildren(...Object.entries(answer.probs).map(([label, prob], position) => {
    const row = document.createElement('tr');
    const name = document.createElement('th');
    name.scope = 'row';
    const mark = made('span', label);
    mark.className = `name k-c${position % 8}`;
    name.append(mark);
    const cell = made('td', words.percent(prob));
    const bar = document.createElement('span');
    bar.className = 'bar';
    bar.append(document.createElement('i'));
    bar.firstChild.style.width = `${100 * prob}%`;
    if (Object.hasOwn(thresholds, label)) bar.append(tick(thresholds[label]));
    cell.append(bar);
    row.append(name, cell);
    return row;
  }));
  $('points').textContent = words.decisions(answer);
  $('stranger').textContent = words.stranger(answer);
}

async function explain(item, target) {
  const name = model().name;
  if (!item.maps[target]) {
    const query = new URLSearchParams({model: name, target, force: item.force});
    const response = await ask(`v1/explain?${query}`, item.file);
    if (!response || !response.ok) {
      if (state.chosen === item) tell(await failure(response));
      return;
    }
    item.maps[target] = (await response.json()).map;
  }
  if (state.chosen !== item || name !== model().name) return;
  const map = item.maps[target];
  await viewer.showHeat(map.png);
  if (state.chosen !== item) return;
  $('heat-controls').hidden = false;
  $('target').replaceChildren(...model().labels.map(label => new Option(label, label, false, label === target)));
  $('heat-words').textContent = words.heat(map);
}

function tick({threshold}) {
  const mark = document.createElement('b');
  mark.style.left = `${100 * threshold}%`;
  mark.title = `threshold ${words.percent(threshold)}`;
  return mark;
}

async function showCases(found) {
  $('cases').hidden = !found;
  if (!found) return;
  $('cases-words').textContent = words.cases(found);
  const shown = await Promise.all(found.cases.map(async each => {
    const entry = document.createElement('li');
    const figure = document.createElement('figure');
    if (each.picture) figure.append(await thumbnail(each));
    figure.append(caption(each));
    entry.append(figure);
    return entry;
  }));
  $('case-list').replaceChildren(...shown);
}

function caption(each) {
  const below = document.createElement('figcaption');
  const name = made('b', each.label);
  name.className = `name k-c${model().labels.indexOf(each.label) % 8}`;
  below.append(name, made('small', `distance ${words.distance(each.distance)}`));
  return below;
}

async function thumbnail(each) {
  const {width, height, values} = await grey(each.picture.png, each.picture.bits);
  const canvas = Object.assign(document.createElement('canvas'), {width, height});
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `training case, ${each.label}`);
  const pixels = new ImageData(width, height);
  const scale = 255 / (2 ** each.picture.bits - 1);
  values.forEach((value, at) => pixels.data.set([value * scale, value * scale, value * scale, 255], 4 * at));
  canvas.getContext('2d').putImageData(pixels, 0, 0);
  return canvas;
}

function showWindow({level, width, inverted}) {
  $('level').value = 1000 * level;
  $('width').value = 1000 * width;
  $('level-value').value = `${Math.round(100 * level)} %`;
  $('width-value').value = `${Math.round(100 * width)} %`;
  $('invert').setAttribute('aria-pressed', String(inverted));
}

// Asks the server; when it is busy, again after as long as it says. Null when it is not there.
async function ask(path, file) {
  const headers = file ? {'content-type': 'application/octet-stream'} : {};
  if (state.token) headers.authorization = `Bearer ${state.token}`;
  const options = file ? {method: 'POST', body: file, headers} : {headers};
  for (let count = 0; ; count++) {
    let response;
    try {
      response = await fetch(path, options);
    } catch {
      return null;
    }
    if (response.status !== 503 || count >= TRIES) return response;
    const seconds = Number(response.headers.get('retry-after')) || 1;
    tell(`The server is busy; asking again in ${seconds} s.`);
    await new Promise(done => setTimeout(done, 1000 * seconds));
  }
}

function tell(text) {
  $('status').textContent = text;
}

function fill(id, sentences) {
  $(id).replaceChildren(...sentences.map(sentence => made('li', sentence)));
}

function made(kind, text) {
  const element = document.createElement(kind);
  element.textContent = text;
  return element;
}
