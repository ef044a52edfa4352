// @ts-check
// Searches for a translation, with the rules of heed.search. Each is a generator: after every step it yields what is
// written so far, so that a page can show it and a worker can stop it. What it returns is the result, best first.

import { logSoftmax } from "./products.mjs";
import { select } from "./model.mjs";
import { BOS, EOS } from "./subwords.mjs";

/** @typedef {import("./model.mjs").Model} Model */

/**
 * A translation: its subwords without the end, its score, and a row of attention for each subword and for the end if it
 * was written. Columns are the source's subwords and its end.
 * @typedef {{ ids: number[], score: number, attention: Float64Array[] }} Hypothesis
 */

/** @typedef {{ ids: number[], attention: Float64Array[] }} Partial what is written so far */

/**
 * How a translation begins, and the subwords that may not follow it as they would lengthen its last word.
 * @typedef {{ ids: number[], lengthens: boolean[] }} Prefix
 */

/** A subword that was written, the weights that belong to it, and what was written before. */
/** @typedef {{ token: number, weights: Float64Array, before: Written } | null} Written */

/** The smallest positive number of float32: the weight of a source word that was never attended to. */
const TINY = 1.1754943508222875e-38;

/** Subwords that a translation may have even if its source is short, as in heed.search.greedy. */
const SHORTEST_LIMIT = 40;

/** @param {number} sourceLength its end included @param {Prefix} prefix the most pieces a translation may have */
const limitOf = (sourceLength, prefix) => Math.max(2 * (sourceLength - 1) + 10, SHORTEST_LIMIT, prefix.ids.length);

/** @type {Prefix} */
export const NOTHING = { ids: [], lengthens: [] };

/**
 * The log-probabilities of one step, minus infinity for all that a prefix rules out.
 * @param {Float64Array} logits rows
 * @param {number} vocab
 * @param {Prefix} prefix
 * @param {number} position
 */
function constrained(logits, vocab, prefix, position) {
  const values = logSoftmax(logits, vocab);
  const { ids, lengthens } = prefix;
  if (position > ids.length || !ids.length) return values;
  for (let at = 0; at < values.length; at++) {
    const token = at % vocab;
    if (position < ids.length ? token !== ids[position] : lengthens[token]) values[at] = -Infinity;
  }
  return values;
}

/** @param {Written} last @param {Float64Array | null} end @returns {Partial} */
function trace(last, end = null) {
  const ids = [], attention = end ? [end] : [];
  for (let at = last; at; at = at.before) {
    ids.push(at.token);
    attention.push(at.weights);
  }
  return { ids: ids.reverse(), attention: attention.reverse() };
}

/**
 * The places of the largest values, largest first.
 * @param {ArrayLike<number>} values
 * @param {number} count
 * @param {number} [start]
 * @param {number} [end]
 * @returns {number[]} counted from `start`; minus infinity is never among them
 */
export function largest(values, count, start = 0, end = values.length) {
  /** @type {number[]} */
  const places = [];
  let least = -Infinity;
  for (let at = start; at < end; at++) {
    if (!(values[at] > least)) continue;
    let place = Math.min(places.length, count - 1);
    for (; place > 0 && values[start + places[place - 1]] < values[at]; place--) places[place] = places[place - 1];
    places[place] = at - start;
    if (places.length === count) least = values[start + places[count - 1]];
  }
  return places;
}

/**
 * Words chosen one after the other, without going back: heed.search.greedy.write.
 * @param {Model} model
 * @param {number[]} source pieces and end
 * @param {Prefix} prefix
 * @param {(values: Float64Array, vocab: number, row: number) => number} chooseWord from the log-probabilities of a row
 * @param {number} times how many translations are written side by side
 * @returns {Generator<Partial, Hypothesis[]>}
 */
export function* write(model, source, prefix, chooseWord, times = 1) {
  const { vocab } = model, width = source.length, limit = limitOf(width, prefix);
  const { state: first, memory } = model.encode(source);
  let state = select(first, Array(times).fill(0));
  /** @type {{ last: Written, score: number, number: number }[]} */
  let alive = Array.from({ length: times }, (_, number) => ({ last: null, score: 0, number }));
  let tokens = Array(times).fill(BOS);
  /** @type {Hypothesis[]} */
  const found = Array(times);
  for (let position = 0; alive.length; position++) {
    const step = model.step(tokens, state, memory);
    const values = constrained(step.logits, vocab, prefix, position);
    tokens = alive.map((_, row) => chooseWord(values.subarray(row * vocab, (row + 1) * vocab), vocab, row));
    alive = alive.map(({ last, score, number }, row) => ({
      last: { token: tokens[row], weights: step.weights.slice(row * width, (row + 1) * width), before: last },
      score: score + values[row * vocab + tokens[row]],
      number,
    }));
    for (const { last, score, number } of alive) {
      if (last?.token === EOS) found[number] = { ...trace(last.before, last.weights), score };
      else if (position + 1 >= limit) found[number] = { ...trace(last), score };
    }
    yield trace(alive[0].last?.token === EOS ? alive[0].last.before : alive[0].last);
    const going = alive.flatMap(({ number }, row) => (found[number] ? [] : [row]));
    state = select(step.state, going);
    [alive, tokens] = [going.map((row) => alive[row]), going.map((row) => tokens[row])];
  }
  return found;
}

/**
 * The most probable word at every step.
 * @param {Model} model
 * @param {number[]} source
 * @param {Prefix} prefix
 */
export const greedy = (model, source, prefix = NOTHING) =>
  write(model, source, prefix, (values) => largest(values, 1)[0]);

/**
 * Words drawn by their probability, after logits were divided by a temperature.
 * @param {Model} model
 * @param {number[]} source
 * @param {Prefix} prefix
 * @param {{ temperature: number, count: number, random?: () => number }} settings
 * @returns {Generator<Partial, Hypothesis[]>}
 */
export function* sample(model, source, prefix, { temperature, count, random = Math.random }) {
  const found = yield* write(model, source, prefix, (values) => draw(values, temperature, random()), count);
  return found.sort((a, b) => b.score - a.score);
}

/**
 * The word within whose share of the whole probability a number in [0, 1) falls.
 * @param {ArrayLike<number>} values log-probabilities
 * @param {number} temperature
 * @param {number} uniform
 */
export function draw(values, temperature, uniform) {
  const best = values[largest(values, 1)[0]];
  const shares = Array.from(values, (value) => Math.exp((value - best) / temperature));
  let rest = uniform * shares.reduce((sum, share) => sum + share, 0);
  for (let word = 0; word < shares.length; word++) {
    rest -= shares[word];
    if (rest < 0) return word;
  }
  return shares.findLastIndex((share) => share > 0); // rounding
}

/** @typedef {{ beamSize: number, lengthPenalty?: number, coveragePenalty?: number, nBest?: number }} BeamSettings */

/** @typedef {{ score: number, parent: number, token: number }} Candidate */

/**
 * Beam search: heed.search.beam, whose docstring has the rules.
 * @param {Model} model
 * @param {number[]} source
 * @param {Prefix} prefix
 * @param {BeamSettings} settings
 * @returns {Generator<Partial, Hypothesis[]>}
 */
export function* beam(model, source, prefix, { beamSize, lengthPenalty = 1, coveragePenalty = 0, nBest = beamSize }) {
  const { vocab } = model, width = source.length, limit = limitOf(width, prefix);
  const needed = coveragePenalty ? beamSize : nBest; // what coverage takes from a score is known at the end
  /** @param {number} length */
  const penalty = (length) => ((5 + length) / 6) ** lengthPenalty;
  let { state, memory } = model.encode(source);
  let tokens = [BOS], scores = [0];
  /** @type {Written[]} */
  let written = [null];
  /** @type {Hypothesis[]} */
  const ends = [];
  for (let position = 0; position < limit; position++) {
    const now = position + 1;
    const step = model.step(tokens, state, memory);
    const values = constrained(step.logits, vocab, prefix, position);
    const rows = tokens.map((_, row) => step.weights.slice(row * width, (row + 1) * width));
    const { going, ending } = grow(values, vocab, scores, beamSize);
    for (const { score, parent } of ending) {
      ends.push({ ...trace(written[parent], rows[parent]), score: score / penalty(now) });
    }
    const before = written;
    written = going.map(({ parent, token }) => ({ token, weights: rows[parent], before: before[parent] }));
    if (now === limit && !ends.length) {
      going.forEach(({ score }, row) => ends.push({ ...trace(written[row]), score: score / penalty(now) }));
    }
    const sure = ends.map(({ score }) => score).sort((a, b) => b - a)[needed - 1] ?? -Infinity;
    const reach = (going[0]?.score ?? -Infinity) / Math.max(penalty(now + 1), penalty(limit));
    if (now === limit || ends.length >= beamSize || reach <= sure) break;
    yield trace(written[0]);
    state = select(step.state, going.map(({ parent }) => parent));
    tokens = going.map(({ token }) => token);
    scores = going.map(({ score }) => score);
  }
  if (coveragePenalty) for (const end of ends) end.score += coveragePenalty * coverage(end, width);
  return ends.sort((a, b) => b.score - a.score).slice(0, nBest);
}

/**
 * The best unfinished continuations, best first, and of the `beamSize` best of all those that end.
 * @param {Float64Array} values
 * @param {number} vocab
 * @param {number[]} scores of the beams that grow
 * @param {number} beamSize
 * @returns {{ going: Candidate[], ending: Candidate[] }}
 */
function grow(values, vocab, scores, beamSize) {
  // each beam has one end, so among twice as many candidates there are always enough unfinished ones
  const all = scores.flatMap((score, parent) => largest(values, 2 * beamSize, parent * vocab, (parent + 1) * vocab)
    .map((token) => ({ score: score + values[parent * vocab + token], parent, token })));
  const best = all.sort((a, b) => b.score - a.score).slice(0, 2 * beamSize);
  return {
    going: best.filter(({ token }) => token !== EOS).slice(0, beamSize),
    ending: best.slice(0, beamSize).filter(({ token }) => token === EOS),
  };
}

/** Sum over the source's words of log(min(weights, 1)). @param {Hypothesis} end @param {number} width */
function coverage({ attention }, width) {
  let sum = 0;
  for (let word = 0; word < width - 1; word++) {
    const had = attention.reduce((total, row) => total + row[word], 0);
    sum += Math.log(Math.min(Math.max(had, TINY), 1));
  }
  return sum;
}

/**
 * Run a search to its end at once.
 * @template Result
 * @param {Generator<unknown, Result>} search
 * @returns {Result}
 */
export function finish(search) {
  let step = search.next();
  while (!step.done) step = search.next();
  return step.value;
}
