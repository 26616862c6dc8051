// Sentences of the page.

const REFUSALS = {
  'not-a-chest-xray': 'Refused: this does not look like a frontal chest X-ray',
  modality: 'Refused: the file says that it is no X-ray',
  'body-part': 'Refused: the file says that it shows another part of the body',
  lateral: 'Refused: the file says that it is a view from the side',
};

// Codes that a user may overrule: the picture can be read, only its content is doubted.
export const canBeForced = code => code in REFUSALS;

export const refusal = code => REFUSALS[code] || 'This file cannot be read as an X-ray';

export const refusedShortly = code => (code in REFUSALS ? 'refused' : 'not usable');

export const sentence = text => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

export const percent = value => {
  if (value > 0 && value < 0.01) return 'under 1 %';
  if (value < 1 && value > 0.99) return 'over 99 %';
  return `${Math.round(100 * value)} %`;
};

export const distance = value => (value < 0.0005 ? '0' : value.toPrecision(3));

export const share = value => (value === null ? '-' : value.toFixed(2));

// Two classes closer than this are named together: a headline with one of them would say more than the model does.
const CLOSE = 0.1;

export function verdict(answer) {
  const [first, second] = Object.entries(answer.probs).sort((a, b) => b[1] - a[1]);
  if (!second || first[1] - second[1] >= CLOSE) return `${first[0]}, ${percent(first[1])}`;
  return `Undecided: ${first[0]} ${percent(first[1])}, ${second[0]} ${percent(second[1])}`;
}

// Of the operating points only the one that weighs both errors alike: the others need a reason to be chosen.
export const thresholds = answer =>
  Object.fromEntries(answer.decisions.filter(each => each.point === 'youden').map(each => [each.label, each]));

export function decisions(answer) {
  const found = Object.values(thresholds(answer));
  if (!found.length) return '';
  const named = (words, chosen) =>
    (chosen.length ? `${words} ${chosen.map(each => `${each.label} (from ${percent(each.threshold)})`).join(', ')}.` : '');
  return 'The mark on a bar is the threshold that weighed misses and false alarms alike on validation images (Youden). ' +
    [named('Reached:', found.filter(each => each.called)), named('Not reached:', found.filter(each => !each.called))]
      .filter(Boolean).join(' ');
}

export function stranger(answer) {
  if (answer.gate_score === null) return '';
  return `How unlike the training pictures: ${answer.gate_score.toFixed(1)}; ` +
    `refused above ${answer.gate_threshold.toFixed(1)}.`;
}

export function heat(map) {
  if (map.is_empty) return `Nothing in this picture speaks for ${map.label}, by ${map.method}.`;
  return `Orange to yellow: where the network found ${map.question} (${map.method}, layer ${map.layer}). ` +
    'It shows where the network looked, not where disease is.';
}

export function figures(found) {
  if (!found) return 'Not known here: no figures of a study lie beside the model file.';
  const split = found.split === 'test' ? 'test images that it had never seen' : 'validation images on which it was chosen';
  const classes = found.classes.map(each => `${each.found} of ${each.of} ${each.label}`).join(', ');
  return `On ${found.images.toLocaleString('en')} ${split}, of ${found.patients.toLocaleString('en')} patients. ` +
    `It recognised ${classes}.`;
}

export function cases(found) {
  const seen = found.seen_in_training ? 'This very file was used in training, so its neighbours prove nothing. ' : '';
  const counts = new Map();
  for (const {label} of found.cases) counts.set(label, (counts.get(label) || 0) + 1);
  const tally = [...counts].sort((a, b) => b[1] - a[1]).map(([label, count]) => `${count} ${label}`).join(', ');
  return `${seen}The training pictures that lie nearest to this one for the network, nearest first ` +
    `(${found.metric} distance of embeddings): ${tally}. Like is not proof: pictures of one machine lie together too.`;
}

export const failures = {
  401: 'The server asks for a token.',
  413: 'The file is too large for this server.',
  network: 'The server does not answer. Is it still running?',
};
