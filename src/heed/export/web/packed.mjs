// @ts-check
// The block of bytes that heed.export.packed writes: a JSON header and arrays.

/** A matrix, row by row, or a vector, which has one row. */
/** @typedef {{ data: Float32Array, rows: number, columns: number }} Tensor */

/**
 * @typedef {{
 *   kind: string, pieces: string[], types: Record<string, number>, scores: number, charsmap: [number, number],
 *   dummyPrefix: boolean, removeSpaces: boolean, escapeSpaces: boolean, spaceAsSuffix: boolean, byteFallback: boolean,
 *   unkSurface: string,
 * }} SubwordHeader see heed.export.subword_model
 */

/**
 * @typedef {{
 *   query: string, attend_end: boolean, score: string, heads: number, bidirectional: boolean, enc_layers: number,
 *   dec_layers: number,
 * }} Architecture
 */

/** @typedef {{ shape: number[], at: number, scales?: number }} TensorHeader */

/**
 * @typedef {{
 *   architecture: Architecture, tensors: Record<string, TensorHeader>, source: SubwordHeader, target: SubwordHeader,
 * }} Header
 */

/**
 * Header and arrays of a block.
 * @param {ArrayBuffer} buffer
 * @returns {{ header: Header, arrays: ArrayBuffer }}
 */
export function readBlock(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { header, arrays: buffer.slice(4 + length) };
}

/**
 * All parameters in float32, each array once, so that tied ones share their memory.
 * @param {Record<string, TensorHeader>} headers
 * @param {ArrayBuffer} arrays
 * @returns {Record<string, Tensor>}
 */
export function readTensors(headers, arrays) {
  /** @type {Map<number, Float32Array>} */
  const read = new Map();
  const entries = Object.entries(headers).map(([name, header]) => {
    const rows = header.shape.length > 1 ? header.shape[0] : 1;
    const columns = header.shape[header.shape.length - 1];
    const data = read.get(header.at) ?? readNumbers(header, rows, columns, arrays);
    read.set(header.at, data);
    return [name, { data, rows, columns }];
  });
  return Object.fromEntries(entries);
}

/**
 * @param {TensorHeader} header
 * @param {number} rows
 * @param {number} columns
 * @param {ArrayBuffer} arrays
 */
function readNumbers({ at, scales }, rows, columns, arrays) {
  if (scales === undefined) return new Float32Array(arrays, at, rows * columns);
  const levels = new Int8Array(arrays, at, rows * columns);
  const scale = new Float32Array(arrays, scales, rows);
  const data = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let at = row * columns; at < (row + 1) * columns; at++) data[at] = levels[at] * scale[row];
  }
  return data;
}
