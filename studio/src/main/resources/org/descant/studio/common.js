// What every page shares: asking the API, money, shares, the top bar, the waveform and the tables.

export async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error('The server does not answer; see whether it still runs.');
  }
  const isJson = (response.headers.get('content-type') ?? '').includes('json');
  const body = isJson ? await response.json() : await response.text();
  if (!response.ok) {
    const error = new Error(body.detail ?? body.title ?? `The server answered ${response.status}.`);
    error.reasons = body.reasons ?? [];
    error.status = response.status;
    throw error;
  }
  return body;
}

export const post = (path, value) =>
  ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) });

/** Millionths as people read them: two digits, more only where they say something; all six in columns. */
export const money = (micros, currency = 'EUR', digits = 2) =>
  new Intl.NumberFormat(undefined, { style: 'currency', currency, minimumFractionDigits: digits, maximumFractionDigits: 6 }).format(micros / 1e6);

export const percent = share => `${(100 * share).toFixed(share < 0.1 ? 2 : 1)} %`;

/** MainArtist becomes "main artist". */
export const words = name => name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();

export const when = text => new Date(text).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** Makes an element: h('td', {class: 'num'}, 'text', child). Text is never read as HTML. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'width') element.style.width = value;
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter(child => child != null));
  return element;
}

/** A problem as it is shown: the sentence, and the reasons under it. */
export const refused = error => h('div', { class: 'refusal', role: 'alert' }, h('strong', {}, error.message),
  (error.reasons ?? []).map(reason => h('p', {}, reason)));

const artist = party => `/artist.html?id=${encodeURIComponent(party)}`;

/** <descant-top page="play">: the name and the ways between pages. */
customElements.define('descant-top', class extends HTMLElement {
  connectedCallback() {
    const here = this.getAttribute('page');
    const link = (page, href, text) => h('a', { href, 'aria-current': here === page ? 'page' : null }, text);
    this.append(h('header', { class: 'top' },
      h('a', { class: 'name', href: '/' }, h('img', { src: '/mark.svg', alt: '' }), 'Descant'),
      h('nav', { 'aria-label': 'pages' }, link('play', '/', 'Play'), link('artist', '/artist.html', 'Artists'), link('verify', '/verify.html', 'Verify'))));
  }
});

/** <descant-wave>: grows while peaks arrive; `reset(seconds)` sets the full width, a click seeks. */
customElements.define('descant-wave', class extends HTMLElement {
  connectedCallback() {
    this.canvas = h('canvas', { class: 'wave', role: 'img', 'aria-label': 'waveform' });
    this.append(this.canvas);
    this.reset(10);
    new ResizeObserver(() => this.draw()).observe(this);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
    this.addEventListener('click', event => {
      const box = this.getBoundingClientRect();
      this.dispatchEvent(new CustomEvent('seek', { detail: this.seconds * (event.clientX - box.left) / box.width }));
    });
  }
  reset(seconds) { this.peaks = []; this.seconds = seconds; this.drawn = 0; this.position = 0; this.draw(); }
  add(peaks, seconds) { this.peaks.push(...peaks); this.drawn += seconds; this.draw(); }
  at(seconds) { this.position = seconds; this.draw(); }
  /** Follows an audio element, and moves it when somebody clicks. */
  follow(audio) {
    audio.addEventListener('timeupdate', () => this.at(audio.currentTime));
    this.addEventListener('seek', event => { if (audio.duration) audio.currentTime = Math.min(event.detail, audio.duration); });
  }
  draw() {
    if (!this.canvas) return;
    const scale = devicePixelRatio || 1;
    const width = this.canvas.width = this.clientWidth * scale;
    const height = this.canvas.height = 120 * scale;
    const paint = this.canvas.getContext('2d');
    const style = getComputedStyle(this);
    const [accent, line] = ['--accent', '--line'].map(name => style.getPropertyValue(name));
    paint.fillStyle = line;
    paint.fillRect(0, height / 2 - scale / 2, width, scale);
    if (!this.peaks.length) return;
    // A bar for each peak, or for as many as fall into three points of width.
    const bars = Math.max(1, Math.min(Math.floor(width / (3 * scale)), Math.round(this.peaks.length * this.seconds / this.drawn)));
    const step = width / bars, perBar = this.peaks.length * this.seconds / this.drawn / bars;
    const loudest = Math.max(0.05, ...this.peaks.map(([low, high]) => Math.max(-low, high)));
    paint.fillStyle = accent;
    for (let bar = 0; bar * perBar < this.peaks.length; bar++) {
      const from = Math.floor(bar * perBar), to = Math.max(from + 1, Math.floor((bar + 1) * perBar));
      let low = 0, high = 0;
      for (const [l, hi] of this.peaks.slice(from, to)) { low = Math.min(low, l); high = Math.max(high, hi); }
      const played = bar / bars * this.seconds <= this.position;
      paint.globalAlpha = played || this.position === 0 ? 1 : 0.4;
      const top = height / 2 * (1 - 0.94 * high / loudest), bottom = height / 2 * (1 - 0.94 * low / loudest);
      paint.fillRect(bar * step, top, Math.max(scale, step * 0.65), Math.max(scale, bottom - top));
    }
    paint.globalAlpha = 1;
    if (this.position > 0) {
      paint.fillStyle = style.color;
      paint.fillRect(width * Math.min(1, this.position / this.seconds), 0, scale, height);
    }
  }
});

const bar = (part, largest) => h('div', { class: 'bar', width: `${(100 * part / largest).toFixed(1)}%` });

/** Rows, the first ones open and the rest behind a line that says how many there are. */
function folded(head, rows, shown, more) {
  const table = part => h('table', {}, h('thead', {}, h('tr', {}, head())), h('tbody', {}, part));
  return [table(rows.slice(0, shown)),
    rows.length > shown ? h('details', {}, h('summary', {}, more(rows.length - shown)), table(rows.slice(shown))) : null];
}

/** <descant-credits>: who is behind it, largest first. */
customElements.define('descant-credits', class extends HTMLElement {
  show(credits, provisional) {
    const people = new Map();
    for (const credit of credits) {
      const person = people.get(credit.party) ?? { ...credit, share: 0, roles: new Set(), recordings: new Set() };
      person.share += credit.share; person.roles.add(words(credit.role)); person.recordings.add(credit.title || credit.recording);
      people.set(credit.party, person);
    }
    const all = [...people.values()].sort((a, b) => b.share - a.share);
    const rows = all.map(person => h('tr', {},
      h('td', {}, h('a', { href: artist(person.party) }, person.name), h('span', { class: 'note' }, ` ${[...person.roles].join(', ')}`),
        h('div', { class: 'note' }, [...person.recordings].slice(0, 3).join(', ') + (person.recordings.size > 3 ? ` and ${person.recordings.size - 3} more` : ''))),
      h('td', { class: 'num' }, percent(person.share), bar(person.share, all[0].share))));
    this.replaceChildren(
      h('p', { class: 'note' }, provisional ? 'Expected from the request; settled when the clip is complete.' : `Settled: ${all.length === 1 ? 'one person' : `${all.length} people`}.`),
      ...folded(() => [h('th', {}, 'Who'), h('th', { class: 'num' }, 'Share')], rows, 8, n => `and ${n} more people`).filter(Boolean));
  }
});

/** <descant-money>: where a clip's price went, by who got it. */
customElements.define('descant-money', class extends HTMLElement {
  show({ transfers, total, currency, provisional }) {
    const payees = new Map();
    for (const transfer of transfers ?? []) {
      const payee = payees.get(transfer.to) ?? { to: transfer.to, name: transfer.toName ?? transfer.to, amount: 0, reasons: [] };
      payee.amount += transfer.amount; payee.reasons.push(`${money(transfer.amount, currency, 6)} ${transfer.reason ?? ''}`);
      payees.set(transfer.to, payee);
    }
    const all = [...payees.values()].sort((a, b) => b.amount - a.amount);
    const rows = all.map(payee => h('tr', {},
      h('td', {}, payee.to.startsWith('party:') ? h('a', { href: artist(payee.to.slice(6)) }, payee.name) : payee.name,
        h('details', { class: 'note' }, h('summary', {}, payee.reasons.length === 1 ? 'for one thing' : `for ${payee.reasons.length} things`),
          payee.reasons.map(reason => h('div', {}, reason)))),
      h('td', { class: 'num' }, money(payee.amount, currency, 6), bar(payee.amount, all[0].amount))));
    this.replaceChildren(
      h('p', { class: 'note' }, `${money(total, currency)} for this clip${provisional ? ', reserved until it is complete.' : ', paid.'}`),
      ...(rows.length ? folded(() => [h('th', {}, 'To'), h('th', { class: 'num' }, 'Amount')], rows, 8, n => `and ${n} more`).filter(Boolean) : []));
  }
});
