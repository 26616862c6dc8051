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

export const percent = value => {
  if (value > 0 && value < 0.01) return 'under 1 %';
  if (value < 1 && value > 0.99) return 'over 99 %';
  return `${Math.round(100 * value)} %`;
};

export const share = value => (value === null ? '-' : value.toFixed(2));

export function verdict(answer) {
  return `${answer.label}, ${percent(answer.probs[answer.label])}`;
}

// Of the operating points only the one that weighs both errors alike: the others need a reason to be chosen.
export function decisions(answer) {
  return answer.decisions.filter(each => each.point === 'youden').map(each =>
    `${each.label}: the probability ${each.called ? 'reaches' : 'does not reach'} ${share(each.threshold)}, ` +
    'above which validation images were called so (Youden point).');
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
  return `${seen}The training pictures whose embeddings lie nearest, nearest first (${found.metric} distance).`;
}

export const failures = {
  401: 'The server asks for a token.',
  413: 'The file is too large for this server.',
  network: 'The server does not answer. Is it still running?',
};
