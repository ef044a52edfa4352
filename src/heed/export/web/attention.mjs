// @ts-check
// Attention in three steps: score and normalise, sum, combine. heed.models.attention, for one source sentence.

import { beside, dot, product, softmax, tanh } from "./products.mjs";

/** @typedef {import("./packed.mjs").Tensor} Tensor */
/** The memory: keys and values with a row for each position, and the number of positions that are not masked. */
/** @typedef {{ keys: Float64Array, values: Float64Array, length: number, attended: number }} Memory */
/** @typedef {{ output: Float64Array, context: Float64Array, weights: Float64Array }} Attended of each query */

/** The energies of each position for each query. `covered` are the summed weights of the positions so far. */
/** @typedef {(query: Float64Array, rows: number, memory: Memory, covered: Float64Array) => Float64Array} Score */

/** @typedef {(states: Float64Array, length: number, attended: number) => Float64Array} Project */
/** @typedef {{ project: Project, score: Score, heads: number }} Kind */

/**
 * A kind of attention by its name.
 * @param {string} name
 * @param {number} heads
 * @param {Record<string, Tensor>} tensors of the score, by their names in it
 * @returns {Kind}
 */
export function kindOf(name, heads, tensors) {
  /** @param {Float64Array} states */
  const asTheyAre = (states) => states;
  /** @param {Float64Array} states @param {number} length */
  const projected = (states, length) => product(states, length, tensors["key.weight"], undefined);
  switch (name) {
    case "additive":
    case "multi_head": return { project: projected, score: additive(tensors, heads), heads };
    case "coverage": return { project: projected, score: additive(tensors, 1), heads: 1 };
    case "general": return { project: projected, score: dotProduct(() => 1), heads: 1 };
    case "dot": return { project: asTheyAre, score: dotProduct(() => 1), heads: 1 };
    case "scaled_dot": return { project: asTheyAre, score: dotProduct((size) => 1 / Math.sqrt(size)), heads: 1 };
    case "article": return { project: mean, score: article(tensors), heads: 1 };
    default: throw new Error(`this page does not support the attention ${name}`);
  }
}

/**
 * e_j = vᵀ tanh(W s + b + U h_j + w C_j); with several heads each sums its own share of the width.
 * @param {Record<string, Tensor>} tensors
 * @param {number} heads
 * @returns {Score}
 */
const additive = (tensors, heads) => (query, rows, { keys, length }, covered) => {
  const asked = product(query, rows, tensors["query.weight"], tensors["query.bias"]);
  const v = tensors["energy.weight"].data, w = tensors["coverage.weight"]?.data;
  const width = v.length, share = width / heads;
  const energies = new Float64Array(rows * heads * length);
  for (let row = 0; row < rows; row++) {
    for (let position = 0; position < length; position++) {
      const had = w ? covered[row * length + position] : 0;
      for (let head = 0, i = 0; head < heads; head++) {
        let energy = 0;
        for (const end = (head + 1) * share; i < end; i++) {
          const sum = asked[row * width + i] + keys[position * width + i] + (w ? w[i] * had : 0);
          energy += v[i] * tanh(sum);
        }
        energies[(row * heads + head) * length + position] = energy;
      }
    }
  }
  return energies;
};

/**
 * e_j = sᵀ h_j, times a factor that depends on the size.
 * @param {(size: number) => number} factor
 * @returns {Score}
 */
const dotProduct = (factor) => (query, rows, { keys, length }) => {
  const width = query.length / rows;
  const energies = new Float64Array(rows * length);
  for (let row = 0; row < rows; row++) {
    for (let position = 0; position < length; position++) {
      energies[row * length + position] = dot(query, row * width, keys, position * width, width) * factor(width);
    }
  }
  return energies;
};

/**
 * e = W [s; h] + b, an energy for each position; those beyond the last known one cannot be attended to.
 * @param {Record<string, Tensor>} tensors
 * @returns {Score}
 */
const article = (tensors) => (query, rows, { keys, length }) => {
  const key = new Float64Array(rows * keys.length);
  for (let row = 0; row < rows; row++) key.set(keys, row * keys.length);
  const all = product(beside(rows, query, key), rows, tensors.weight, tensors.bias);
  const positions = all.length / rows;
  const energies = new Float64Array(rows * length).fill(-Infinity);
  for (let row = 0; row < rows; row++) {
    energies.set(all.subarray(row * positions, row * positions + Math.min(positions, length)), row * length);
  }
  return energies;
};

/** The mean of the states that may be attended to: the one key of `article`. @type {Project} */
function mean(states, length, attended) {
  const width = states.length / length;
  const key = new Float64Array(width);
  for (let at = 0; at < attended * width; at++) key[at % width] += states[at] / attended;
  return key;
}

/**
 * Attend with each query: weights, the weighted sum of the values, and W [query; sum]. Each head sums its own share of
 * the values; the returned weights are their mean.
 * @param {Kind} kind
 * @param {{ weight: Tensor, bias: Tensor }} combine
 * @param {Float64Array} query
 * @param {number} rows
 * @param {Memory} memory
 * @param {Float64Array} covered
 * @returns {Attended}
 */
export function attend({ score, heads }, combine, query, rows, memory, covered) {
  const { values, length, attended } = memory;
  const width = values.length / length, share = width / heads;
  const energies = score(query, rows, memory, covered);
  for (let row = 0; row < energies.length; row += length) energies.fill(-Infinity, row + attended, row + length);
  const each = softmax(energies, length);
  const context = new Float64Array(rows * width), weights = new Float64Array(rows * length);
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < heads; head++) {
      for (let position = 0; position < length; position++) {
        const weight = each[(row * heads + head) * length + position];
        weights[row * length + position] += weight / heads;
        for (let i = head * share; i < (head + 1) * share; i++) {
          context[row * width + i] += weight * values[position * width + i];
        }
      }
    }
  }
  return { output: product(beside(rows, query, context), rows, combine.weight, combine.bias), context, weights };
}
