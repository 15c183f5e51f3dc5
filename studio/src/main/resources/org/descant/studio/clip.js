import { ask, h, percent, refused, when } from '/common.js';

const main = document.querySelector('#main');
const id = new URLSearchParams(location.search).get('id') ?? '';
const KINDS = { RECORDING: 'recordings', DECISION: 'decisions', DATASET: 'the dataset', RUN: 'the training run', MODEL: 'the model', CLIP: 'this clip', USAGE: 'its use', TRANSFER: 'transfers', STATEMENT: 'statements' };

/** The thread, a step a kind: what there are many of is unfolded by a click. */
function thread(nodes, truncated) {
  const steps = Object.keys(KINDS).map(kind => nodes.filter(node => node.kind === kind)).filter(step => step.length);
  const line = node => h('div', { class: 'node' }, node.label, ' ', h('span', { class: 'mono note' }, node.id));
  return [h('ol', { class: 'thread' }, steps.map(step => h('li', {}, step.length === 1
    ? [h('strong', {}, KINDS[step[0].kind]), line(step[0])]
    : h('details', {}, h('summary', {}, h('strong', {}, `${step.length} ${KINDS[step[0].kind]}`)), step.map(line))))),
  truncated ? h('p', { class: 'note' }, 'There is more than fits here.') : null];
}

/** By which rule credit and money were divided, and how sure attribution is. */
function rule(clip) {
  const style = clip.shareRule.startsWith('half-to-style');
  const what = style ? 'Half goes to the recording whose style was asked for; the rest is divided' : 'Credit and money are divided';
  const how = clip.shareRule.endsWith('attribution') ? 'by what attribution found' : 'equally among the recordings that the model learned from';
  const sure = clip.reliability
    ? `Attribution agrees with retraining at a rank correlation of ${clip.reliability.score.toFixed(2)}; from ${clip.reliability.threshold} on it decides.`
    : 'Nobody has measured yet how far attribution can be trusted with this model.';
  return `${what} ${how}. ${sure}`;
}

try {
  const address = `/api/v1/clips/${encodeURIComponent(id)}`;
  const clip = await ask(address);
  const trace = await ask(`${address}/trace`);
  const wave = h('descant-wave'), credits = h('descant-credits'), cash = h('descant-money');
  const audio = h('audio', { controls: true, src: clip.wav, preload: 'metadata' });
  const largest = Object.entries(clip.attribution).slice(0, 5);
  const titles = new Map(trace.nodes.filter(node => node.kind === 'RECORDING').map(node => [node.id, node.label]));
  main.replaceChildren(
    h('h1', {}, clip.text || 'A clip without words'),
    h('div', { class: 'card' }, wave, audio,
      h('p', { class: 'note' }, [`${clip.seconds} s`, `${Math.round(clip.tempo)} bpm`, clip.key, ...clip.tags, `seed ${clip.seed}`, clip.model.name, when(clip.at)].join(' · ')),
      h('p', { class: 'note' }, `Longest span like any training recording: ${clip.copied.seconds.toFixed(2)} s. `,
        h('a', { href: clip.wav, download: true }, 'WAV'), ' and ', h('a', { href: clip.flac, download: true }, 'FLAC'), ' carry a signed content credential.')),
    h('div', { class: 'two' }, h('section', { class: 'card' }, h('h2', {}, 'Who is behind it'), credits),
      h('section', { class: 'card' }, h('h2', {}, 'Where the money went'), cash)),
    h('div', { class: 'two' },
      h('section', { class: 'card' }, h('h2', {}, 'The thread'), thread(trace.nodes, trace.truncated)),
      h('section', { class: 'card' }, h('h2', {}, 'How it was divided'), h('p', {}, rule(clip)),
        h('p', { class: 'note' }, 'What attribution found, largest first:'),
        h('table', {}, h('tbody', {}, largest.map(([isrc, weight]) => h('tr', {},
          h('td', {}, titles.get(isrc) || isrc), h('td', { class: 'num' }, percent(weight), h('div', { class: 'bar', width: `${(100 * weight / largest[0][1]).toFixed(1)}%` })))))))));
  wave.reset(clip.seconds); wave.add(clip.peaks, clip.seconds);
  credits.show(clip.credits, false);
  cash.show({ transfers: clip.transfers, total: clip.transfers.reduce((sum, t) => sum + t.amount, 0), currency: clip.currency });
  wave.follow(audio);
} catch (error) {
  main.replaceChildren(h('div', { class: 'card' }, refused(error)));
}
