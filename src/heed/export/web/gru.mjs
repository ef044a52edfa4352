// @ts-check
// One step of a GRU, and a GRU over a sentence: heed.models.gru and heed.models.encoder.

import { beside, product, sigmoid, tanh } from "./products.mjs";

/** @typedef {import("./packed.mjs").Tensor} Tensor */

/**
 * Matrices and biases of the products with input and state; gain and shift of their layer normalisations, if any.
 * @typedef {{
 *   weightInput: Tensor, biasInput: Tensor, weightState: Tensor, biasState: Tensor,
 *   normInput?: { gain: Tensor, shift: Tensor }, normState?: { gain: Tensor, shift: Tensor },
 * }} Cell
 */

const EPSILON = 1e-5;

/**
 * What the gates get of the input, for any number of rows.
 * @param {Cell} cell
 * @param {Float64Array} x
 * @param {number} rows
 */
const readInput = (cell, x, rows) => normalise(product(x, rows, cell.weightInput, cell.biasInput), cell.normInput);

/**
 * The states after inputs.
 * @param {Cell} cell
 * @param {Float64Array} x
 * @param {Float64Array} state
 * @param {number} rows
 * @returns {Float64Array}
 */
export const step = (cell, x, state, rows) => combine(cell, readInput(cell, x, rows), state, rows);

/**
 * @param {Cell} cell
 * @param {Float64Array} input what the gates get of the input
 * @param {Float64Array} state
 * @param {number} rows
 */
function combine(cell, input, state, rows) {
  const recurrent = normalise(product(state, rows, cell.weightState, cell.biasState), cell.normState);
  const width = state.length / rows;
  const after = new Float64Array(state.length);
  for (let row = 0; row < rows; row++) {
    for (let i = 0, gate = 3 * row * width, at = row * width; i < width; i++, gate++, at++) {
      const reset = sigmoid(input[gate] + recurrent[gate]);
      const update = sigmoid(input[gate + width] + recurrent[gate + width]);
      const candidate = tanh(input[gate + 2 * width] + reset * recurrent[gate + 2 * width]);
      after[at] = candidate + update * (state[at] - candidate);
    }
  }
  return after;
}

/** @param {Float64Array} matrix @param {{ gain: Tensor, shift: Tensor } | undefined} norm */
function normalise(matrix, norm) {
  if (!norm) return matrix;
  const gain = norm.gain.data, shift = norm.shift.data, width = gain.length;
  for (let start = 0; start < matrix.length; start += width) {
    let mean = 0, variance = 0;
    for (let i = 0; i < width; i++) mean += matrix[start + i] / width;
    for (let i = 0; i < width; i++) variance += (matrix[start + i] - mean) ** 2 / width;
    const scale = 1 / Math.sqrt(variance + EPSILON);
    for (let i = 0; i < width; i++) matrix[start + i] = (matrix[start + i] - mean) * scale * gain[i] + shift[i];
  }
  return matrix;
}

/**
 * Layers of a GRU over a sentence, each in one direction or in both.
 * @param {Cell[][]} layers the cells of each layer: forwards, and backwards if there are two
 * @param {Float64Array} x a row for each position
 * @param {number} length
 * @returns {{ states: Float64Array, summary: Float64Array }} of every position, and of the sentence
 */
export function encode(layers, x, length) {
  let states = x, summary = x;
  for (const cells of layers) {
    const runs = cells.map((cell, way) => runCell(cell, states, length, way === 1));
    states = beside(length, ...runs);
    const width = runs[0].length / length;
    summary = beside(1, ...runs.map((own, way) => own.slice(way ? 0 : own.length - width, way ? width : own.length)));
  }
  return { states, summary };
}

/** @param {Cell} cell @param {Float64Array} x @param {number} length @param {boolean} backwards */
function runCell(cell, x, length, backwards) {
  const input = readInput(cell, x, length);
  const gates = input.length / length, width = gates / 3;
  const states = new Float64Array(length * width);
  let state = new Float64Array(width);
  for (let i = 0; i < length; i++) {
    const at = backwards ? length - 1 - i : i;
    state = combine(cell, input.subarray(at * gates, (at + 1) * gates), state, 1);
    states.set(state, at * width);
  }
  return states;
}
