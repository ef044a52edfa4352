// @ts-check
// SentencePiece's normalisation: normalizer.cc of the SentencePiece project, by the character map of the model file.

import { characterSize, toBytes, toText } from "./utf8.mjs";

/** @typedef {import("./packed.mjs").SubwordHeader} SubwordHeader */

const SPACE_SYMBOL = [0xe2, 0x96, 0x81]; // ▁
const SPACE_BYTE = 0x20;

export class Normaliser {
  /**
   * @param {SubwordHeader} header
   * @param {ArrayBuffer} arrays
   * @param {string[]} fixed pieces that are taken as they are: user-defined symbols
   */
  constructor(header, arrays, fixed) {
    this.header = header;
    const [at, size] = header.charsmap;
    const trieSize = size ? new DataView(arrays).getUint32(at, true) : 0;
    /** A double array (Darts) over bytes, whose values are places in `replacements`. */
    this.trie = size ? new Uint32Array(arrays, at + 4, trieSize / 4) : new Uint32Array();
    this.replacements = size ? new Uint8Array(arrays, at + 4 + trieSize, size - 4 - trieSize) : new Uint8Array();
    this.fixed = fixed.map((piece) => toBytes(piece)).sort((a, b) => b.length - a.length);
  }

  /**
   * The text with ▁ for each space and before its first word, as subwords spell it.
   * @param {string} text
   * @returns {string}
   */
  normalise(text) {
    const { dummyPrefix, removeSpaces, spaceAsSuffix } = this.header;
    const input = toBytes(text);
    let at = removeSpaces ? this.skipSpaces(input) : 0;
    if (at === input.length) return "";
    /** @type {number[]} */
    const output = [];
    if (dummyPrefix && !spaceAsSuffix) this.addSpace(output);
    let afterSpace = removeSpaces;
    while (at < input.length) {
      const { bytes, length } = this.next(input, at);
      let start = 0;
      while (afterSpace && bytes[start] === SPACE_BYTE) start++;
      for (let i = start; i < bytes.length; i++) {
        if (bytes[i] === SPACE_BYTE) this.addSpace(output);
        else output.push(bytes[i]);
      }
      if (start < bytes.length) afterSpace = bytes[bytes.length - 1] === SPACE_BYTE;
      if (!removeSpaces) afterSpace = false;
      at += length;
    }
    if (removeSpaces) this.trimEnd(output);
    if (dummyPrefix && spaceAsSuffix) this.addSpace(output);
    return toText(new Uint8Array(output));
  }

  /** @param {Uint8Array} input */
  skipSpaces(input) {
    let at = 0;
    while (at < input.length) {
      const { bytes, length } = this.next(input, at);
      if (bytes.length !== 1 || bytes[0] !== SPACE_BYTE) break;
      at += length;
    }
    return at;
  }

  /** @param {number[]} output */
  addSpace(output) {
    if (this.header.escapeSpaces) output.push(...SPACE_SYMBOL);
    else output.push(SPACE_BYTE);
  }

  /** @param {number[]} output */
  trimEnd(output) {
    const space = this.header.escapeSpaces ? SPACE_SYMBOL : [SPACE_BYTE];
    let end = output.length;
    while (end && space.every((byte, i) => output[end - space.length + i] === byte)) end -= space.length;
    output.length = end;
  }

  /**
   * What the longest known sequence at a place becomes, or the character there as it is.
   * @param {Uint8Array} input
   * @param {number} at
   * @returns {{ bytes: Uint8Array, length: number }}
   */
  next(input, at) {
    const fixed = this.fixed.find((piece) => startsWith(input, at, piece));
    if (fixed) return { bytes: fixed, length: fixed.length };
    const { length, value } = this.longest(input, at);
    if (length) return { bytes: this.replacements.subarray(value, this.replacements.indexOf(0, value)), length };
    const size = characterSize(input[at]);
    return { bytes: input.subarray(at, at + size), length: size };
  }

  /**
   * The longest key of the double array at a place: Darts-clone's commonPrefixSearch.
   * @param {Uint8Array} input
   * @param {number} at
   */
  longest(input, at) {
    const { trie } = this;
    const found = { length: 0, value: 0 };
    if (!trie.length) return found;
    let node = offset(trie[0]);
    for (let i = at; i < input.length; i++) {
      node ^= input[i];
      const unit = trie[node];
      if ((unit & 0x800000ff) !== input[i]) break;
      node ^= offset(unit);
      if ((unit >>> 8) & 1) {
        found.length = i + 1 - at;
        found.value = trie[node] & 0x7fffffff;
      }
    }
    return found;
  }
}

/** @param {number} unit */
const offset = (unit) => (unit >>> 10) << ((unit & 0x200) >>> 6);

/** @param {Uint8Array} input @param {number} at @param {Uint8Array} piece */
const startsWith = (input, at, piece) => piece.every((byte, i) => input[at + i] === byte);
