import { ask, post, h, money, refused, when, words } from '/common.js';

const main = document.querySelector('#main');
const id = new URLSearchParams(location.search).get('id');
const MEANING = { TRAIN: 'models may learn from it', STYLE: 'fans may ask for its style', REMIX: 'it may be remixed', COVER: 'it may be covered', VOICE: 'the voice may be used', STEMS: 'its stems may be used' };
const USES = Object.keys(MEANING);
const open = new Set(); // recordings whose reasons are unfolded; kept while the page is redrawn

async function list() {
  const parties = await ask('/api/v1/parties');
  main.replaceChildren(h('h1', {}, 'Artists, writers and owners'),
    h('div', { class: 'card' }, h('table', {}, h('tbody', {}, parties.map(party => h('tr', {},
      h('td', {}, h('a', { href: `/artist.html?id=${encodeURIComponent(party.id)}` }, party.name), h('div', { class: 'note' }, party.roles.map(words).join(', '))),
      h('td', { class: 'num' }, party.recordings === 1 ? '1 recording' : `${party.recordings} recordings`)))))));
}

const choose = async (use, scope, allowed) => {
  try { page(await post(`/api/v1/parties/${encodeURIComponent(id)}/choices`, { use, scope, allowed })); } catch (error) { fail(error); }
};

/** Whether the party's last word on a use and scope was no. */
const saidNo = (party, use, scope) => party.choices.filter(c => c.use === use && c.scope === scope).at(-1)?.allowed === false;

function choice(party, use) {
  const no = saidNo(party, use, 'all');
  const box = h('input', { type: 'checkbox', role: 'switch', checked: !no, 'aria-label': `${words(use)}, for everything`,
    onchange: () => choose(use, 'all', box.checked) });
  return h('tr', {}, h('td', {}, h('label', { class: 'switch' }, box, words(use))),
    h('td', { class: 'note' }, no ? 'you said no' : `${MEANING[use]}, where an agreement allows it`));
}

function recording(party, line) {
  const scope = `recording:${line.isrc}`;
  const row = h('details', { class: 'recording', open: open.has(line.isrc), ontoggle: () => row.open ? open.add(line.isrc) : open.delete(line.isrc) },
    h('summary', {}, h('span', { class: 'title' }, line.title, h('span', { class: 'mono note' }, ` ${line.isrc}`)),
      h('span', { class: 'chips' }, USES.map(use => h('span', { class: `chip ${line.uses[use]?.allowed ? 'yes' : 'no'}` }, words(use))))),
    USES.map(use => {
      const answer = line.uses[use] ?? { allowed: false, reasons: [] };
      const no = saidNo(party, use, scope);
      return h('div', { class: 'answer' }, h('strong', { class: answer.allowed ? 'yes' : 'no' }, `${words(use)}: ${answer.allowed ? 'yes' : 'no'}`),
        h('button', { class: 'quiet small', onclick: () => choose(use, line.isrc, no) }, no ? 'take my no back' : 'no, not this one'),
        h('div', { class: 'note' }, answer.reasons.map(reason => h('div', {}, reason))));
    }));
  return row;
}

function page(party) {
  const lines = party.statement.lines;
  main.replaceChildren(...[
    h('h1', {}, party.name, ' ', party.fictional ? h('span', { class: 'fiction' }, 'fictional, for the demo') : null),
    h('div', { class: 'two' },
      h('section', { class: 'card' }, h('h2', {}, 'Your choices'), h('table', {}, h('tbody', {}, USES.map(use => choice(party, use)))),
        h('p', { class: 'note' }, 'A no works within a second for style, remix, cover and voice; the next training leaves you out.')),
      h('section', { class: 'card' }, h('h2', {}, 'Paid so far'), h('p', { class: 'sum' }, money(party.statement.total, party.statement.currency)),
        lines.length ? h('table', {}, h('tbody', {}, lines.slice(0, 10).map(line => h('tr', {},
          h('td', {}, h('a', { href: `/clip.html?id=${encodeURIComponent(line.clip)}` }, when(line.at)), h('div', { class: 'note' }, line.reason)),
          h('td', { class: 'num' }, money(line.amount, party.statement.currency, 6))))))
          : h('p', { class: 'note' }, 'Nothing yet: money comes with the first clip that your music is behind.'),
        lines.length > 10 ? h('p', { class: 'note' }, `and ${lines.length - 10} earlier payments`) : null)),
    h('section', { class: 'card' }, h('h2', {}, 'Your recordings'), h('p', { class: 'note' }, 'Open one to see why, and to say no to it alone.'),
      party.recordings.map(line => recording(party, line))),
    party.choices.length ? h('section', { class: 'card' }, h('h2', {}, 'What you have said'), h('table', {}, h('tbody', {},
      [...party.choices].reverse().slice(0, 20).map(c => h('tr', {}, h('td', {}, h('span', { class: c.allowed ? 'yes' : 'no' }, c.allowed ? 'yes' : 'no'), ` to ${words(c.use)}`),
        h('td', { class: 'note' }, c.scope === 'all' ? 'everything' : c.scope), h('td', { class: 'num note' }, `${when(c.recordedAt)}, from ${c.from} on`)))))) : null].filter(Boolean));
}

function fail(error) { main.replaceChildren(h('div', { class: 'card' }, refused(error))); }

try {
  if (id) page(await ask(`/api/v1/parties/${encodeURIComponent(id)}`)); else await list();
} catch (error) { fail(error); }
