// Lets the reference implementation write a credential of its own, for ours to read.
//
// usage: node write.mjs <signing.pem> <mime> <in> <out>
import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

// The library reads blobs as a browser's worker does; Node has no FileReaderSync.
globalThis.Blob = class extends Blob {
  constructor(parts) {
    super(parts);
    this.bytes = Buffer.concat(parts.map((part) => Buffer.from(part)));
  }
  slice(from, to) {
    return new Blob([this.bytes.subarray(from, to)]);
  }
};
globalThis.FileReaderSync = class {
  readAsArrayBuffer({ bytes }) {
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  }
};

const { initSync, WasmBuilder } = await import('@contentauth/c2pa-wasm');
initSync({
  module: readFileSync(new URL(import.meta.resolve('@contentauth/c2pa-wasm/c2pa.wasm'))),
});

const [keys, mime, source, target] = process.argv.slice(2);
const pem = (type) =>
  readFileSync(keys, 'utf8').match(
    new RegExp(`-----BEGIN ${type}-----[^-]+-----END ${type}-----`, 'g'),
  );
const chain = pem('CERTIFICATE').map((text) => new X509Certificate(text).raw);
const key = createPrivateKey(pem('PRIVATE KEY')[0]);

// CBOR, as far as a COSE_Sign1 needs it.
function head(major, length) {
  const type = major << 5;
  if (length < 24) return Buffer.from([type | length]);
  if (length < 256) return Buffer.from([type | 24, length]);
  return Buffer.from([type | 25, length >> 8, length & 255]);
}
const bytes = (value) => Buffer.concat([head(2, value.length), value]);
const text = (value) => Buffer.concat([head(3, value.length), Buffer.from(value)]);
const list = (...items) => Buffer.concat([head(4, items.length), ...items]);

const RESERVED = 8000;
const signer = {
  alg: 'es256',
  reserveSize: RESERVED,
  async sign(claim) {
    const header = Buffer.concat([
      Buffer.from('a201261821', 'hex'), list(...chain.map(bytes)),
    ]);
    const signed = list(
      text('Signature1'), bytes(header), bytes(Buffer.alloc(0)), bytes(Buffer.from(claim)),
    );
    const signature = sign('sha256', signed, { key, dsaEncoding: 'ieee-p1363' });
    const cose = (padding) =>
      Buffer.concat([
        Buffer.from('d2', 'hex'),
        list(
          bytes(header),
          Buffer.concat([head(5, 1), text('pad'), bytes(Buffer.alloc(padding))]),
          Buffer.from('f6', 'hex'),
          bytes(signature),
        ),
      ]);
    return new Uint8Array(cose(RESERVED - cose(256).length + 256));
  },
};

const definition = {
  title: 'Recorded elsewhere',
  claim_generator_info: [{ name: 'other', version: '1' }],
  assertions: [
    {
      label: 'c2pa.actions.v2',
      data: {
        actions: [
          {
            action: 'c2pa.created',
            digitalSourceType:
              'http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture',
          },
        ],
      },
    },
    { label: 'org.example.note', kind: 'Json', data: { a: 1 } },
  ],
};
const builder = WasmBuilder.fromJson(
  JSON.stringify(definition),
  JSON.stringify({ verify: { verify_after_sign: false } }),
);
writeFileSync(
  target,
  await builder.sign(signer, [], mime, new Blob([readFileSync(source)])),
);
