import { ask, h, refused } from '/common.js';

const RELATIONS = { inputTo: 'Went into it', componentOf: 'Part of it', parentOf: 'Made from' };
const answer = document.querySelector('#answer');

/** What a credential says, in rows; what is not said is left out. */
function facts(credential) {
  const rows = [['Title', credential.title], ['Signed by', credential.signer], ['Written by', credential.generator],
    ['Model', credential.modelId], ['Dataset', credential.datasetRoot]].filter(([, value]) => value);
  return h('table', {}, h('tbody', {}, rows.map(([name, value]) => h('tr', {}, h('td', { class: 'note' }, name), h('td', { class: value.length > 60 ? 'mono' : '' }, value))),
    credential.ingredients.map(part => h('tr', {}, h('td', { class: 'note' }, RELATIONS[part.relationship] ?? part.relationship),
      h('td', {}, part.title, part.description ? h('div', { class: 'note' }, part.description) : null)))));
}

async function look(file) {
  answer.replaceChildren(h('p', { class: 'note' }, 'reading …'));
  try {
    const { answer: sentence, credential: report, known } = await ask('/api/v1/verify', { method: 'POST', body: file });
    const holds = report.state === 'TRUSTED' || report.state === 'VALID';
    answer.replaceChildren(h('div', { class: 'card' },
      h('p', {}, h('strong', { class: holds ? 'yes' : 'no' }, sentence)),
      report.problems.map(problem => h('p', { class: 'note' }, problem)),
      known ? h('p', {}, h('a', { href: `/clip.html?id=${encodeURIComponent(known.clip)}` }, 'It was made here: the whole thread.')) : null,
      report.credential ? facts(report.credential) : null));
  } catch (error) {
    answer.replaceChildren(h('div', { class: 'card' }, refused(error)));
  }
}

document.querySelector('#file').addEventListener('change', event => {
  const file = event.target.files[0];
  if (file) look(file);
});
