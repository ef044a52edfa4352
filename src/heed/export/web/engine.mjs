// @ts-check
// A model with its subwords: text in, text and attention by words out.

import { Model } from "./model.mjs";
import { readBlock, readTensors } from "./packed.mjs";
import { NOTHING, beam, greedy, sample } from "./search.mjs";
import { Subwords, EOS, UNK } from "./subwords.mjs";
import { divide, divideLine, lengthens, wordMap } from "./words.mjs";

/** @typedef {import("./search.mjs").Hypothesis} Hypothesis */
/** @typedef {import("./search.mjs").Partial} Partial */
/** @typedef {import("./words.mjs").Words} Words */

/** `temperature` and `count` are those of sampling. */
/** @typedef {{ search: string, beamSize: number, temperature: number, count: number }} Settings */

/**
 * A translation by words. `rows` has a row for each of them and a column for each source word; `ends` is the column of
 * the source's end. `index` is the word of each subword. `unknown` are positions of words outside the vocabulary.
 * @typedef {{
 *   words: string[], text: string, ids: number[], index: number[], spaced: boolean, score: number | null,
 *   rows: number[][], ends: number[], unknown: number[],
 * }} Translation
 */

/** @typedef {{ words: string[], unknown: number[], pieces: string[], cut: boolean }} Source */

/** Subwords of a source beyond this number are not read, as in heed.data.encoded. */
const LONGEST = 1024;

export class Engine {
  /** @param {ArrayBuffer} block */
  constructor(block) {
    const { header, arrays } = readBlock(block);
    this.source = new Subwords(header.source, arrays);
    this.target = new Subwords(header.target, arrays);
    this.model = new Model(header.architecture, readTensors(header.tensors, arrays));
    this.lengthens = this.target.pieces.map((piece, id) =>
      lengthens(piece) || (this.target.isSpecial(id) && id !== EOS));
  }

  /** @param {string} line @returns {Words & { ids: number[], cut: boolean }} */
  read(line) {
    const words = divideLine(line, this.source);
    const cut = words.ids.length > LONGEST;
    return { ...words, ids: words.ids.slice(0, LONGEST), index: words.index.slice(0, LONGEST), cut };
  }

  /** @param {string} line @returns {Source} what the page shows of a source */
  describe(line) {
    const { words, ids, index, cut } = this.read(line);
    return { words, unknown: unknownWords(ids, index), pieces: ids.map((id) => this.source.pieces[id]), cut };
  }

  /**
   * Translate a line. Every step yields the subwords so far; the result is best first, and empty for an empty line.
   * @param {string} line
   * @param {Settings} settings
   * @param {number[]} begin the pieces that the translation begins with
   * @returns {Generator<Partial, Hypothesis[]>}
   */
  *search(line, settings, begin = []) {
    const { ids } = this.read(line);
    if (!ids.length) return [{ ids: [], score: 0, attention: [] }];
    const source = [...ids, EOS], prefix = this.prefix(begin);
    if (settings.search === "beam") return yield* beam(this.model, source, prefix, settings);
    if (settings.search === "sample") return yield* sample(this.model, source, prefix, settings);
    return yield* greedy(this.model, source, prefix);
  }

  /** @param {number[]} ids @returns {import("./search.mjs").Prefix} */
  prefix(ids) {
    return ids.length ? { ids, lengthens: this.lengthens } : NOTHING;
  }

  /**
   * What a search wrote, by words.
   * @param {string} line
   * @param {Partial & { score?: number }} written
   * @returns {Translation}
   */
  byWords(line, { ids, attention, score = undefined }) {
    const target = divide(ids, this.target), { words, index, spaced } = target;
    const map = wordMap(attention, this.read(line), target);
    return {
      words, index, spaced, ids, score: score ?? null, text: this.target.decode(ids),
      rows: map.map((row) => row.slice(0, -1)), ends: map.map((row) => row[row.length - 1]),
      unknown: unknownWords(ids, index),
    };
  }
}

/** @param {number[]} ids @param {number[]} index */
const unknownWords = (ids, index) => [...new Set(index.filter((_, at) => ids[at] === UNK))];
