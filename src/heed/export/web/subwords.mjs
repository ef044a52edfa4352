// @ts-check
// Text to ids and back: heed.text.subwords on top of SentencePiece's models.

import { Normaliser } from "./normaliser.mjs";
import { BYTE, CONTROL, UNKNOWN, UNUSED, USER_DEFINED, bpe, char, unigram } from "./segmenters.mjs";
import { characterSize, toBytes, toText } from "./utf8.mjs";

/** @typedef {import("./packed.mjs").SubwordHeader} SubwordHeader */
/** @typedef {import("./segmenters.mjs").Vocabulary} Vocabulary */

export const PAD = 0, UNK = 1, BOS = 2, EOS = 3;

/** SentencePiece's mark for the space before a word. */
export const SPACE = "▁";

/** What divides words: ASCII white space, as in heed.text.words; other spaces are characters of the text. */
const DIVIDERS = /[ \t\n\r\f\v]+/g;

/** White space as Python's str.split knows it, which differs from that of JavaScript. */
const WHITE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;

/** A text by which a vocabulary shows whether its normalisation keeps spaces that are not ASCII. */
const NO_BREAK = "a\u00a0b\u3000c";

/** @param {string} text @returns {string[]} */
export const splitWords = (text) => text.split(DIVIDERS).filter(Boolean);

export class Subwords {
  /** @param {SubwordHeader} header @param {ArrayBuffer} arrays */
  constructor(header, arrays) {
    this.pieces = header.pieces;
    this.header = header;
    this.types = new Uint8Array(header.pieces.length).fill(1);
    for (const [id, type] of Object.entries(header.types)) this.types[Number(id)] = type;
    const scores = new Float32Array(arrays, header.scores, header.pieces.length);
    this.vocabulary = vocabularyOf(header.pieces, this.types, scores);
    this.normaliser = new Normaliser(header, arrays, this.vocabulary.fixed);
    this.keepsSpaces = this.normaliser.normalise(NO_BREAK) === SPACE + NO_BREAK;
    this.bytes = new Map(header.pieces.flatMap((piece, id) => (this.types[id] === BYTE ? [[byteOf(piece), id]] : [])));
    const normal = header.pieces.filter((_, id) => !this.isSpecial(id));
    this.wholeWords = normal.length > 0 && normal.every((piece) => piece.startsWith(SPACE));
    const unknown = header.pieces[UNK]; // of whole words, an unknown one is a word too
    this.opens = header.pieces.map((piece) =>
      piece.startsWith(SPACE) || (this.wholeWords && piece.startsWith(unknown)));
    this.shows = header.pieces.map((piece, id) => ![PAD, BOS, EOS].includes(id) && piece.replaceAll(SPACE, "") !== "");
    /** @type {Map<string, number[]>} */
    this.known = new Map();
  }

  /** @param {number} id @returns {boolean} whether the piece stands for no text of its own */
  isSpecial(id) {
    return [UNKNOWN, CONTROL, BYTE].includes(this.types[id]);
  }

  /**
   * The ids of each white-space word of a line, as the line itself counts its words.
   * @param {string} line
   * @returns {number[][]}
   */
  encodeWords(line) {
    return splitWords(line).map((word) => this.encodeWord(word));
  }

  /** @param {string} text @returns {string} */
  clean(text) {
    return text.replaceAll(SPACE, " ").split(this.keepsSpaces ? DIVIDERS : WHITE).filter(Boolean).join(" ");
  }

  /** @param {string} word @returns {number[]} */
  encodeWord(word) {
    const ids = this.known.get(word) ?? (this.wholeWords ? this.wholeIds(word) : this.segment(this.clean(word)));
    if (this.known.size < 100_000) this.known.set(word, ids);
    return ids;
  }

  /** @param {string} word @returns {number[]} */
  wholeIds(word) {
    const parts = splitWords(this.normaliser.normalise(this.clean(word)).replaceAll(SPACE, " "));
    return parts.map((part) => this.vocabulary.ids.get(SPACE + part) ?? UNK);
  }

  /** @param {string} text @returns {number[]} */
  segment(text) {
    const normalised = this.normaliser.normalise(text);
    const cut = { unigram, bpe, char }[this.header.kind];
    if (!cut) throw new Error(`no segmentation of kind ${this.header.kind}`);
    return this.idsOf(cut(normalised, this.vocabulary));
  }

  /** @param {import("./segmenters.mjs").Segment[]} segments @returns {number[]} */
  idsOf(segments) {
    const ids = [];
    let afterUnknown = false;
    for (const [piece, id] of segments) {
      const unknown = this.types[id] === UNKNOWN;
      if (unknown && this.header.byteFallback) {
        for (const byte of toBytes(piece)) ids.push(this.bytes.get(byte) ?? UNK);
      } else if (!(unknown && afterUnknown)) ids.push(id); // several unknown characters in a row are one <unk>
      afterUnknown = unknown;
    }
    return ids;
  }

  /**
   * For each subword the index of its word; a subword without visible text belongs to a neighbouring word.
   * @param {number[]} ids
   * @returns {number[]}
   */
  wordIndex(ids) {
    const index = [];
    let word = 0, shown = false;
    for (const id of ids) {
      if (shown && this.opens[id]) {
        word += 1;
        shown = false;
      }
      shown ||= this.shows[id];
      index.push(word);
    }
    const last = shown ? word : Math.max(word - 1, 0);
    return index.map((at) => Math.min(at, last));
  }

  /** @param {number[]} ids @returns {string[]} the white-space words that the pieces make up */
  words(ids) {
    /** @type {number[][]} */
    const groups = [];
    this.wordIndex(ids).forEach((word, at) => (groups[word] ??= []).push(ids[at]));
    return groups.map((group) => this.spell(group));
  }

  /** @param {number[]} ids @returns {string} */
  decode(ids) {
    return this.words(ids).filter(Boolean).join(" ");
  }

  /** @param {number[]} ids of one word @returns {string} the word, without any white space */
  spell(ids) {
    let text = "";
    /** @type {number[]} */
    let bytes = [];
    const flush = () => {
      text += decodeBytes(bytes);
      bytes = [];
    };
    for (const id of ids) {
      if (this.types[id] === BYTE) {
        bytes.push(byteOf(this.pieces[id]));
        continue;
      }
      flush();
      if (this.types[id] === UNKNOWN) text += this.header.unkSurface;
      else if (this.types[id] !== CONTROL) text += this.pieces[id].replaceAll(SPACE, " ");
    }
    flush();
    return text.replace(DIVIDERS, "");
  }
}

/** @param {string[]} pieces @param {Uint8Array} types @param {Float32Array} scores @returns {Vocabulary} */
function vocabularyOf(pieces, types, scores) {
  const ids = new Map();
  let longest = 0, lowest = Infinity, highest = -Infinity;
  pieces.forEach((piece, id) => {
    if ([UNKNOWN, CONTROL, BYTE].includes(types[id])) return;
    ids.set(piece, id);
    longest = Math.max(longest, [...piece].length);
    if (types[id] === USER_DEFINED || types[id] === UNUSED) return;
    lowest = Math.min(lowest, scores[id]);
    highest = Math.max(highest, scores[id]);
  });
  const fixed = pieces.filter((_, id) => types[id] === USER_DEFINED).sort((a, b) => b.length - a.length);
  return { ids, scores, types, unk: UNK, longest, lowest, highest, fixed };
}

/** @param {string} piece "<0x41>" */
const byteOf = (piece) => Number.parseInt(piece.slice(3, 5), 16);

/**
 * Bytes as text; each byte that is no part of a character is U+FFFD by itself, as in SentencePiece.
 * @param {number[]} bytes
 * @returns {string}
 */
function decodeBytes(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const size = characterSize(bytes[at]);
    const character = toText(new Uint8Array(bytes.slice(at, at + size)));
    const whole = at + size <= bytes.length && [...character].length === 1
      && (character !== "\ufffd" || (bytes[at] === 0xef && bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd));
    text += whole ? character : "\ufffd";
    at += whole ? size : 1;
  }
  return text;
}
