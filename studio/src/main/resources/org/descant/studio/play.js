import { ask, post, h, refused, when } from '/common.js';

const form = document.querySelector('#ask');
const state = document.querySelector('#state');
const result = document.querySelector('#result');
const refusal = document.querySelector('#refusal');
const wave = document.querySelector('descant-wave');
const audio = document.querySelector('audio');
const button = form.querySelector('button');
const facts = document.querySelector('#facts');

for (const mode of ['major', 'minor'])
  for (const tonic of ['C', 'C#', 'D', 'Eb', 'E', 'F', 'F#', 'G', 'Ab', 'A', 'Bb', 'B'])
    form.key.append(h('option', {}, `${tonic} ${mode}`));

async function fill() {
  const chosen = form.style.value;
  const [styles, status, clips] = await Promise.all(['/api/v1/styles', '/api/v1/status', '/api/v1/clips'].map(path => ask(path)));
  const options = allowed => styles.filter(style => style.allowed === allowed)
    .map(s => h('option', { value: s.isrc, title: s.reasons.join('\n') }, `${s.artist}: ${s.title}`));
  form.style.replaceChildren(h('option', { value: '' }, 'nobody in particular'),
    h('optgroup', { label: 'open to be asked for' }, options(true)),
    h('optgroup', { label: 'not open (ask, and see why)' }, options(false)));
  form.style.value = chosen;
  const flags = status.model.flagged.map(f => `${f.title} (until ${f.playableUntil})`);
  document.querySelector('#about').textContent =
    `Played by ${status.model.name}, which learned from ${status.model.recordings} recordings whose owners all had said yes.`
    + (status.fictional ? ' Artists and music of the demo are fictional and our own.' : '')
    + (flags.length ? ` On notice for ${flags.join(', ')}: somebody has taken their yes back since.` : '');
  if (!status.model.playable) show({ message: 'The model has to rest: somebody it learned from has taken their yes back.', reasons: status.model.reasons });
  document.querySelector('#lately').replaceChildren(...(clips.length ? [h('h2', {}, 'Made here lately'),
    h('ul', { class: 'lines' }, clips.slice(0, 8).map(clip => h('li', {},
      h('a', { href: `/clip.html?id=${encodeURIComponent(clip.id)}` }, clip.text || 'A clip without words'),
      h('span', { class: 'note' }, `${clip.seconds} s · ${when(clip.at)}`))))] : []));
}

function show(error) {
  refusal.hidden = false;
  refusal.replaceChildren(refused(error));
  state.textContent = '';
  button.disabled = false;
}

function request() {
  const wanted = {};
  for (const name of ['text', 'key', 'style']) if (form[name].value) wanted[name] = form[name].value;
  for (const name of ['tempo', 'seconds', 'seed']) if (form[name].value) wanted[name] = Number(form[name].value);
  const tags = form.tags.value.split(',').map(tag => tag.trim()).filter(Boolean);
  if (tags.length) wanted.tags = tags;
  return wanted;
}

form.addEventListener('submit', async event => {
  event.preventDefault();
  refusal.hidden = true; button.disabled = true; state.textContent = 'asking …';
  const wanted = request();
  let made;
  try { made = await post('/api/v1/generations', wanted); } catch (error) { return show(error); }
  result.hidden = false;
  facts.textContent = '';
  state.textContent = 'waiting for the first sound …';
  wave.reset(wanted.seconds ?? 10);
  audio.src = made.audio;
  audio.play().catch(() => {}); // a browser that wants a click first shows its own button
  const events = new EventSource(made.events);
  const on = (name, handle) => events.addEventListener(name, message => handle(JSON.parse(message.data)));
  on('chunk', chunk => { wave.add(chunk.peaks, chunk.seconds); state.textContent = `${(chunk.fromSeconds + chunk.seconds).toFixed(1)} s made`; });
  on('credits', credits => document.querySelector('descant-credits').show(credits.credits, credits.provisional));
  on('money', value => document.querySelector('descant-money').show(value));
  on('done', done => {
    events.close(); button.disabled = false; state.textContent = 'complete';
    facts.replaceChildren(
      h('a', { href: `/clip.html?id=${encodeURIComponent(done.clip)}` }, 'the whole thread'), ' · ',
      h('a', { href: done.wav, download: true }, 'WAV'), ' · ', h('a', { href: done.flac, download: true }, 'FLAC'),
      ` · longest span like any training recording: ${done.copiedSeconds.toFixed(2)} s`);
    fill().catch(show);
  });
  on('failed', failed => {
    events.close(); audio.pause(); audio.removeAttribute('src'); result.hidden = true;
    show(Object.assign(new Error(failed.problem.detail), { reasons: failed.problem.reasons }));
  });
  events.addEventListener('error', () => {
    if (events.readyState === EventSource.CLOSED) show(new Error('The connection to the server was lost; look under "Made here lately".'));
  });
});
wave.follow(audio);
fill().catch(show);
