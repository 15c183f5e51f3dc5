// The independent judge of a content credential: the reference implementation as WebAssembly.
//
// Reads lines {"file", "mime", "anchors"?, "flips"?: {"from", "to", "count", "seed"}} on stdin and
// answers each with one line {"state", "codes", "title", "ingredients", "actions", "unnoticed"?}.
// With flips, it also judges that many copies with one bit changed between from and to, and lists
// the bit positions whose change it did not notice.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { initSync, WasmReader } from '@contentauth/c2pa-wasm';

initSync({
  module: readFileSync(new URL(import.meta.resolve('@contentauth/c2pa-wasm/c2pa.wasm'))),
});

async function judge(mime, bytes, anchors) {
  const settings = anchors
    ? { trust: { trust_anchors: anchors }, verify: { verify_trust: true } }
    : { verify: { verify_trust: false } };
  let reader;
  try {
    reader = await WasmReader.fromBytes(mime, bytes, JSON.stringify(settings));
    return JSON.parse(reader.json());
  } catch (error) {
    return { validation_state: 'Error', error: String(error) };
  } finally {
    reader?.free();
  }
}

function codes(store) {
  const active = store.validation_results?.activeManifest;
  return (active?.failure ?? []).map((status) => status.code);
}

// A small generator with a seed, so that a finding can be looked at again.
function* numbers(seed) {
  let state = BigInt(seed);
  for (;;) {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    yield Number(state >> 32n);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { file, mime, anchors, flips } = JSON.parse(line);
  const bytes = new Uint8Array(readFileSync(file));
  const store = await judge(mime, bytes, anchors);
  const manifest = store.manifests?.[store.active_manifest];
  const answer = {
    state: store.validation_state,
    error: store.error,
    codes: codes(store),
    title: manifest?.title,
    ingredients: manifest?.ingredients?.map((ingredient) => ingredient.title),
    actions: manifest?.assertions?.find((a) => a.label === 'c2pa.actions.v2')?.data.actions,
  };
  if (flips) {
    answer.unnoticed = [];
    const random = numbers(flips.seed);
    for (let i = 0; i < flips.count; i++) {
      const bit = flips.from * 8 + (random.next().value % ((flips.to - flips.from) * 8));
      bytes[bit >> 3] ^= 1 << (bit & 7);
      const state = (await judge(mime, bytes, anchors)).validation_state;
      bytes[bit >> 3] ^= 1 << (bit & 7);
      if (state === 'Valid' || state === 'Trusted') answer.unnoticed.push(bit);
    }
  }
  console.log(JSON.stringify(answer));
}
