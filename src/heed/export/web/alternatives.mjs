// @ts-check
// What a model could have written instead of a word.

import { logSoftmax } from "./products.mjs";
import { largest } from "./search.mjs";
import { select } from "./model.mjs";
import { BOS, EOS } from "./subwords.mjs";

/** @typedef {import("./engine.mjs").Engine} Engine */

/**
 * A word and its subwords; without subwords, it stands for the end of the translation.
 * @typedef {{ ids: number[], word: string, probability: number }} Alternative
 */

/** The largest number of subwords of a word; otherwise a model might repeat one forever. */
const LONGEST_WORD = 16;

/**
 * The most probable next words, best first. Each begins with a different subword and continues with the most probable
 * ones until a new word begins; its probability is the product of theirs.
 * @param {Engine} engine
 * @param {string} line
 * @param {number[]} begin the subwords before the word
 * @param {boolean} spaced whether words are separated by spaces; if not, each word is one subword
 * @param {number} count
 * @returns {Generator<undefined, Alternative[]>}
 */
export function* alternatives(engine, line, begin, spaced, count) {
  const { model, target } = engine, { vocab } = model;
  /** @param {number} id */
  const opens = (id) => id === EOS || !spaced || target.opens[id];
  let { state, memory } = model.encode([...engine.read(line).ids, EOS]);
  let step = model.step([BOS], state, memory);
  for (const id of begin) {
    step = model.step([id], step.state, memory);
    yield undefined;
  }
  const values = logSoftmax(step.logits, vocab);
  const first = largest(begin.length ? values.map((value, id) => (opens(id) ? value : -Infinity)) : values, count);
  /** @type {{ ids: number[], sum: number }[]} */
  const words = first.map((id) => ({ ids: [id], sum: values[id] }));
  let growing = words.filter(({ ids }) => ids[0] !== EOS);
  state = select(step.state, growing.map(() => 0));
  for (let length = 1; spaced && growing.length && length < LONGEST_WORD; length++) {
    yield undefined;
    const next = model.step(growing.map(({ ids }) => ids[length - 1]), state, memory);
    const each = logSoftmax(next.logits, vocab);
    const best = growing.map((_, row) => largest(each, 1, row * vocab, (row + 1) * vocab)[0]);
    const going = growing.flatMap((_, row) => (opens(best[row]) ? [] : [row]));
    for (const row of going) {
      growing[row].ids.push(best[row]);
      growing[row].sum += each[row * vocab + best[row]];
    }
    state = select(next.state, going);
    growing = going.map((row) => growing[row]);
  }
  return words.map(({ ids, sum }) => ({
    ids: ids[0] === EOS ? [] : ids,
    word: target.spell(ids),
    probability: Math.exp(sum),
  })).sort((a, b) => b.probability - a.probability);
}
